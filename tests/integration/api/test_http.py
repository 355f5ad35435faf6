"""What holds on every route: bodies, slashes, methods, errors, CORS, rate limit, request ids."""

import threading
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.unreader import IterUnreader

from moca.api.middleware import BodyLimitMiddleware
from moca.authentication.models import Operator
from tests.integration.api.conftest import API, VALID
from triggers.api.body_limit import LARGEST_BODY
from triggers.models import LocalSchedule, Trigger

ORIGIN = "https://app.example.com"


class TestEnvelope:
    def test_request_id_is_in_header_and_body(self, alice: API) -> None:
        response = alice.get("/triggers")
        assert response.json()["metadata"]["requestId"] == response["X-Request-Id"]

    def test_request_id_is_in_errors(self, alice: API) -> None:
        response = alice.get("/triggers/nothing")
        assert response.json()["requestId"] == response["X-Request-Id"]

    def test_metadata(self, alice: API) -> None:
        assert set(alice.post("/triggers", VALID).json()["metadata"]) == {
            "requestId",
            "timestamp",
            "userId",
        }

    def test_text_is_utf_8(self, alice: API) -> None:
        response = alice.post("/triggers", {**VALID, "name": "名前"})
        assert ("名前".encode() in response.content, response["Content-Type"]) == (
            True,
            "application/json",
        )

    @pytest.mark.parametrize("accept", ["text/html", "image/png", "*/*", "", "nonsense"])
    def test_json_whatever_is_accepted(self, alice: API, accept: str) -> None:
        assert alice.get("/triggers", Accept=accept)["Content-Type"] == "application/json"

    def test_is_not_cached(self, alice: API) -> None:
        assert alice.get("/triggers")["Cache-Control"] == "no-store"


class TestSlash:
    @pytest.mark.parametrize("path", ["/triggers/", "/events/", "/health/", "/health/?deep=1"])
    def test_get(self, alice: API, path: str) -> None:
        assert alice.get(path).status_code == 200

    def test_post(self, alice: API) -> None:
        assert alice.post("/triggers/", VALID).status_code == 201

    def test_below(self, alice: API) -> None:
        made = alice.create()
        assert alice.post(f"/triggers/{made['id']}/disable/").status_code == 200

    def test_two_are_not_found(self, alice: API) -> None:
        assert alice.get("/triggers//").status_code == 404


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("PUT", "/triggers"),
            ("DELETE", "/events"),
            ("GET", "/triggers/x/run"),
            ("GET", "/schedules/preview"),
            ("POST", "/health"),
            ("TRACE", "/triggers"),
            ("PROPFIND", "/triggers"),
        ],
    )
    def test_not_allowed(self, alice: API, method: str, path: str) -> None:
        response = alice(method, path)
        assert (response.status_code, response.json()["error"]) == (405, "Method Not Allowed")

    def test_allowed_ones_are_told(self, alice: API) -> None:
        assert alice("PUT", "/triggers")["Allow"] == "GET, POST, HEAD, OPTIONS"

    def test_head(self, alice: API) -> None:
        response = alice("HEAD", "/triggers")
        assert (response.status_code, response.content) == (200, b"")

    def test_options(self, alice: API) -> None:
        assert alice("OPTIONS", "/triggers").json()["methods"][:2] == ["GET", "POST"]

    @pytest.mark.parametrize("path", ["/triggers/a/b", "/schedules", "/events/x", "/openapi.jsonx"])
    def test_no_such_address(self, alice: API, path: str) -> None:
        assert alice.get(path).status_code == 404

    def test_unknown_address_is_json(self, nobody: API) -> None:
        response = nobody.get("/schedules/x")
        assert response.json()["error"] == "Not Found"

    def test_pages_keep_their_own_errors(self, nobody: API) -> None:
        assert nobody.get("/nothing")["Content-Type"].startswith("text/html")


