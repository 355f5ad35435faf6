"""POST /triggers."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from moca.authentication.models import AuditEntry
from tests.integration.api.conftest import API, DAILY, VALID
from triggers.models import IdempotencyKey, LocalSchedule, Trigger

EVENT = {**VALID, "type": "event", "scheduleConfig": None, "eventConfig": {"eventSourceId": "s3"}}


def test_answers_201(alice: API) -> None:
    assert alice.post("/triggers", VALID).status_code == 201


def test_returns_the_trigger_in_the_form_of_the_contract(alice: API) -> None:
    assert set(alice.create()) == {
        "id", "userId", "name", "type", "enabled", "agentId", "prompt", "scheduleConfig",
        "createdAt", "updatedAt", "timeoutSeconds", "overlapPolicy", "maxRetries", "nextRuns",
        "answerWithinHours", "onDeadline", "includeContext", "scheduleDescription", "syncState",
        "consecutiveFailures", "version", "catchUp",
    }  # fmt: skip


@pytest.mark.parametrize(
    "braces",
    [
        """{{ event.detail['customer's note'] }}""",
        "{{ event.detail | upper }}",
        "{{ event.detail[-1] }}",
        "{{ evnt.detail }}",
        "{{ event.detail",
        "{{ event.detail[\u201ccard\u201d] }}",
    ],
)
def test_prompt_that_is_understood_in_part_is_refused(alice: API, braces: str) -> None:
    answer = alice.post("/triggers", {**VALID, "prompt": f"Look at {braces}"})
    (told,) = answer.json()["details"]
    assert (answer.status_code, told["field"], told["message"].startswith(f"{braces} names")) == (
        400,
        "prompt",
        True,
    )


@pytest.mark.parametrize(
    "prompt",
    [
        """{{ event.detail["customer's note"] }}""",
        r"Fill in \{{ name }} for 100 % of them",
        '{"a": {"b": {}}}',
    ],
)
def test_prompt_that_is_understood_is_saved(alice: API, prompt: str) -> None:
    assert alice.create(prompt=prompt)["prompt"] == prompt


def test_prompt_of_old_stays_while_the_rest_is_changed(alice: API) -> None:
    trigger_id = alice.create()["id"]
    Trigger.objects.filter(user_id="alice", pk=trigger_id).update(prompt="{{ event.detail | up }}")
    assert alice.patch(f"/triggers/{trigger_id}", {"name": "Other"}).status_code == 200


def test_belongs_to_the_caller(alice: API) -> None:
    assert alice.create(userId="bob")["userId"] == "alice"


def test_is_enabled_unless_told_otherwise(alice: API) -> None:
    assert alice.create()["enabled"] is True


def test_can_be_made_disabled(alice: API) -> None:
    assert alice.create(enabled=False)["enabled"] is False


def test_a_disabled_trigger_has_no_next_runs(alice: API) -> None:
    assert "nextRuns" not in alice.create(enabled=False)


def test_tells_the_next_three_runs(alice: API) -> None:
    runs = alice.create()["nextRuns"]
    assert [run[10:] for run in runs] == ["T09:00:00.000Z"] * 3


def test_times_have_milliseconds_and_z(alice: API) -> None:
    created_at = alice.create()["createdAt"]
    assert len(created_at) == len("2027-01-31T09:00:00.000Z")
    assert created_at.endswith("Z")


def test_id_is_a_uuid_of_version_7(alice: API) -> None:
    assert alice.create()["id"][14] == "7"


def test_expression_is_kept_as_it_was_written(alice: API) -> None:
    config = {"expression": " 0 9 * * ? * ", "timezone": "Asia/Tokyo"}
    assert alice.create(scheduleConfig=config)["scheduleConfig"] == config


def test_schedule_is_described(alice: API) -> None:
    assert "09:00" in alice.create()["scheduleDescription"]


def test_everything_that_can_be_set_comes_back(alice: API) -> None:
    fields = {
        "description": "Each morning.",
        "sessionId": "s" * 33,
        "modelId": "model",
        "reasoningEffort": "high",
        "workingDirectory": "/srv",
        "enabledTools": ["browser"],
        "timeoutSeconds": 60,
        "overlapPolicy": "allow",
        "catchUp": "last",
        "maxRetries": 0,
        "answerWithinHours": 8760,
        "beginWithinMinutes": 30,
        "runWithinSeconds": 45,
        "onDeadline": "cancel",
        "pauseAfterFailures": 3,
        "outputChecks": {"notEmpty": True, "contains": ["Total"], "jsonSchema": {"type": "object"}},
        "tags": ["daily"],
        "scheduleConfig": {
            **DAILY,
            "timezone": "Asia/Tokyo",
            "startDate": "2026-01-01T00:00:00Z",
            "endDate": "2099-01-01T00:00:00Z",
            "flexibleTimeWindowMinutes": 5,
        },
    }
    made = alice.create(**fields)
    assert {name: made[name] for name in fields} == fields


def test_no_tools_differs_from_the_agents_own(alice: API) -> None:
    assert alice.create(enabledTools=[])["enabledTools"] == []


def test_event_trigger(alice: API) -> None:
    assert alice.post("/triggers", EVENT).json()["trigger"]["eventConfig"] == EVENT["eventConfig"]


def test_event_trigger_has_no_schedule(alice: API) -> None:
    alice.post("/triggers", EVENT)
    assert not LocalSchedule.objects.exists()


def test_unknown_parts_of_a_schedule_are_not_stored(alice: API) -> None:
    config = {**DAILY, "schedulerArn": "arn:undefined", "color": "red"}
    assert alice.create(scheduleConfig=config)["scheduleConfig"] == DAILY


def test_makes_the_schedule(alice: API) -> None:
    assert LocalSchedule.objects.get(pk=alice.create()["id"]).next_run_at is not None


def test_is_on_record(alice: API) -> None:
    made = alice.create()
    entry = AuditEntry.objects.get(object_id=made["id"])
    assert (entry.actor, entry.action) == ("alice", "created")


def test_null_is_as_if_left_out(alice: API) -> None:
    assert "description" not in alice.create(description=None, sessionId=None, tags=None)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "invalid"),
    ({"name": "  "}, "name", "invalid"),
    ({"name": "n" * 201}, "name", "max_length"),
    ({"name": 5}, "name", "invalid"),
    ({"name": "a\r\nb"}, "name", "one_line"),
    ({"agentId": "a\nb"}, "agentId", "one_line"),
    ({"modelId": "a\rb"}, "modelId", "one_line"),
    ({"workingDirectory": "/a\u2028b"}, "workingDirectory", "one_line"),
    ({"enabledTools": ["a\nb"]}, "enabledTools", "names"),
    ({"name": None}, "name", "null"),
    ({"name": "a\0b"}, "name", "invalid"),
    ({"description": "d" * 2001}, "description", "max_length"),
    ({"type": "hourly"}, "type", "invalid"),
    ({"reasoningEffort": "medium"}, "reasoningEffort", "invalid"),
    ({"reasoningEffort": ""}, "reasoningEffort", "invalid"),
    ({"type": ["schedule"]}, "type", "invalid"),
    ({"enabled": "yes"}, "enabled", "invalid"),
    ({"enabled": None}, "enabled", "null"),
    ({"agentId": ""}, "agentId", "invalid"),
    ({"prompt": ""}, "prompt", "invalid"),
    ({"prompt": "p" * 50_001}, "prompt", "max_length"),
    ({"sessionId": "s" * 32}, "sessionId", "min_length"),
    ({"sessionId": "s" * 257}, "sessionId", "max_length"),
    ({"enabledTools": "browser"}, "enabledTools", "invalid"),
    ({"enabledTools": ["t"] * 51}, "enabledTools", "names"),
    ({"enabledTools": ["t" * 129]}, "enabledTools", "names"),
    ({"enabledTools": [5]}, "enabledTools", "names"),
    ({"timeoutSeconds": 9}, "timeoutSeconds", "min_value"),
    ({"timeoutSeconds": 10**30}, "timeoutSeconds", "max_value"),
    ({"timeoutSeconds": True}, "timeoutSeconds", "invalid"),
    ({"timeoutSeconds": 60.5}, "timeoutSeconds", "invalid"),
    ({"overlapPolicy": "queue"}, "overlapPolicy", "invalid"),
    ({"maxRetries": -1}, "maxRetries", "min_value"),
    ({"answerWithinHours": 8761}, "answerWithinHours", "max_value"),
    ({"beginWithinMinutes": 1441}, "beginWithinMinutes", "max_value"),
    ({"runWithinSeconds": 9}, "runWithinSeconds", "min_value"),
    ({"onDeadline": "stop"}, "onDeadline", "invalid"),
    ({"pauseAfterFailures": 0}, "pauseAfterFailures", "min_value"),
    ({"tags": ["a", "a"]}, "tags", "names"),
    ({"tags": [{"a": 1}]}, "tags", "names"),
    ({"scheduleConfig": None}, "scheduleConfig.expression", "required"),
    ({"scheduleConfig": "daily"}, "scheduleConfig", "invalid"),
    ({"scheduleConfig": {"expression": ""}}, "scheduleConfig.expression", "required"),
    ({"scheduleConfig": {"expression": 5}}, "scheduleConfig.expression", "invalid"),
    ({"scheduleConfig": {"expression": "0 9 * *"}}, "scheduleConfig.expression", "expression"),
    (
        {"scheduleConfig": {"expression": "at(2020-01-01T00:00:00)"}},
        "scheduleConfig.expression",
        "never",
    ),
    ({"scheduleConfig": {**DAILY, "timezone": "Tokio"}}, "scheduleConfig.timezone", "timezone"),
    ({"scheduleConfig": {**DAILY, "startDate": "soon"}}, "scheduleConfig.startDate", "invalid"),
    (
        {"scheduleConfig": {**DAILY, "flexibleTimeWindowMinutes": 1441}},
        "scheduleConfig.flexibleTimeWindowMinutes",
        "invalid",
    ),
    ({"type": "event"}, "eventConfig.eventSourceId", "required"),
    (
        {"type": "event", "eventConfig": {"eventPattern": []}},
        "eventConfig.eventPattern",
        "invalid",
    ),
]


