"""Running a trigger by its fire token."""

import json
import logging
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from executions.models import TriggerExecution
from moca.authentication.api_keys import secret
from moca.authentication.models import AuditEntry
from tests.integration.api.conftest import API, VALID
from triggers import fire_tokens
from triggers.models import FireToken, Trigger


@pytest.fixture
def alice(db: None) -> API:
    return API("alice")


@pytest.fixture
def trigger(alice: API) -> str:
    return str(alice.create(overlapPolicy="allow")["id"])


@pytest.fixture
def token(alice: API, trigger: str) -> str:
    response = alice.post(f"/triggers/{trigger}/fire-token")
    assert response.status_code == 201, response.content
    return str(response.json()["secret"])


def fired(token: str, body: Any = None, **headers: str) -> Any:
    return API().post("/fire", {} if body is None else body, X_Fire_Token=token, **headers)


def test_a_token_runs_its_trigger(trigger: str, token: str) -> None:
    response = fired(token)
    run = TriggerExecution.objects.get(trigger_id=trigger)
    assert (response.status_code, response.json()["executionId"]) == (202, run.pk)


def test_the_run_is_shown_with_its_source(alice: API, trigger: str, token: str) -> None:
    path = f"/triggers/{trigger}/executions/{fired(token).json()['executionId']}"
    assert alice.get(path).json()["execution"]["source"] == "fire"


def test_the_answer_says_nothing_else(token: str) -> None:
    assert set(fired(token).json()) == {"executionId", "metadata"}


def test_the_body_is_the_detail_of_the_event(trigger: str, token: str) -> None:
    fired(token, {"order": 17})
    run = TriggerExecution.objects.get(trigger_id=trigger)
    event = json.loads(run.event_payload)
    assert (event["detail"], event["source"], event["id"]) == ({"order": 17}, "moca.fire", run.pk)


@pytest.mark.parametrize("place", ["path", "path with a slash", "bearer"])
def test_a_token_is_accepted_in(place: str, token: str) -> None:
    api = API()
    if place == "bearer":
        response = api.post("/fire", {}, Authorization=f"Bearer {token}")
    else:
        response = api.post(f"/fire/{token}{'/' if 'slash' in place else ''}", {})
    assert response.status_code == 202


def test_no_body_is_needed(token: str) -> None:
    assert API().post(f"/fire/{token}").status_code == 202


def test_a_repeat_with_its_key_begins_no_run(trigger: str, token: str) -> None:
    answers = [fired(token, {"a": 1}, Idempotency_Key="k").json()["executionId"] for _ in range(2)]
    runs = TriggerExecution.objects.filter(trigger_id=trigger).count()
    assert (len(set(answers)), runs) == (1, 1)


def test_a_key_is_for_one_body(token: str) -> None:
    fired(token, {"a": 1}, Idempotency_Key="k")
    assert fired(token, {"a": 2}, Idempotency_Key="k").status_code == 409


def test_a_rotated_token_is_refused(alice: API, trigger: str, token: str) -> None:
    new = alice.post(f"/triggers/{trigger}/fire-token").json()["secret"]
    assert [fired(each).status_code for each in (token, new)] == [401, 202]


def test_an_ended_token_is_refused(alice: API, trigger: str, token: str) -> None:
    alice("DELETE", f"/triggers/{trigger}/fire-token")
    assert fired(token).json()["code"] == "INVALID_FIRE_TOKEN"


def test_the_token_of_a_deleted_trigger_is_refused(alice: API, trigger: str, token: str) -> None:
    alice("DELETE", f"/triggers/{trigger}")
    assert fired(token).status_code == 401


def test_a_deleted_trigger_leaves_no_token(alice: API, trigger: str, token: str) -> None:
    alice("DELETE", f"/triggers/{trigger}")
    assert not FireToken.objects.filter(pk=secret.id_in("mocafire", token)).exists()


