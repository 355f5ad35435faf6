"""Making, using and revoking API keys."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.test.utils import CaptureQueriesContext

from moca.authentication.api_keys import secret, services
from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import AuditEntry, Operator, Role
from moca.copying import store, values_of
from tests.integration.api.conftest import API, VALID
from tests.integration.api_keys.conftest import api_with, make_key
from triggers import fire_tokens
from triggers.models import Trigger


@pytest.fixture
def alice(db: None) -> API:
    return API("alice")


def made(api: API, **fields: Any) -> dict[str, Any]:
    response = api.post("/keys", {"name": "Build", "scopes": ["read", "write"], **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_a_made_key_creates_a_trigger_of_its_owner(alice: API) -> None:
    api = api_with(made(alice)["secret"])
    assert api.create()["userId"] == "alice"


def test_x_api_key_signs_in(alice: API) -> None:
    response = API().get("/triggers", X_API_Key=made(alice)["secret"])
    assert response.status_code == 200


def test_a_body_with_x_api_key_is_read(alice: API) -> None:
    response = API().post("/triggers", VALID, X_API_Key=made(alice)["secret"])
    assert response.status_code == 201


def test_the_key_is_not_shown_again(alice: API) -> None:
    answer = made(alice)
    shown = alice.get("/keys").content + alice.get(f"/keys/{answer['key']['id']}").content
    assert answer["secret"][-49:].encode() not in shown


def test_a_new_key_ends_in_ninety_days(alice: API) -> None:
    end = datetime.fromisoformat(made(alice)["key"]["expiresAt"])
    assert abs(end - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)


def test_null_makes_a_key_without_an_end(alice: API) -> None:
    assert "expiresAt" not in made(alice, expiresAt=None)["key"]


def test_a_time_in_the_past_is_no_end(alice: API) -> None:
    response = alice.post(
        "/keys", {"name": "B", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}
    )
    assert response.json()["details"][0]["field"] == "expiresAt"


def test_a_revoked_key_is_refused_at_once(alice: API) -> None:
    answer = made(alice)
    api = api_with(answer["secret"])
    assert api.get("/triggers").status_code == 200
    alice("DELETE", f"/keys/{answer['key']['id']}")
    assert api.get("/triggers").json()["code"] == "INVALID_API_KEY"


def test_others_see_no_key_of_mine(alice: API) -> None:
    assert API("bob").get(f"/keys/{made(alice)['key']['id']}").status_code == 404


def test_admins_revoke_the_keys_of_others(alice: API, root: Operator) -> None:
    api = api_with(made(alice)["secret"])
    (listed,) = API("root").get("/keys?all=true").json()["keys"]
    API("root")("DELETE", f"/keys/{listed['id']}")
    assert api.get("/triggers").status_code == 401


def test_a_viewer_makes_a_key_to_read_and_no_more(db: None) -> None:
    Operator.objects.create_operator("vera", role=Role.VIEWER, subject="vera")
    response = API("vera").post("/keys", {"name": "B", "scopes": ["read", "write"]})
    assert response.json()["details"][0]["field"] == "scopes"


def test_a_key_loses_what_its_owner_loses(db: None) -> None:
    owner = Operator.objects.create_operator("ed", role=Role.EDITOR, subject="ed")
    api = api_with(make_key("ed")[1])
    assert api.post("/triggers", VALID).status_code == 201
    owner.role = Role.VIEWER
    owner.save()
    assert api.post("/triggers", VALID).status_code == 403


def test_a_key_is_refused_once_its_operator_is_inactive(db: None) -> None:
    owner = Operator.objects.create_operator("ed", role=Role.EDITOR, subject="ed")
    api = api_with(make_key("ed")[1])
    owner.is_active = False
    owner.save()
    assert api.get("/triggers").status_code == 401


def test_the_audit_log_names_the_key(with_key: Callable[..., API]) -> None:
    trigger = with_key(name="Deploy").create()
    entry = AuditEntry.objects.get(object_id=trigger["id"])
    assert (entry.actor, entry.api_key.split()[0]) == ("alice", "Deploy")


def test_a_run_by_a_key_is_audited_with_the_key(with_key: Callable[..., API]) -> None:
    api = with_key(name="Deploy")
    trigger = api.create()
    api.post(f"/triggers/{trigger['id']}/run")
    runs = AuditEntry.objects.filter(object_id=trigger["id"], action="run")
    assert [entry.api_key.split()[0] for entry in runs] == ["Deploy"]


def test_making_changing_and_revoking_are_audited(alice: API) -> None:
    key = made(alice)["key"]["id"]
    alice.patch(f"/keys/{key}", {"name": "Other"})
    alice("DELETE", f"/keys/{key}")
    actions = AuditEntry.objects.filter(object_id=key).values_list("action", flat=True)
    assert sorted(actions) == ["created", "deleted", "updated"]


def test_the_last_use_is_written_once_in_some_minutes(alice: API) -> None:
    api = api_with(made(alice)["secret"])
    api.get("/triggers")
    first = APIKey.objects.get().last_used_at
    # As in another process.
    cache.clear()
    api.get("/triggers")
    assert first == APIKey.objects.get().last_used_at is not None


def test_too_many_wrong_keys_are_refused_with_429(db: None) -> None:
    answers = [api_with("moca_wrong").get("/triggers").status_code for _ in range(31)]
    assert (answers[0], answers[-1]) == (401, 429)


def test_a_malformed_x_api_key_is_refused_like_an_unknown_one(db: None) -> None:
    assert API().get("/triggers", X_API_Key="x").json()["code"] == "INVALID_API_KEY"


def _wrong_keys() -> dict[str, str]:
    """Keys that are wrong in one way each."""
    key, text = make_key()
    revoked, gone = make_key()
    services.revoke(revoked, by="alice")
    body = text[:-7] + ("a" if text[-7] != "a" else "b")
    return {
        "malformed": "moca_x",
        "wrong checksum": text[:-1] + ("a" if text[-1] != "a" else "b"),
        "wrong secret": body + secret._checksum(body),
        "unknown id": secret.new_secret("moca").text,
        "revoked": gone,
        "the hash": key.secret_hash,
    }


def test_each_wrong_key_takes_the_same_steps(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []

    def counting(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            steps.append(name)
            return function(*args)

        return call

    wrong = _wrong_keys()
    del wrong["the hash"]
    for name in ("hash_of", "is_same"):
        monkeypatch.setattr(secret, name, counting(getattr(secret, name), name))
    found = {}
    for kind, text in wrong.items():
        steps.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = api_with(text).get("/triggers").json()
        found[kind] = (tuple(steps), len(queries), answer["code"], answer["message"])
    assert len(set(found.values())) == 1, found


def _texts_in(value: Any) -> Iterator[str]:
    """All texts in a value of a row."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts_in(each)
    else:
        yield str(value)