@pytest.mark.parametrize(("fields", "field", "code"), WRONG)
def test_what_is_wrong_is_told_by_field(
    alice: API, fields: dict[str, Any], field: str, code: str
) -> None:
    response = alice.post("/triggers", {**VALID, **fields})
    details = response.json()["details"]
    assert [(one["field"], one["code"]) for one in details] == [(field, code)]


@pytest.mark.parametrize("field", ["name", "type", "agentId", "prompt"])
def test_needed_fields(alice: API, field: str) -> None:
    response = alice.post("/triggers", {key: VALID[key] for key in VALID if key != field})
    assert (response.status_code, response.json()["details"][0]["field"]) == (400, field)


def test_message_names_the_first_field(alice: API) -> None:
    response = alice.post("/triggers", {**VALID, "name": 5, "prompt": ""})
    assert response.json()["message"] == "name: Give a text."


def test_all_that_is_wrong_is_told_at_once(alice: API) -> None:
    body = {"type": "schedule", "prompt": "p" * 50_001, "scheduleConfig": {"expression": "x"}}
    details = alice.post("/triggers", body).json()["details"]
    assert [one["field"] for one in details] == [
        "name",
        "agentId",
        "prompt",
        "scheduleConfig.expression",
    ]


def test_suggestion_is_told(alice: API) -> None:
    config = {**DAILY, "timezone": "Tokyo"}
    response = alice.post("/triggers", {**VALID, "scheduleConfig": config})
    assert response.json()["details"][0]["suggestion"] == "Asia/Tokyo"