class TestBody:
    @pytest.mark.parametrize(
        "data",
        [
            b"{",
            b"nonsense",
            b"[]",
            b"null",
            b'"text"',
            b"5",
            b'{"name": NaN}',
            b'{"name": -Infinity}',
            b'{"timeoutSeconds": 1e400}',
            b'{"timeoutSeconds": ' + b"9" * 5000 + b"}",
            b'{"timeoutSeconds": ' + b"9" * 100 + b"}",
            b'{"timeoutSeconds": ' + b"9" * 400 + b"}",
            b'{"name": "Report", "name": "Report"}',
            b'{"tags": [{"a": 1, "b": 2, "a": 1}]}',
            b'{"name": "\xff"}',
            b'{"name": "\\ud800"}',
            b'{"name": "\\u0000"}',
            b'{"\\ud800": 1}',
            b'{"tags": ["\\ud800"]}',
            b"\xef\xbb\xbf{}",
            '{"name": "x"}'.encode("utf-16"),
            b"[" * 200_000,
            b'{"a":' * 40_000,
            b'{"a":' * 100 + b"1" + b"}" * 100,
        ],
    )
    def test_what_cannot_be_read_or_stored(self, alice: API, data: bytes) -> None:
        response = alice.raw("POST", "/triggers", data, Authorization=f"Bearer {alice.token}")
        assert (response.status_code, response.json()["error"]) == (400, "Validation Error")

    def test_field_is_named(self, alice: API) -> None:
        body = {**VALID, "eventConfig": {"eventPattern": {"a": ["x\0"]}}}
        details = alice.post("/triggers", body).json()["details"]
        assert [one["field"] for one in details] == ["eventConfig.eventPattern.a"]

    def test_answer_does_not_grow_with_the_faults(self, alice: API) -> None:
        response = alice.post("/triggers", {**VALID, "k" * 50_000: ["\0"] * 10_000})
        assert (response.status_code, len(response.content) < 20_000) == (400, True)

    def test_more_than_the_fields_can_have(self, alice: API) -> None:
        response = alice.post("/triggers", {**VALID, "prompt": "x" * LARGEST_BODY})
        assert (response.status_code, response.json()["error"]) == (413, "Payload Too Large")

    def test_as_much_as_may_be(self, alice: API) -> None:
        data = b'{"x": "' + b"y" * (LARGEST_BODY - 9) + b'"}'
        response = alice.raw("POST", "/triggers", data, Authorization=f"Bearer {alice.token}")
        assert (len(data), response.status_code) == (LARGEST_BODY, 400)

    @pytest.mark.parametrize("letter", ["あ", "🐑", '"', "\x7f"])
    def test_the_longest_texts_as_a_client_escapes_them(self, alice: API, letter: str) -> None:
        # Control characters stand in texts of several lines only.
        in_line = letter if letter.isprintable() else "🐑"
        fields = {
            "prompt": letter * 50_000,
            "description": letter * 2000,
            "name": in_line * 200,
            "agentId": in_line * 200,
            "modelId": in_line * 200,
            "workingDirectory": in_line * 1000,
            "enabledTools": [in_line * 128] * 50,
            "sessionId": "s" * 256,
        }
        answer = alice.post("/triggers", {**VALID, **fields})
        shown = answer.json()["trigger"]
        assert {name: shown[name] for name in fields} == fields

    @pytest.mark.parametrize(
        ("path", "size", "status"),
        [
            ("/triggers", LARGEST_BODY, 200),
            ("/triggers", LARGEST_BODY + 1, 413),
            ("/events", 256 * 1024, 200),
            ("/events", 256 * 1024 + 1, 413),
        ],
    )
    def test_without_content_length(self, path: str, size: int, status: int) -> None:
        request = RequestFactory().post(path, b"", "application/json")
        request.META.update(
            {
                "HTTP_AUTHORIZATION": "Bearer x",
                "HTTP_TRANSFER_ENCODING": "chunked",
                "wsgi.input_terminated": True,
                "wsgi.input": BytesIO(b"x" * size),
            }
        )
        seen: list[int] = []

        def answer(request: Any) -> Any:
            seen.append(len(request.body))
            return HttpResponse()

        response = BodyLimitMiddleware(answer)(request)
        assert (response.status_code, seen) == (status, [size] if status == 200 else [])

    @pytest.mark.parametrize("sent", [b"zz\r\n{}", b"5\r\n{}", b"-1\r\n", b""])
    def test_malformed_chunks(self, sent: bytes) -> None:
        request = RequestFactory().post("/events", b"", "application/json")
        request.META.update(
            {
                "HTTP_TRANSFER_ENCODING": "chunked",
                "wsgi.input_terminated": True,
                "wsgi.input": Body(ChunkedReader(None, IterUnreader(iter([sent])))),
            }
        )
        response = BodyLimitMiddleware(lambda _: HttpResponse())(request)
        assert response.status_code == 400

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "x"])
    def test_other_content_types(self, alice: API, kind: str) -> None:
        authorization = {"Authorization": f"Bearer {alice.token}"}
        response = alice.raw("POST", "/triggers", b"{}", kind, **authorization)
        assert (response.status_code, response.json()["error"]) == (415, "Unsupported Media Type")

    @pytest.mark.parametrize(
        "kind",
        ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"],
    )
    def test_json_by_any_name(self, alice: API, kind: str) -> None:
        authorization = {"Authorization": f"Bearer {alice.token}"}
        response = alice.raw("POST", "/triggers", b"{}", kind, **authorization)
        assert response.status_code == 400

    def test_empty_body_is_an_empty_object(self, alice: API) -> None:
        details = alice.post("/triggers").json()["details"]
        assert [one["field"] for one in details] == ["name", "type", "agentId", "prompt"]


