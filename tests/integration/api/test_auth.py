"""Tokens, sessions and roles."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from jwt.algorithms import RSAAlgorithm

from moca.authentication.keys import KeysUnavailableError, RemoteKeys, local_public_key
from moca.authentication.models import Operator, Role
from moca.authentication.tokens import LOCAL_ISSUER, issue
from tests.integration.api.conftest import API, VALID
from triggers.models import Trigger

POOL = "eu-west-1_AbC123xyz"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"


@cache
def pool_key(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


class KeyServer:
    """A pool's JWKS address, which counts the requests it gets."""

    def __init__(self) -> None:
        self.names = ["one"]
        self.requests = 0
        self.status = 200
        self.body: bytes | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests += 1
                self.send_response(owner.status)
                self.end_headers()
                self.wfile.write(owner.document())

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def document(self) -> bytes:
        if self.body is not None:
            return self.body
        keys = [
            {**RSAAlgorithm.to_jwk(pool_key(name).public_key(), as_dict=True), "kid": name}
            for name in self.names
        ]
        return json.dumps({"keys": [{"kty": "EC", "kid": "other"}, *keys]}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.close()


@pytest.fixture
def pool(key_server: KeyServer, settings: Any) -> KeyServer:
    """The application with a Cognito pool."""
    settings.COGNITO_JWKS_URL = key_server.url
    settings.COGNITO_USER_POOL_ID = POOL
    return key_server


def pool_token(key: str = "one", **claims: Any) -> str:
    """An access token of the pool; a claim of None is left out."""
    values = {
        "sub": "alice",
        "username": "alice",
        "token_use": "access",
        "client_id": "app",
        "iss": ISSUER,
        "exp": int(time.time()) + 3600,
        **claims,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    return jwt.encode(kept, pool_key(key), algorithm="RS256", headers={"kid": key})


def ask(api: API, token: str) -> Any:
    return api.get("/triggers", Authorization=f"Bearer {token}")


class TestHeader:
    def test_missing(self, nobody: API) -> None:
        response = nobody.get("/triggers")
        assert (response.status_code, response.json()["code"]) == (401, "MISSING_AUTHORIZATION")

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b", "Token x", "é"]
    )
    def test_format(self, nobody: API, header: str) -> None:
        response = nobody.get("/triggers", Authorization=header)
        assert (response.status_code, response.json()["code"]) == (
            401,
            "INVALID_AUTHORIZATION_FORMAT",
        )

    def test_scheme_in_any_case(self, alice: API) -> None:
        response = alice.get("/triggers", Authorization=f"bearer {alice.token}")
        assert response.status_code == 200

    @pytest.mark.parametrize(
        "token", ["x", "a.b.c", "é.é.é", "..", "x" * 20_000, f"{'W' * 6000}.{'W' * 10}.x"]
    )
    def test_garbage(self, nobody: API, token: str) -> None:
        response = ask(nobody, token)
        assert (response.status_code, response.json()["code"]) == (401, "INVALID_JWT")

    def test_deeply_nested_header(self, nobody: API) -> None:
        header = base64.urlsafe_b64encode(b"[" * 6000).rstrip(b"=").decode()
        assert ask(nobody, f"{header}.e30.x").status_code == 401

    def test_body_of_the_error(self, nobody: API) -> None:
        body = nobody.get("/triggers").json()
        assert (set(body), body["error"]) == (
            {"error", "message", "code", "timestamp", "requestId"},
            "Authentication Error",
        )

    def test_challenge(self, nobody: API) -> None:
        assert nobody.get("/triggers")["WWW-Authenticate"] == "Bearer"


class TestLocalTokens:
    def test_user_is_the_subject(self, nobody: API) -> None:
        token = issue("any user, 名前", lasting=timedelta(hours=1), now=datetime.now(UTC))
        assert ask(nobody, token).json()["metadata"]["userId"] == "any user, 名前"

    def test_expired(self, nobody: API) -> None:
        then = datetime.now(UTC) - timedelta(hours=2)
        response = ask(nobody, issue("alice", lasting=timedelta(hours=1), now=then))
        assert (response.json()["code"], "expired" in response.json()["message"]) == (
            "INVALID_JWT",
            True,
        )

    def test_just_expired_is_let_through(self, nobody: API) -> None:
        then = datetime.now(UTC) - timedelta(hours=1, seconds=10)
        assert ask(nobody, issue("alice", lasting=timedelta(hours=1), now=then)).status_code == 200

    def test_token_of_a_pool(self, nobody: API) -> None:
        assert ask(nobody, pool_token()).status_code == 401

    def test_unsigned(self, nobody: API) -> None:
        claims = {"sub": "alice", "iss": LOCAL_ISSUER, "exp": time.time() + 60}
        token = jwt.encode(
            {**claims, "token_use": "access"}, None, algorithm="none", headers={"kid": "local"}
        )
        assert ask(nobody, token).json()["code"] == "INVALID_JWT"

    def test_signed_with_the_public_key_as_a_secret(self, nobody: API) -> None:
        pem = local_public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        head, body = (
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in (
                {"alg": "HS256", "kid": "local"},
                {"sub": "alice", "iss": LOCAL_ISSUER, "exp": 9e9, "token_use": "access"},
            )
        )
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            head + b"." + body, pem
        )
        token = b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"=")))
        assert ask(nobody, token.decode()).json()["code"] == "INVALID_JWT"

    def test_command_prints_a_token_only(self, nobody: API) -> None:
        out = StringIO()
        call_command("issue_token", "alice", stdout=out)
        assert ask(nobody, out.getvalue().strip()).json()["metadata"]["userId"] == "alice"

    @pytest.mark.parametrize("arguments", [["a\0b"], ["x" * 129], [""], ["alice", "--hours=0"]])
    def test_command_refuses(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError):
            call_command("issue_token", *arguments)

    def test_command_with_a_pool(self, settings: Any) -> None:
        settings.COGNITO_USER_POOL_ID = POOL
        with pytest.raises(CommandError, match="COGNITO_USER_POOL_ID"):
            call_command("issue_token", "alice")


