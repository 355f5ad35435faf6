"""Operators who sign in by the pages of a user pool, which a server of our own stands for."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.http import HttpResponse
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from moca.authentication.models import AuditEntry, Operator, Role

POOL = "eu-west-1_AbC123xyz"
KEY = generate_private_key(public_exponent=65537, key_size=2048)
CLIENT, SECRET = "sign-in-client", "sign-in-secret"
HOME = "/admin/triggers/trigger/"


class Pool:
    """A pool's domain: it issues codes, and for each code, once, an ID token."""

    def __init__(self) -> None:
        self.status = 200
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                public = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
                self.answer(200, {"keys": [{**public, "kid": "one"}]})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                self.answer(*owner.exchange(form, self.headers["Authorization"] or ""))

            def answer(self, status: int, body: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def authorize(self, url: str, **claims: Any) -> str:
        """What the browser is sent back with, once somebody has signed in at the page."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        self.claims = {"sub": "alice-subject", "cognito:username": "alice", **claims}
        return f"?code={code}&state={asked['state']}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        ).rstrip(b"=")
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if self.status != 200:
            return self.status, {}
        if authorization != f"Basic {pair}":
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["code_challenge"] != challenge.decode()
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}",
            "aud": CLIENT,
            "token_use": "id",
            "exp": time.time() + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        token = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "one"})
        return 200, {"id_token": token, "access_token": "a", "token_type": "Bearer"}


@pytest.fixture
def pool(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Pool]:
    pool = Pool()
    # oauthlib's own switch, since the server here has no certificate.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    settings.COGNITO_USER_POOL_ID = POOL
    settings.COGNITO_DOMAIN = pool.url
    settings.COGNITO_JWKS_URL = f"{pool.url}/jwks.json"
    settings.COGNITO_SIGN_IN_CLIENT_ID = CLIENT
    settings.COGNITO_SIGN_IN_CLIENT_SECRET = SECRET
    yield pool
    pool.server.shutdown()
    pool.server.server_close()


SignIn = Callable[..., HttpResponse]


@pytest.fixture
def sign_in(pool: Pool, client: Client) -> SignIn:
    """Go to Cognito's page and come back from it as somebody with these claims."""

    def sign_in(next_page: str = "", **claims: Any) -> HttpResponse:
        begun = client.get("/sign-in/cognito", {"next": next_page} if next_page else {})
        back = pool.authorize(begun["Location"], **{"cognito:groups": ["editor"], **claims})
        return client.get(f"/sign-in/cognito/callback{back}")

    return sign_in


def test_login_page_offers_it(pool: Pool, client: Client) -> None:
    page = client.get("/admin/login/?next=/admin/executions/").content.decode()
    assert 'href="/sign-in/cognito?next=/admin/executions/"' in page


def test_login_page_does_not_where_it_is_off(client: Client, db: None) -> None:
    assert "Cognito" not in client.get("/admin/login/").content.decode()


def test_it_is_not_found_where_it_is_off(client: Client, db: None) -> None:
    assert client.get("/sign-in/cognito").status_code == 404


def test_operator_is_signed_in(sign_in: SignIn, client: Client) -> None:
    sign_in()
    assert client.get(HOME).status_code == 200


def test_operator_is_made(sign_in: SignIn) -> None:
    sign_in(email="alice@example.com")
    alice = Operator.objects.get(subject="alice-subject")
    assert (alice.username, alice.role) == ("alice@example.com", Role.EDITOR)


def test_operator_has_no_password(sign_in: SignIn) -> None:
    sign_in()
    assert not Operator.objects.get(subject="alice-subject").has_usable_password()


def test_name_of_another_operator_is_not_taken(sign_in: SignIn) -> None:
    Operator.objects.create_operator("alice", password="Correct-horse-7")
    sign_in()
    assert Operator.objects.get(subject="alice-subject").username == "alice-subject"


def test_highest_role_of_the_groups_counts(sign_in: SignIn) -> None:
    sign_in(**{"cognito:groups": ["viewer", "admin", "unknown"]})
    assert Operator.objects.get(subject="alice-subject").role == Role.ADMIN


def test_groups_are_named_by_a_setting(sign_in: SignIn, settings: Any) -> None:
    settings.COGNITO_ROLES = {"platform": "admin"}
    sign_in(**{"cognito:groups": ["platform"]})
    assert Operator.objects.get(subject="alice-subject").role == Role.ADMIN


def test_role_follows_the_pool(sign_in: SignIn) -> None:
    sign_in(**{"cognito:groups": ["admin"]})
    sign_in(**{"cognito:groups": ["viewer"]})
    assert Operator.objects.get(subject="alice-subject").role == Role.VIEWER


def test_change_of_role_is_on_record(sign_in: SignIn) -> None:
    sign_in(**{"cognito:groups": ["admin"]})
    sign_in(**{"cognito:groups": ["viewer"]})
    entry = AuditEntry.objects.filter(action="updated").get()
    assert (entry.actor, entry.changes["role"]) == ("Cognito", ["admin", "viewer"])


@pytest.mark.parametrize("groups", [[], ["strangers"], "admin", None])
def test_who_is_in_no_group_is_not_let_in(sign_in: SignIn, groups: Any) -> None:
    answer = sign_in(**{"cognito:groups": groups})
    assert (answer.status_code, Operator.objects.count()) == (403, 0)


def test_inactive_operator_is_not_let_in(sign_in: SignIn, client: Client) -> None:
    sign_in()
    Operator.objects.filter(subject="alice-subject").update(is_active=False)
    assert sign_in().status_code == 403


def test_service_account_is_not_let_in(sign_in: SignIn, client: Client) -> None:
    Operator.objects.create_operator("build", subject="alice-subject", is_service=True)
    assert sign_in().status_code == 403


def test_goes_where_the_operator_wanted_to(sign_in: SignIn) -> None:
    assert sign_in("/admin/executions/")["Location"] == "/admin/executions/"


@pytest.mark.parametrize("page", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_goes_nowhere_else(sign_in: SignIn, page: str) -> None:
    assert sign_in(page)["Location"] == "/"


def test_answer_is_taken_once(sign_in: SignIn, pool: Pool, client: Client) -> None:
    begun = client.get("/sign-in/cognito")
    back = pool.authorize(begun["Location"], **{"cognito:groups": ["editor"]})
    client.get(f"/sign-in/cognito/callback{back}")
    assert client.get(f"/sign-in/cognito/callback{back}").status_code == 400


def test_answer_to_another_browser_is_refused(pool: Pool, client: Client) -> None:
    begun = Client().get("/sign-in/cognito")
    back = pool.authorize(begun["Location"], **{"cognito:groups": ["admin"]})
    client.get("/sign-in/cognito")
    answer = client.get(f"/sign-in/cognito/callback{back}")
    assert (answer.status_code, Operator.objects.count()) == (400, 0)


def test_late_answer_is_refused(
    pool: Pool, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moca.authentication.cognito.PATIENCE_SECONDS", -1)
    back = pool.authorize(client.get("/sign-in/cognito")["Location"])
    assert client.get(f"/sign-in/cognito/callback{back}").status_code == 400


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"token_use": "access"},
        {"exp": 1},
        {"iss": "https://evil.example"},
        {"sub": ""},
    ],
    ids=str,
)
def test_token_that_is_not_for_this_sign_in_is_refused(sign_in: SignIn, claims: Any) -> None:
    answer = sign_in(**claims)
    assert (answer.status_code, Operator.objects.count()) == (400, 0)