class TestFaults:
    def test_unexpected_error(
        self, alice: API, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("triggers.api.views.find", lambda *_: 1 / 0)
        response = alice.get("/triggers/x")
        assert (response.status_code, response.json()["error"], "division" in response.text) == (
            500,
            "Internal Server Error",
            False,
        )

    def test_unexpected_error_is_logged(
        self, alice: API, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("triggers.api.views.find", lambda *_: 1 / 0)
        alice.get("/triggers/x")
        assert "ZeroDivisionError" in caplog.text

    def test_unexpected_error_while_debugging(
        self, alice: API, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.DEBUG = True
        monkeypatch.setattr("triggers.api.views.find", lambda *_: 1 / 0)
        assert alice.get("/triggers/x").json()["error"] == "Internal Server Error"

    def test_database_is_locked(self, alice: API, monkeypatch: pytest.MonkeyPatch) -> None:
        def locked(*args: Any, **kwargs: Any) -> None:
            raise OperationalError("database is locked")

        monkeypatch.setattr("moca.audit.save", locked)
        response = alice.post("/triggers", VALID)
        assert (response.status_code, response["Retry-After"]) == (503, "1")

    def test_foreign_host(self, alice: API) -> None:
        response = alice.get("/triggers", Host="evil.example.com")
        assert (response.status_code, "requestId" in response.json()) == (400, True)


class TestCors:
    @pytest.fixture(autouse=True)
    def origins(self, settings: Any) -> None:
        settings.CORS_ALLOWED_ORIGINS = [ORIGIN]

    def preflight(self, api: API, origin: str = ORIGIN, path: str = "/triggers/x") -> Any:
        return api("OPTIONS", path, Origin=origin, Access_Control_Request_Method="PUT")

    def test_preflight_needs_no_sign_in(self, nobody: API) -> None:
        response = self.preflight(nobody)
        assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, ORIGIN)

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_methods(self, nobody: API, method: str) -> None:
        assert method in self.preflight(nobody)["Access-Control-Allow-Methods"].split(", ")

    @pytest.mark.parametrize(
        "header",
        [
            "Authorization",
            "Content-Type",
            "If-Match",
            "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token",
        ],
    )
    def test_headers(self, nobody: API, header: str) -> None:
        assert header in self.preflight(nobody)["Access-Control-Allow-Headers"].split(", ")

    def test_answer(self, alice: API) -> None:
        response = alice.get("/triggers", Origin=ORIGIN)
        assert (response["Access-Control-Allow-Origin"], response["Vary"]) == (ORIGIN, "Origin")

    def test_request_id_can_be_read(self, alice: API) -> None:
        response = alice.get("/triggers", Origin=ORIGIN)
        assert "X-Request-Id" in response["Access-Control-Expose-Headers"]

    def test_errors_can_be_read(self, nobody: API) -> None:
        response = nobody.get("/triggers", Origin=ORIGIN)
        assert response["Access-Control-Allow-Origin"] == ORIGIN

    @pytest.mark.parametrize("origin", ["https://evil.example.com", "null", ORIGIN + ".evil.com"])
    def test_other_origins(self, nobody: API, origin: str) -> None:
        assert "Access-Control-Allow-Origin" not in self.preflight(nobody, origin)

    def test_no_cookies(self, nobody: API) -> None:
        assert "Access-Control-Allow-Credentials" not in self.preflight(nobody)

    def test_pages_are_left_alone(self, nobody: API) -> None:
        response = self.preflight(nobody, path="/admin/")
        assert "Access-Control-Allow-Origin" not in response

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nothing", 404),
            ("GET", "/triggers/a/b", 404),
            ("GET", "/triggers", 401),
            ("PUT", "/events", 405),
        ],
    )
    def test_every_error_can_be_read(
        self, nobody: API, method: str, path: str, status: int
    ) -> None:
        answer = nobody(method, path, Origin=ORIGIN, Accept="*/*", Authorization="Bearer x")
        statuses = {status, 401} if path == "/events" else {status}
        assert answer.status_code in statuses
        assert answer["Access-Control-Allow-Origin"] == ORIGIN

    def test_what_is_too_large_can_be_read(self, alice: API) -> None:
        body = {**VALID, "prompt": "x" * LARGEST_BODY}
        answer = alice.post("/triggers", body, Origin=ORIGIN)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (413, ORIGIN)

    def test_our_faults_can_be_read(self, alice: API, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("triggers.api.views.find", lambda *_: 1 / 0)
        answer = alice.get("/triggers/x", Origin=ORIGIN)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (500, ORIGIN)

    def test_foreign_hosts_can_be_read(self, alice: API) -> None:
        answer = alice.get("/triggers", Origin=ORIGIN, Host="evil.example.com")
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (400, ORIGIN)

    def test_an_unknown_address_tells_nothing_to_other_origins(self, nobody: API) -> None:
        response = nobody.get("/trigers", Origin="https://evil.example.com")
        assert (response.status_code, "Access-Control-Allow-Origin" in response) == (404, False)

    def test_files_of_pages_are_left_alone(self, nobody: API) -> None:
        response = nobody.get("/static/console/console.css", Origin=ORIGIN)
        response.close()
        assert (response.status_code, "Origin" in response.get("Vary", "")) == (200, False)

    def test_preflight_of_an_unknown_address(self, nobody: API) -> None:
        response = self.preflight(nobody, path="/trigers")
        assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, ORIGIN)