@pytest.mark.usefixtures("pool")
class TestPoolTokens:
    def test_access_token(self, nobody: API) -> None:
        assert ask(nobody, pool_token()).json()["metadata"]["userId"] == "alice"

    def test_id_token(self, nobody: API) -> None:
        token = pool_token(token_use="id", aud="app", client_id=None, username=None)
        assert ask(nobody, token).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"},
            {"iss": None},
            {"exp": 1},
            {"exp": None},
            {"exp": "soon"},
            {"token_use": "refresh"},
            {"token_use": None},
            {"sub": None},
            {"sub": ""},
            {"sub": 5},
            {"sub": "a\0b"},
            {"sub": "\ud800"},
            {"sub": "x" * 129},
            {"nbf": int(time.time()) + 3600},
            {"token_use": "id", "aud": None},
            {"token_use": "id", "aud": ""},
            {"token_use": "id", "aud": ["app"]},
        ],
    )
    def test_wrong_claims(self, nobody: API, claims: dict[str, Any]) -> None:
        response = ask(nobody, pool_token(**claims))
        assert (response.status_code, response.json()["code"]) == (401, "INVALID_JWT")

    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({"client_id": "app"}, 200),
            ({"client_id": "other"}, 401),
            ({"token_use": "id", "aud": "app", "client_id": "other"}, 200),
            ({"token_use": "id", "aud": "other", "client_id": "app"}, 401),
            ({"token_use": "id", "aud": ["app"]}, 401),
        ],
    )
    def test_client(self, nobody: API, settings: Any, claims: dict[str, Any], status: int) -> None:
        settings.COGNITO_APP_CLIENT_IDS = ["app", "another"]
        assert ask(nobody, pool_token(**claims)).status_code == status

    @pytest.mark.parametrize("subject", [None, "app"])
    def test_machine_user(self, nobody: API, subject: str | None) -> None:
        response = ask(nobody, pool_token(sub=subject, username=None))
        assert (response.status_code, response.json()["code"]) == (400, "MACHINE_USER")

    def test_local_token(self, nobody: API) -> None:
        token = issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
        assert ask(nobody, token).status_code == 401

    def test_forged(self, nobody: API) -> None:
        token = jwt.encode(
            {"sub": "alice"}, pool_key("two"), algorithm="RS256", headers={"kid": "one"}
        )
        assert ask(nobody, token).json()["code"] == "INVALID_JWT"

    def test_keys_are_fetched_once(self, nobody: API, pool: KeyServer) -> None:
        for _ in range(3):
            ask(nobody, pool_token())
        assert pool.requests == 1

    def test_rotated_key_is_no_reason_to_sign_out(self, nobody: API, pool: KeyServer) -> None:
        ask(nobody, pool_token())
        time.sleep(1.1)
        ask(nobody, pool_token("forged"))
        pool.names.append("two")
        time.sleep(1.1)
        response = ask(nobody, pool_token("two"))
        assert (response.status_code, 0 < int(response["Retry-After"]) <= 60) == (503, True)

    def test_keys_out_of_reach(self, nobody: API, pool: KeyServer) -> None:
        pool.status = 500
        response = ask(nobody, pool_token())
        assert (response.status_code, response.json()["error"]) == (503, "Authentication Error")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestRemoteKeys:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def keys(self, key_server: KeyServer, clock: Clock) -> RemoteKeys:
        return RemoteKeys(key_server.url, clock)

    def test_unknown_key_after_a_minute(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        key_server.names.append("two")
        clock.now += 61
        assert keys.get("two") is not None

    def test_unknown_key_within_a_minute(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        key_server.names.append("two")
        clock.now += 2
        assert (keys.get("two") is not None, key_server.requests) == (True, 2)

    def test_unknown_key_that_nobody_has_looked_for_lately(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        clock.now += 2
        keys.get("forged")
        key_server.names.append("two")
        clock.now += 2
        with pytest.raises(KeysUnavailableError) as error:
            keys.get("two")
        clock.now += error.value.retry_after
        assert (error.value.retry_after, keys.get("two") is not None) == (56, True)

    def test_unknown_keys_all_day_are_two_fetches_a_minute(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        for number in range(600):
            clock.now += 1
            with suppress(KeysUnavailableError):
                keys.get(f"unknown {number}")
        assert key_server.requests <= 21

    def test_many_unknown_keys_are_one_fetch(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        clock.now += 61
        for number in range(50):
            keys.get(f"unknown {number}")
        assert key_server.requests == 2

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"keys": [{"kty": "RSA"}]}'])
    def test_keys_are_kept_while_a_later_fetch_fails(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock, body: bytes
    ) -> None:
        keys.get("one")
        key_server.body = body
        clock.now += 7200
        assert keys.get("one") is not None

    def test_unknown_key_while_a_later_fetch_fails(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        key_server.status = 500
        clock.now += 61
        with pytest.raises(KeysUnavailableError):
            keys.get("two")

    def test_first_fetch_is_tried_again_soon(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        key_server.status = 500
        with pytest.raises(KeysUnavailableError):
            keys.get("one")
        key_server.status = 200
        clock.now += 6
        assert keys.get("one") is not None

    def test_withdrawn_key_goes_within_an_hour(
        self, keys: RemoteKeys, key_server: KeyServer, clock: Clock
    ) -> None:
        keys.get("one")
        key_server.names = ["two"]
        clock.now += 3601
        assert keys.get("one") is None

    def test_many_threads_are_one_fetch(self, keys: RemoteKeys, key_server: KeyServer) -> None:
        threads = [threading.Thread(target=keys.get, args=["one"]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert key_server.requests == 1


class TestSession:
    @pytest.fixture
    def sign_in(self, nobody: API) -> Callable[[Role], API]:
        def sign_in(role: Role) -> API:
            operator = Operator.objects.create_operator(
                "olga", password="long enough", role=role, subject="alice"
            )
            nobody.client.handler.enforce_csrf_checks = True
            nobody.client.force_login(operator, "moca.authentication.backends.OperatorBackend")
            nobody.client.get("/admin/login/")
            return nobody

        return sign_in

    def csrf(self, api: API) -> dict[str, str]:
        api.client.cookies["csrftoken"] = "a" * 32
        return {"X_CSRFToken": "a" * 32}

    def test_user_is_the_operators_subject(self, sign_in: Callable[[Role], API]) -> None:
        answer = sign_in(Role.EDITOR).get("/triggers").json()
        assert answer["metadata"]["userId"] == "alice"

    def test_change_with_a_csrf_token(self, sign_in: Callable[[Role], API]) -> None:
        api = sign_in(Role.EDITOR)
        assert api.post("/triggers", VALID, **self.csrf(api)).status_code == 201

    def test_change_without_a_csrf_token(self, sign_in: Callable[[Role], API]) -> None:
        response = sign_in(Role.EDITOR).post("/triggers", VALID)
        assert (response.status_code, response.json()["error"], Trigger.objects.count()) == (
            403,
            "Forbidden",
            0,
        )

    def test_viewer_may_look(self, sign_in: Callable[[Role], API]) -> None:
        assert sign_in(Role.VIEWER).get("/triggers").status_code == 200

    def test_viewer_may_not_change(self, sign_in: Callable[[Role], API]) -> None:
        api = sign_in(Role.VIEWER)
        assert api.post("/triggers", VALID, **self.csrf(api)).status_code == 403

    def test_inactive_operator(self, sign_in: Callable[[Role], API]) -> None:
        api = sign_in(Role.ADMIN)
        Operator.objects.update(is_active=False)
        assert api.get("/triggers").status_code == 401

    def test_bad_token_beside_a_session(self, sign_in: Callable[[Role], API]) -> None:
        api = sign_in(Role.ADMIN)
        assert api.get("/triggers", Authorization="Bearer x").status_code == 401