def stored_texts() -> set[str]:
    """All texts in all tables, which could be sent as a secret."""
    found: set[str] = set()
    for _model, rows in store("default").pages():
        for row in rows:
            found |= set(_texts_in(json.loads(json.dumps(values_of(row), cls=DjangoJSONEncoder))))
    return {text for text in found if text.strip() and text.isascii() and text.isprintable()}


def test_a_leaked_database_opens_no_door(alice: API) -> None:
    made(alice)
    make_key("alice", is_agent=True, scopes=["read"])
    trigger = Trigger.objects.get(pk=alice.create()["id"])
    fire_tokens.make(trigger, by="alice")
    token = fire_tokens.token_of(trigger)
    assert token is not None
    texts = stored_texts() | {f"moca_{k.pk}_{k.secret_hash}" for k in APIKey.objects.all()}
    texts |= {f"mocafire_{token.pk}_{token.secret_hash}"}
    answers = set()
    for text in texts:
        # The limit of wrong keys must not be the reason.
        cache.clear()
        answers |= {API().get("/triggers", X_API_Key=text).status_code}
        answers |= {api_with(text).get("/triggers").status_code}
        answers |= {API().post("/fire", {}, X_Fire_Token=text).status_code}
    assert answers == {401}


def test_no_log_has_a_key(alice: API, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        text = made(alice)["secret"]
        api_with(text).get("/triggers")
        api_with(text[:-1]).get("/triggers")
        API().get("/nothing", X_API_Key=text)
    assert text[-30:-1] not in caplog.text


def test_a_key_makes_no_keys(with_key: Callable[..., API]) -> None:
    assert with_key().post("/keys", {"name": "B", "scopes": ["read"]}).status_code == 403


def test_a_person_is_no_service_account(root: Operator, db: None) -> None:
    body = {"name": "B", "scopes": ["read"], "userId": "alice"}
    assert API("root").post("/keys", body).json()["details"][0]["field"] == "userId"


def test_a_service_account_owns_triggers_by_its_key(root: Operator, robot: Operator) -> None:
    body = {"name": "B", "scopes": ["read", "write"], "userId": "robot"}
    text = API("root").post("/keys", body).json()["secret"]
    assert api_with(text).create()["userId"] == "robot"


def test_editors_make_no_key_of_a_service_account(robot: Operator) -> None:
    body = {"name": "B", "scopes": ["read"], "userId": "robot"}
    assert API("alice").post("/keys", body).status_code == 403


def test_a_service_account_cannot_sign_in(robot: Operator, client: Any) -> None:
    robot.set_password("a long password 123")
    robot.save()
    assert not client.login(username="robot", password="a long password 123")


def test_a_session_of_a_service_account_is_nobodys(robot: Operator, client: Any) -> None:
    client.force_login(robot, backend="moca.authentication.backends.OperatorBackend")
    assert client.get("/triggers").status_code == 401


def test_an_inactive_account_gets_no_key(root: Operator, robot: Operator) -> None:
    robot.is_active = False
    robot.save()
    body = {"name": "B", "scopes": ["read"], "userId": "robot"}
    assert API("root").post("/keys", body).json()["details"][0]["field"] == "userId"


def test_the_key_of_an_inactive_account_does_not_change(root: Operator, robot: Operator) -> None:
    key, _text = make_key("robot", scopes=["read"])
    robot.is_active = False
    robot.save()
    assert API("root").patch(f"/keys/{key.pk}", {"name": "C"}).status_code == 400


def test_the_key_of_an_inactive_account_can_be_revoked(root: Operator, robot: Operator) -> None:
    key, _text = make_key("robot", scopes=["read"])
    robot.is_active = False
    robot.save()
    API("root")("DELETE", f"/keys/{key.pk}")
    assert not APIKey.objects.exists()


def test_a_key_ends_within_some_years(alice: API) -> None:
    body = {"name": "B", "scopes": ["read"], "expiresAt": "9999-12-31T23:59:59Z"}
    assert alice.post("/keys", body).json()["details"][0]["field"] == "expiresAt"