def test_a_path_with_two_slashes_is_served(token: str, client: Any) -> None:
    path = f"//fire/{token}"
    response = client.post("/", b"{}", content_type="application/json", PATH_INFO=path)
    assert response.status_code == 202


def test_a_disabled_trigger_is_not_fired(alice: API, trigger: str, token: str) -> None:
    alice.post(f"/triggers/{trigger}/disable")
    assert fired(token).status_code == 409


def test_a_large_body_is_refused(token: str) -> None:
    assert fired(token, {"a": "x" * 65_536}).status_code == 413


def test_each_token_has_a_rate(token: str) -> None:
    with override_settings(FIRE_RATE_LIMIT="2/min"):
        answers = [fired(token) for _ in range(3)]
    assert (answers[1].status_code, answers[2].status_code) == (202, 429)
    assert int(answers[2].headers["Retry-After"]) > 0


def test_wrong_tokens_are_limited(db: None) -> None:
    assert [fired("mocafire_x").status_code for _ in range(31)][-1] == 429


def test_each_wrong_token_takes_the_same_steps(
    alice: API, trigger: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def counted(name: str) -> Any:
        real = getattr(secret, name)

        def call(*args: Any) -> Any:
            steps.append(name)
            return real(*args)

        return call

    other = alice.post(f"/triggers/{alice.create()['id']}/fire-token").json()["secret"]
    wrong = [other[:-49] + token[-49:], secret.new_secret("mocafire").text, "x"]
    body = token[:-7] + ("a" if token[-7] != "a" else "b")
    wrong.append(body + secret._checksum(body))
    for name in ("hash_of", "is_same"):
        monkeypatch.setattr(secret, name, counted(name))
    found = set()
    for text in wrong:
        steps.clear()
        with CaptureQueriesContext(connection) as queries:
            answer = fired(text).json()
        found.add((tuple(steps), len(queries), answer["code"], answer["message"]))
    assert len(found) == 1


@pytest.mark.parametrize("end", ["", "x"])
def test_no_log_has_the_token(token: str, end: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for method in ("POST", "GET", "PUT"):
            API()(method, f"/fire/{token}{end}", {})
            API()(method, f"/fire/{token}{end}/more", {})
    texts = [caplog.text, *(str(vars(record)) for record in caplog.records)]
    assert not any(token[-40:-6] in text for text in texts)


def test_no_error_page_has_the_token(token: str) -> None:
    answer = API().client.get(f"/fire/{token}x", headers={"Accept": "text/html"})
    assert token.encode() not in answer.content


def test_the_last_use_is_shown(alice: API, trigger: str, token: str) -> None:
    fired(token)
    shown = alice.get(f"/triggers/{trigger}/fire-token").json()["fireToken"]
    assert shown["lastUsedAt"]


def test_others_cannot_make_a_token(trigger: str, db: None) -> None:
    assert API("bob").post(f"/triggers/{trigger}/fire-token").status_code == 404


def test_making_and_ending_are_audited(alice: API, trigger: str, token: str) -> None:
    row = fire_tokens.token_of(Trigger.objects.get(pk=trigger))
    assert row is not None
    alice.post(f"/triggers/{trigger}/fire-token")
    alice("DELETE", f"/triggers/{trigger}/fire-token")
    entries = AuditEntry.objects.filter(object_id=row.pk).values_list("action", flat=True)
    assert sorted(entries) == ["created", "deleted", "updated"]


def test_an_event_trigger_is_fired(alice: API) -> None:
    made = alice.post(
        "/triggers",
        {
            **VALID,
            "type": "event",
            "scheduleConfig": None,
            "eventConfig": {"eventPattern": {"source": ["a"]}},
            "prompt": "Order {{ event.detail.order }}",
        },
    ).json()["trigger"]
    token = alice.post(f"/triggers/{made['id']}/fire-token").json()["secret"]
    assert fired(token, {"order": 17}).status_code == 202