def test_operator_who_gave_up_is_told(pool: Pool, client: Client) -> None:
    state = parse_qs(urlsplit(client.get("/sign-in/cognito")["Location"]).query)["state"][0]
    answer = client.get(f"/sign-in/cognito/callback?error=access_denied&state={state}")
    assert "given up or refused" in answer.content.decode()


def test_pool_out_of_reach_is_told(sign_in: SignIn, pool: Pool) -> None:
    pool.status = 503
    assert sign_in().status_code == 503


def test_wrong_secret_lets_nobody_in(sign_in: SignIn, settings: Any) -> None:
    settings.COGNITO_SIGN_IN_CLIENT_SECRET = "another"
    assert sign_in().status_code == 400


def test_nothing_secret_is_logged(
    sign_in: SignIn, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COGNITO_SIGN_IN_CLIENT_SECRET = "another-secret"
    sign_in()
    assert "code-0" not in caplog.text
    assert "another-secret" not in caplog.text


def test_sign_out_ends_the_session_of_cognito_too(
    sign_in: SignIn, client: Client, pool: Pool
) -> None:
    sign_in()
    answer = client.post("/admin/logout/")
    assert answer["Location"].startswith(f"{pool.url}/logout?client_id={CLIENT}&logout_uri=http")


def test_sign_out_ends_our_own_session(sign_in: SignIn, client: Client) -> None:
    sign_in()
    client.post("/admin/logout/")
    assert client.get(HOME).status_code == 302


def test_sign_out_of_others_stays_here(pool: Pool, client: Client) -> None:
    operator = Operator.objects.create_operator("ann", password="Correct-horse-7", role="admin")
    client.force_login(operator)
    assert client.post("/admin/logout/").status_code == 200
