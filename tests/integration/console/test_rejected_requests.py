"""Requests rejected before a view: unknown hosts, forms of other origins, oversized forms."""

import logging
from typing import Any

import pytest
from django.test import Client

from moca.authentication.models import Operator, Role

LOGIN = "/admin/login/"


@pytest.fixture
def strict(db: None) -> Client:
    """A browser whose forms are checked."""
    client = Client(enforce_csrf_checks=True)
    client.get(LOGIN)
    return client


def send(client: Client, **extra: Any) -> Any:
    token = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else "x" * 32
    return client.post(LOGIN, {"csrfmiddlewaretoken": token}, **extra)


class TestHosts:
    @pytest.mark.parametrize("path", ["/health", "/health/", "/health?deep=1"])
    def test_health_is_answered_for_every_host(self, client: Client, db: None, path: str) -> None:
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200

    def test_health_is_not_sent_elsewhere(self, client: Client, db: None, settings: Any) -> None:
        settings.SECURE_SSL_REDIRECT = True
        assert client.get("/health", headers={"Host": "10.0.0.7"}).status_code == 200

    @pytest.mark.parametrize("path", ["/console/", "/triggers", "/nothing"])
    def test_others_are_one_line_in_the_log(
        self, client: Client, caplog: pytest.LogCaptureFixture, path: str
    ) -> None:
        for _ in range(3):
            client.get(path, headers={"Host": "evil.example.com"})
        assert [(one.levelno, "ALLOWED_HOSTS" in one.getMessage()) for one in caplog.records] == [
            (logging.WARNING, True)
        ]
        assert caplog.records[0].exc_info is None

    def test_https_is_not_asked_for_first(
        self, client: Client, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.SECURE_SSL_REDIRECT = True
        client.get("/console/", headers={"Host": "evil.example.com"})
        assert [one.levelname for one in caplog.records] == ["WARNING"]

    @pytest.mark.parametrize(("debug", "named"), [(True, True), (False, False)])
    def test_the_setting_is_named_while_debugging(
        self, client: Client, settings: Any, debug: bool, named: bool
    ) -> None:
        settings.DEBUG = debug
        page = client.get("/console/", headers={"Host": "new.example.com", "Accept": "text/html"})
        assert (page.status_code, "ALLOWED_HOSTS" in page.content.decode()) == (400, named)

    def test_programs_are_told_in_json(self, client: Client) -> None:
        answer = client.get("/triggers", headers={"Host": "evil.example.com"})
        assert "Host header" in answer.json()["message"]


class TestForms:
    @pytest.mark.parametrize(
        ("origin", "trusts", "named"),
        [
            ("https://other.example.com", False, "CSRF_TRUSTED_ORIGINS=https://other.example.com"),
            ("https://testserver", False, "TRUST_PROXY_HEADERS=true"),
            ("https://testserver", True, "X-Forwarded-Proto: https"),
            ("null", False, "hides from which page"),
        ],
    )
    def test_an_origin_that_differs(
        self, strict: Client, settings: Any, origin: str, trusts: bool, named: str
    ) -> None:
        settings.ALLOWED_HOSTS, settings.TRUST_PROXY_HEADERS = ["testserver"], trusts
        answer = send(strict, headers={"Origin": origin})
        text = answer.content.decode()
        assert (answer.status_code, named in text, "cookie" in text) == (403, True, False)

    def test_the_operator_finds_it_in_the_log(
        self, strict: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        send(strict, headers={"Origin": "https://other.example.com"})
        assert "CSRF_TRUSTED_ORIGINS" in caplog.text

    def test_no_cookie(self, db: None) -> None:
        answer = send(Client(enforce_csrf_checks=True), headers={"Origin": "http://testserver"})
        assert "sent no cookie" in answer.content.decode()

    def test_a_cookie_that_only_https_carries(self, db: None, settings: Any) -> None:
        settings.CSRF_COOKIE_SECURE = True
        answer = send(Client(enforce_csrf_checks=True), headers={"Origin": "http://testserver"})
        assert "COOKIES_SECURE=false" in answer.content.decode()

    def test_an_old_page(self, strict: Client) -> None:
        answer = strict.post(LOGIN, {"csrfmiddlewaretoken": "y" * 64})
        assert "before you signed in or out" in answer.content.decode()

    @pytest.mark.parametrize(
        ("fields", "status", "named"),
        [
            ({f"f{number}": "" for number in range(1001)}, 400, "1000 fields"),
            ({"name": "x" * 1_100_000}, 413, "1024 KB"),
        ],
    )
    def test_too_much(self, client: Client, fields: Any, status: int, named: str, db: None) -> None:
        answer = client.post(LOGIN, fields, headers={"Accept": "text/html"})
        assert (answer.status_code, named in answer.content.decode()) == (status, True)

    def test_a_session_that_ended_meanwhile(self, db: None) -> None:
        client = Client()
        answer = client.post(
            "/console/triggers/act",
            {},
            headers={"Referer": "http://testserver/console/triggers?type=event"},
            follow=True,
        )
        assert "not saved" in answer.content.decode()
        assert answer.redirect_chain[-1][0].endswith("?next=/console/triggers%3Ftype%3Devent")

    def test_a_page_that_is_asked_for_says_nothing_of_it(self, db: None) -> None:
        Operator.objects.create_operator("ann", password="x" * 12, role=Role.VIEWER)
        answer = Client().get("/console/triggers", follow=True)
        assert "not saved" not in answer.content.decode()
