"""What a token allows follows its row and its operator, whatever the token itself says."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import jwt
import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from moca.authentication import access
from moca.authentication.keys import LOCAL_KEY_ID, local_key
from moca.authentication.models import APIToken, AuditEntry, Operator, Role
from moca.authentication.tokens import LOCAL_ISSUER, issue
from tests.integration.api.conftest import API, VALID

TOKENS = "/admin/authentication/apitoken/"


@pytest.fixture
def olga(db: None) -> Operator:
    return Operator.objects.create_operator("olga", role=Role.EDITOR)


@pytest.fixture
def api(olga: Operator) -> API:
    """The API as olga's token has it, which has been used before."""
    api = API(olga.subject)
    assert api.get("/triggers").status_code == 200
    return api


def test_an_operator_may_change_triggers_by_token(api: API) -> None:
    assert api.post("/triggers", VALID).status_code == 201


def test_a_demoted_operator_may_only_look(api: API, olga: Operator) -> None:
    olga.role = Role.VIEWER
    olga.save()
    assert [api.get("/triggers").status_code, api.post("/triggers", VALID).status_code] == [
        200,
        403,
    ]


def test_a_disabled_operator_is_refused(api: API, olga: Operator) -> None:
    olga.is_active = False
    olga.save()
    assert api.get("/triggers").json()["code"] == "INVALID_JWT"


def test_a_deleted_operator_is_refused(api: API, olga: Operator) -> None:
    olga.delete()
    assert api.get("/triggers").status_code == 401


def test_a_viewer_of_the_pages_is_a_viewer_by_token(db: None) -> None:
    viewer = Operator.objects.create_operator("vera", role=Role.VIEWER)
    assert API(viewer.subject).post("/triggers", VALID).status_code == 403


def test_a_change_by_another_process_is_noticed(
    api: API, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An update in the database sends no signal to this process.
    Operator.objects.filter(pk=olga.pk).update(is_active=False)
    cache.clear()
    assert (api.get("/triggers").status_code, access.STATE_SECONDS <= 15) == (401, True)


def test_only_the_first_request_of_a_while_looks_the_caller_up(
    alice: API, django_assert_num_queries: Any
) -> None:
    cache.clear()
    with django_assert_num_queries(3):
        alice.get("/triggers/0198c0de-0000-7000-8000-000000000001")
    with django_assert_num_queries(1):
        alice.get("/triggers/0198c0de-0000-7000-8000-000000000001")


def test_a_token_of_before_without_an_id_is_refused(nobody: API) -> None:
    claims = {
        "sub": "alice",
        "username": "alice",
        "token_use": "access",
        "iss": LOCAL_ISSUER,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    token = jwt.encode(claims, local_key(), algorithm="RS256", headers={"kid": LOCAL_KEY_ID})
    answer = nobody.get("/triggers", Authorization=f"Bearer {token}").json()
    assert "issue_token" in answer["message"]


def test_the_row_of_another_users_token_does_not_help(nobody: API) -> None:
    issue("bob", lasting=timedelta(hours=1), now=datetime.now(UTC))
    token_id = APIToken.objects.get(user_id="bob").pk
    claims = {
        "jti": token_id,
        "sub": "alice",
        "username": "alice",
        "token_use": "access",
        "iss": LOCAL_ISSUER,
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    token = jwt.encode(claims, local_key(), algorithm="RS256", headers={"kid": LOCAL_KEY_ID})
    assert nobody.get("/triggers", Authorization=f"Bearer {token}").status_code == 401


class TestCommands:
    def test_a_revoked_token_is_refused(self, alice: API) -> None:
        alice.get("/triggers")
        call_command("revoke_token", APIToken.objects.get().pk, stdout=StringIO())
        assert "revoked" in alice.get("/triggers").json()["message"]

    def test_revoking_is_on_record(self, alice: API) -> None:
        call_command("revoke_token", APIToken.objects.get().pk, stdout=StringIO())
        assert AuditEntry.objects.get(action="deleted").actor == "revoke_token"

    def test_an_unknown_id_revokes_nothing(self, alice: API) -> None:
        with pytest.raises(CommandError, match="list_tokens"):
            call_command("revoke_token", APIToken.objects.get().pk, "unknown")
        assert APIToken.objects.count() == 1

    def test_tokens_are_listed(self, alice: API) -> None:
        out = StringIO()
        call_command("list_tokens", stdout=out)
        assert (APIToken.objects.get().pk in out.getvalue(), alice.token in out.getvalue()) == (
            True,
            False,
        )

    def test_an_operators_name_stands_for_the_operator(self, nobody: API, olga: Operator) -> None:
        out = StringIO()
        call_command("issue_token", "olga", stdout=out)
        answer = nobody.get("/triggers", Authorization=f"Bearer {out.getvalue().strip()}")
        assert answer.json()["metadata"]["userId"] == olga.subject


class TestPages:
    @pytest.fixture
    def page(self, db: None) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(Operator.objects.create_operator("ada", role=Role.ADMIN))
        return client

    def revoke(self, client: Client) -> Any:
        data = {"action": "revoke", "_selected_action": APIToken.objects.get().pk}
        return client.post(TOKENS, data)

    def test_an_admin_sees_tokens(self, page: Client, alice: API) -> None:
        assert "alice" in page.get(TOKENS).content.decode()

    def test_an_admin_revokes_a_token(self, page: Client, alice: API) -> None:
        self.revoke(page)
        assert alice.get("/triggers").status_code == 401

    def test_an_editor_does_neither(self, alice: API, olga: Operator) -> None:
        client = Client(headers={"host": "localhost"})
        client.force_login(olga)
        self.revoke(client)
        assert (client.get(TOKENS).status_code, APIToken.objects.count()) == (403, 1)