class TestAnyOrigin:
    @pytest.fixture(autouse=True)
    def origins(self, settings: Any) -> None:
        settings.CORS_ALLOW_ALL_ORIGINS = True

    def test_answer(self, alice: API) -> None:
        answer = alice.get("/triggers", Origin="https://any.example.com")
        assert answer["Access-Control-Allow-Origin"] == "*"

    def test_preflight(self, nobody: API) -> None:
        headers = {"Origin": ORIGIN, "Access_Control_Request_Method": "PUT"}
        answer = nobody("OPTIONS", "/triggers", **headers)
        assert "PUT" in answer["Access-Control-Allow-Methods"]

    def test_a_session_cookie_is_no_credential_across_origins(self, db: None) -> None:
        client = Client()
        Operator.objects.create_operator("ann", password="x" * 12)
        client.post("/admin/login/", {"username": "ann", "password": "x" * 12})
        answer = client.get("/triggers", headers={"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"})
        assert "Access-Control-Allow-Credentials" not in answer
        assert client.cookies["sessionid"]["samesite"] == "Lax"


class TestUnknownAddresses:
    @pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json, */*"])
    def test_programs_get_json(self, nobody: API, accept: str) -> None:
        response = nobody.get("/api/v2/triggers", Accept=accept)
        assert (response.status_code, response.json()["error"]) == (404, "Not Found")

    def test_browsers_get_a_page(self, nobody: API) -> None:
        response = nobody.get("/nothing", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert response["Content-Type"].startswith("text/html")

    def test_parts_of_pages_stay_pages(self, nobody: API) -> None:
        response = nobody.get("/admin/nothing", Accept="*/*")
        assert not response["Content-Type"].startswith("application/json")