def test_all_readings_are_told(alice: API) -> None:
    config = {**DAILY, "expression": "0 0 9 * * *", "timezone": "UTC"}
    (told,) = alice.post("/triggers", {**VALID, "scheduleConfig": config}).json()["details"]
    assert [each["description"] for each in told["suggestions"]] == [
        "At 00:00 on the 9th of the month",
        "At 09:00 every day",
    ]


def test_a_moment_is_converted_into_the_zone(alice: API) -> None:
    config = {"expression": "at(2099-01-01T09:00:00Z)", "timezone": "Asia/Tokyo"}
    (told,) = alice.post("/triggers", {**VALID, "scheduleConfig": config}).json()["details"]
    assert told["suggestion"] == "at(2099-01-01T18:00:00)"


def test_no_trigger_where_something_is_wrong(alice: API) -> None:
    alice.post("/triggers", {**VALID, "name": ""})
    assert not Trigger.objects.exists()


def test_quota(alice: API, settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    alice.create()
    response = alice.post("/triggers", VALID)
    assert (response.status_code, response.json()["details"][0]["code"]) == (400, "quota")


def test_quota_is_each_users_own(alice: API, bob: API, settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    alice.create()
    assert bob.post("/triggers", VALID).status_code == 201


# Alice's Idempotency-Key "k" as it is stored.
KEY = hashlib.sha256(json.dumps(["alice", "k"]).encode()).hexdigest()


class TestIdempotencyKey:
    def test_same_request_makes_one_trigger(self, alice: API) -> None:
        made = [alice.post("/triggers", VALID, Idempotency_Key="k") for _ in range(2)]
        assert made[0].json()["trigger"]["id"] == made[1].json()["trigger"]["id"]

    def test_second_answer_is_201_too(self, alice: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        assert alice.post("/triggers", VALID, Idempotency_Key="k").status_code == 201

    def test_order_of_keys_does_not_matter(self, alice: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        turned = dict(reversed(VALID.items()))
        assert alice.post("/triggers", turned, Idempotency_Key="k").status_code == 201

    def test_other_request_is_a_conflict(self, alice: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        other = {**VALID, "name": "Other"}
        assert alice.post("/triggers", other, Idempotency_Key="k").status_code == 409

    def test_other_users_key_is_another(self, alice: API, bob: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        made = bob.post("/triggers", VALID, Idempotency_Key="k").json()["trigger"]
        assert made["userId"] == "bob"

    def test_deleted_trigger_is_a_conflict(self, alice: API) -> None:
        made = alice.post("/triggers", VALID, Idempotency_Key="k").json()["trigger"]
        alice("DELETE", f"/triggers/{made['id']}")
        assert alice.post("/triggers", VALID, Idempotency_Key="k").status_code == 409

    def test_refused_request_leaves_the_key_free(self, alice: API) -> None:
        alice.post("/triggers", {**VALID, "name": ""}, Idempotency_Key="k")
        assert alice.post("/triggers", VALID, Idempotency_Key="k").status_code == 201

    def test_is_kept_for_a_day(self, alice: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        until = timezone.now() + timedelta(hours=24)
        assert abs(IdempotencyKey.objects.get(pk=KEY).ttl - until.timestamp()) < 60

    def test_expired_key_is_as_new(self, alice: API) -> None:
        first = alice.post("/triggers", VALID, Idempotency_Key="k").json()["trigger"]
        IdempotencyKey.objects.filter(pk=KEY).update(ttl=1)
        second = alice.post("/triggers", VALID, Idempotency_Key="k").json()["trigger"]
        third = alice.post("/triggers", VALID, Idempotency_Key="k").json()["trigger"]
        assert (first["id"] != second["id"], second["id"] == third["id"]) == (True, True)

    def test_too_long(self, alice: API) -> None:
        response = alice.post("/triggers", VALID, Idempotency_Key="k" * 256)
        assert response.json()["error"] == "Invalid Parameter"


@pytest.mark.parametrize(
    "junk",
    [
        {"type": "event", "eventConfig": {"eventSourceId": "s"}, "scheduleConfig": {"timezone": 5}},
        {
            "type": "event",
            "eventConfig": {"eventSourceId": "s"},
            "scheduleConfig": {"expression": {}},
        },
        {"eventConfig": {"eventPattern": "x"}},
        {"sessionId": "é" * 33},
    ],
)
def test_junk_beside_what_counts_is_refused(alice: API, junk: dict[str, Any]) -> None:
    assert alice.post("/triggers", {**VALID, **junk}).status_code == 400


class TestIncludeContext:
    def test_is_on_for_a_new_trigger(self, alice: API) -> None:
        assert alice.create()["includeContext"] is True

    def test_can_be_switched_off_and_stays_so(self, alice: API) -> None:
        made = alice.create(includeContext=False)
        path = f"/triggers/{made['id']}"
        changed = alice.patch(path, {"name": "n"}).json()["trigger"]
        assert (made["includeContext"], changed["includeContext"]) == (False, False)
        back = alice.patch(path, {"includeContext": True}).json()["trigger"]
        assert (back["includeContext"], Trigger.objects.get().include_context) == (True, True)

    @pytest.mark.parametrize("value", [None, "no", 0, []])
    def test_is_true_or_false(self, alice: API, value: Any) -> None:
        response = alice.post("/triggers", {**VALID, "includeContext": value})
        assert [one["field"] for one in response.json()["details"]] == ["includeContext"]


@pytest.mark.parametrize(
    ("body", "field", "meant"),
    [
        ({"timeout_seconds": 60}, "timeout_seconds", "timeoutSeconds"),
        ({"prompts": "x"}, "prompts", "prompt"),
        (
            {"scheduleConfig": {"expression": "rate(1 hour)", "timeZone": "Asia/Tokyo"}},
            "scheduleConfig.timeZone",
            "timezone",
        ),
    ],
)
def test_another_spelling_of_a_field_is_refused(
    alice: API, body: dict[str, Any], field: str, meant: str
) -> None:
    refused = alice.post("/triggers", {**VALID, **body})
    found = [(each["field"], each["code"]) for each in refused.json()["details"]]
    asked = f"Did you mean {meant}?" in refused.content.decode()
    assert (refused.status_code, found, asked) == (400, [(field, "unknown")], True)


def test_keys_that_others_added_are_ignored(alice: API) -> None:
    assert alice.post("/triggers", {**VALID, "colour": "blue"}).status_code == 201
