"""Wrong passwords are counted for all processes together, by name and by address."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from moca.authentication import limits
from moca.authentication.models import Operator

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def olga(db: None) -> Operator:
    return Operator.objects.create_operator("olga", password=PASSWORD)


def sign_in(name: str, password: str, address: str = "192.0.2.1", **headers: str) -> bool:
    client = Client(headers={"host": "localhost", **headers}, REMOTE_ADDR=address)
    client.post(LOGIN, {"username": name, "password": password})
    return "_auth_user_id" in client.session


def test_guesses_with_many_other_names_do_not_push_the_count_out(olga: Operator) -> None:
    for _ in range(limits.MOST_FOR_NAME_AND_ADDRESS):
        sign_in("olga", "wrong")
    for number in range(limits.MOST_FOR_ADDRESS):
        sign_in(f"name-{number}", "wrong", "192.0.2.2")
    cache.clear()
    assert sign_in("olga", PASSWORD) is False


def test_one_address_cannot_try_many_names(olga: Operator) -> None:
    for number in range(limits.MOST_FOR_ADDRESS):
        sign_in(f"name-{number}", "wrong")
    assert [sign_in("olga", PASSWORD), sign_in("olga", PASSWORD, "192.0.2.9")] == [False, True]


def test_many_addresses_cannot_try_one_name(olga: Operator) -> None:
    for number in range(limits.MOST_FOR_NAME):
        sign_in("olga", "wrong", f"198.51.100.{number}")
    assert sign_in("olga", PASSWORD, "203.0.113.1") is False


def test_the_right_password_resets_the_count(olga: Operator) -> None:
    for _ in range(2):
        for _ in range(limits.MOST_FOR_NAME_AND_ADDRESS - 1):
            sign_in("olga", "wrong")
        last = sign_in("olga", PASSWORD)
    assert last is True


def test_failures_are_forgiven_after_a_while(
    olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(limits.MOST_FOR_NAME_AND_ADDRESS):
        sign_in("olga", "wrong")
    later = time.time() + limits.FORGIVEN_AFTER_SECONDS + 1
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: later))
    assert sign_in("olga", PASSWORD) is True


def test_a_client_of_ipv6_does_not_escape_by_another_address_of_its_network(olga: Operator) -> None:
    for number in range(limits.MOST_FOR_NAME_AND_ADDRESS):
        sign_in("olga", "wrong", f"2001:db8::{number:x}")
    assert sign_in("olga", PASSWORD, "2001:db8::ffff") is False


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_moment_are_counted_too() -> None:
    barrier = threading.Barrier(20)

    def guess(_: int) -> bool:
        barrier.wait()
        try:
            limits.start_attempt(None, "olga")
        except limits.TooManyFailuresError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(guess, range(20))) == limits.MOST_FOR_NAME_AND_ADDRESS


class TestBehindAProxy:
    @pytest.fixture(autouse=True)
    def trusted(self, settings: Any) -> None:
        settings.TRUST_PROXY_HEADERS = True

    def guess(self, address: str, times: int) -> None:
        for _ in range(times):
            sign_in("olga", "wrong", "10.0.0.1", x_forwarded_for=address)

    def test_clients_are_told_apart(self, olga: Operator) -> None:
        self.guess("192.0.2.1", limits.MOST_FOR_NAME_AND_ADDRESS)
        assert sign_in("olga", PASSWORD, "10.0.0.1", x_forwarded_for="192.0.2.2") is True

    @pytest.mark.parametrize("address", ["192.0.2.1:{}", "[2001:db8::1]:{}"])
    def test_ports_that_the_proxy_appends_do_not_count(self, olga: Operator, address: str) -> None:
        for port in range(limits.MOST_FOR_NAME_AND_ADDRESS):
            self.guess(address.format(50_000 + port), 1)
        refused = sign_in("olga", PASSWORD, "10.0.0.1", x_forwarded_for=address.format(60_000))
        assert refused is False

    def test_what_a_client_claims_itself_does_not_count(self, olga: Operator) -> None:
        for number in range(limits.MOST_FOR_NAME_AND_ADDRESS):
            self.guess(f"203.0.113.{number}, 192.0.2.1", 1)
        refused = sign_in("olga", PASSWORD, "10.0.0.1", x_forwarded_for="1.2.3.4, 192.0.2.1")
        assert refused is False


def test_the_header_of_a_proxy_that_is_not_trusted_does_not_count(olga: Operator) -> None:
    for number in range(limits.MOST_FOR_NAME_AND_ADDRESS):
        sign_in("olga", "wrong", x_forwarded_for=f"203.0.113.{number}")
    assert sign_in("olga", PASSWORD) is False


class TestChangeOfPassword:
    def change(self, client: Client, old: str) -> Any:
        new = {"new_password1": "a new pass phrase", "new_password2": "a new pass phrase"}
        return client.post("/admin/password_change/", {"old_password": old, **new})

    @pytest.fixture
    def page(self, olga: Operator) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(olga)
        return client

    def test_guesses_of_the_old_password_are_limited(self, page: Client) -> None:
        for _ in range(limits.MOST_FOR_NAME_AND_ADDRESS):
            self.change(page, "wrong")
        errors = self.change(page, PASSWORD).context["form"].errors
        assert "wait five minutes" in errors["old_password"][0]

    def test_the_right_one_is_taken(self, page: Client, olga: Operator) -> None:
        self.change(page, PASSWORD)
        olga.refresh_from_db()
        assert olga.check_password("a new pass phrase")

    @pytest.mark.parametrize("path", ["/admin/password_change/", "/admin/password_change/done/"])
    def test_no_cache_keeps_the_page(self, page: Client, path: str) -> None:
        assert "no-store" in page.get(path)["Cache-Control"]


@given(st.text(max_size=60))
def test_any_address_is_taken(address: str) -> None:
    class Request:
        META = {"REMOTE_ADDR": address}
        headers: dict[str, str] = {}

    request: Any = Request()
    assert len(limits.client_address(request)) <= 64