class TestRateLimit:
    @pytest.fixture(autouse=True)
    def limit(self, settings: Any) -> None:
        cache.clear()
        settings.API_RATE_LIMIT = "2/min"

    def test_too_many(self, alice: API) -> None:
        statuses = [alice.get("/events").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]

    def test_when_to_try_again(self, alice: API) -> None:
        responses = [alice.get("/events") for _ in range(3)]
        assert 0 < int(responses[-1]["Retry-After"]) <= 60

    def test_is_each_users_own(self, alice: API, bob: API) -> None:
        for _ in range(3):
            alice.get("/events")
        assert bob.get("/events").status_code == 200

    def test_health_is_free(self, nobody: API) -> None:
        assert [nobody.get("/health").status_code for _ in range(4)] == [200] * 4


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def at_once(self, calls: list[Any]) -> list[Any]:
        start, answers = threading.Barrier(len(calls)), []

        def run(call: Any) -> None:
            start.wait()
            answers.append(call())
            connection.close()

        threads = [threading.Thread(target=run, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_one_key_makes_one_trigger(self) -> None:
        def create() -> Any:
            return API("alice").post("/triggers", VALID, Idempotency_Key="k")

        answers = self.at_once([create] * 6)
        ids = {answer.json()["trigger"]["id"] for answer in answers}
        assert (len(ids), Trigger.objects.count()) == (1, 1)

    def test_changes_of_different_fields_all_count(self) -> None:
        path = f"/triggers/{API('alice').create()['id']}"
        bodies: list[dict[str, Any]] = [{"name": "n"}, {"description": "d"}]
        self.at_once([lambda body=body: API("alice").patch(path, body) for body in bodies])
        trigger = Trigger.objects.get()
        assert (trigger.name, trigger.description, trigger.version) == ("n", "d", 3)

    def test_one_of_two_with_if_match_wins(self) -> None:
        path = f"/triggers/{API('alice').create()['id']}"
        names = ["one", "two"]
        answers = self.at_once(
            [
                lambda name=name: API("alice").patch(path, {"name": name}, If_Match='"1"')
                for name in names
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_deep_health_tells_that_nothing_fires(nobody: API, make_trigger: Any) -> None:
    late = timezone.now() - timedelta(minutes=5)
    LocalSchedule.objects.filter(pk=make_trigger().pk).update(next_run_at=late, due_at=late)
    assert nobody.get("/health?deep=1").json()["checks"] == {
        "database": "ok",
        "scheduler": "error",
    }


def test_body_that_ends_early_is_not_carried_out() -> None:
    request = WSGIRequest(
        {
            "REQUEST_METHOD": "PATCH",
            "PATH_INFO": "/triggers/x",
            "HTTP_AUTHORIZATION": "Bearer x",
            "CONTENT_LENGTH": "900",
            "wsgi.input": BytesIO(b'{"name": "CUT"}'),
        }
    )
    assert BodyLimitMiddleware(lambda _: HttpResponse())(request).status_code == 400
