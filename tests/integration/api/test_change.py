"""PUT, PATCH and DELETE /triggers/{id}, enable and disable."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connections

from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.api.conftest import API, DAILY, VALID
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers import SchedulerError
from triggers.schedulers.local import LocalScheduler

HOURLY = {"expression": "rate(1 hour)"}
PAST = {"expression": "at(2020-01-01T00:00:00)"}


class RefusingScheduler(LocalScheduler):
    """A scheduler that is away."""

    def create(self, trigger: Trigger) -> None:
        raise SchedulerError("The schedule was refused: the quota is used up.")

    def update(self, trigger: Trigger) -> None:
        self.create(trigger)

    def delete(self, trigger_id: str, count: int = 1) -> None:
        raise SchedulerError("The scheduler is away.")


@pytest.fixture
def made(alice: API) -> dict[str, Any]:
    return alice.create(description="Each morning.", sessionId="s" * 33)


@pytest.fixture
def path(made: dict[str, Any]) -> str:
    return f"/triggers/{made['id']}"


@pytest.fixture
def refusing_scheduler(made: dict[str, Any], settings: Any) -> Iterator[None]:
    settings.SCHEDULER = f"{__name__}.RefusingScheduler"
    return


@pytest.fixture(params=["PUT", "PATCH"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestUpdate:
    def test_what_is_left_out_stays(
        self, alice: API, made: dict[str, Any], path: str, method: str
    ) -> None:
        changed = alice(method, path, {"name": "Other"}).json()["trigger"]
        same = set(made) - {"name", "updatedAt", "version"}
        assert {name: changed[name] for name in same} == {name: made[name] for name in same}

    def test_null_clears(self, alice: API, path: str, method: str) -> None:
        changed = alice(method, path, {"description": None, "sessionId": None}).json()["trigger"]
        assert {"description", "sessionId"} & set(changed) == set()

    @pytest.mark.parametrize("field", ["name", "type", "agentId", "prompt", "enabled"])
    def test_null_for_a_needed_field(self, alice: API, path: str, method: str, field: str) -> None:
        response = alice(method, path, {field: None})
        assert (response.status_code, response.json()["details"][0]["field"]) == (400, field)

    def test_null_for_a_needed_map(self, alice: API, path: str, method: str) -> None:
        assert alice(method, path, {"scheduleConfig": None}).status_code == 400

    def test_the_whole_trigger_may_be_sent_back(
        self, alice: API, made: dict[str, Any], path: str
    ) -> None:
        assert alice("PUT", path, made).json()["trigger"] == made

    def test_version_grows(self, alice: API, path: str, method: str) -> None:
        assert alice(method, path, {"name": "Other"}).json()["trigger"]["version"] == 2

    def test_nothing_new_is_no_write(self, alice: API, path: str, method: str) -> None:
        assert alice(method, path, {"name": "Report"}).json()["trigger"]["version"] == 1

    def test_ids_and_owner_cannot_be_changed(
        self, alice: API, made: dict[str, Any], path: str, method: str
    ) -> None:
        body = {"id": "x", "userId": "bob", "createdAt": "2020-01-01T00:00:00Z", "version": 9}
        assert alice(method, path, body).json()["trigger"] == made

    def test_prompt_alone_keeps_the_schedule(self, alice: API, path: str, method: str) -> None:
        changed = alice(method, path, {"prompt": "Other."}).json()["trigger"]
        assert (changed["prompt"], changed["scheduleConfig"]) == ("Other.", DAILY)

    def test_new_expression_moves_the_schedule(
        self, alice: API, made: dict[str, Any], path: str, method: str
    ) -> None:
        before = LocalSchedule.objects.get().next_run_at
        alice(method, path, {"scheduleConfig": {"expression": "cron(30 4 * * ? *)"}})
        assert LocalSchedule.objects.get().next_run_at != before

    def test_parts_of_the_schedule_that_are_left_out_stay(self, alice: API, method: str) -> None:
        config = {**DAILY, "timezone": "Asia/Tokyo", "endDate": "2099-01-01T00:00:00Z"}
        made = alice.create(scheduleConfig=config)
        changed = alice(method, f"/triggers/{made['id']}", {"scheduleConfig": HOURLY})
        assert changed.json()["trigger"]["scheduleConfig"] == {**config, **HOURLY}

    def test_null_clears_a_part_of_the_schedule(self, alice: API, method: str) -> None:
        made = alice.create(scheduleConfig={**DAILY, "timezone": "Asia/Tokyo"})
        body = {"scheduleConfig": {"timezone": None}}
        changed = alice(method, f"/triggers/{made['id']}", body).json()["trigger"]
        assert changed["scheduleConfig"] == DAILY

    def test_parts_of_the_schedule_that_are_ours_stay(
        self, alice: API, make_trigger: Callable[..., Trigger], method: str
    ) -> None:
        ours = {"schedulerArn": "arn:aws:scheduler:::schedule/x", "scheduleGroupName": "moca"}
        trigger = make_trigger(schedule_config={**DAILY, **ours})
        body = {"scheduleConfig": {**HOURLY, "schedulerArn": "undefined"}}
        changed = alice(method, f"/triggers/{trigger.pk}", body).json()["trigger"]
        assert changed["scheduleConfig"] == {**HOURLY, **ours}

    def test_at_stays_at(self, alice: API, path: str, method: str) -> None:
        config = {"expression": "at(2099-01-01T00:00:00)"}
        changed = alice(method, path, {"scheduleConfig": config}).json()["trigger"]
        assert (changed["scheduleConfig"], changed["nextRuns"]) == (
            config,
            ["2099-01-01T00:00:00.000Z"],
        )

    def test_wrong_value(self, alice: API, path: str, method: str) -> None:
        response = alice(method, path, {"scheduleConfig": {"expression": "daily"}})
        assert response.json()["details"][0]["field"] == "scheduleConfig.expression"

    def test_wrong_value_changes_nothing(
        self, alice: API, made: dict[str, Any], path: str, method: str
    ) -> None:
        alice(method, path, {"name": "Other", "timeoutSeconds": 1})
        assert alice.get(path).json()["trigger"] == made

    def test_old_values_that_break_new_rules_do_not_hinder(
        self, alice: API, path: str, method: str
    ) -> None:
        Trigger.objects.update(session_id="short")
        assert alice(method, path, {"name": "Other"}).status_code == 200

    def test_is_on_record(self, alice: API, path: str, method: str) -> None:
        alice(method, path, {"name": "Other"})
        entry = AuditEntry.objects.get(action="updated")
        assert (entry.actor, entry.changes) == ("alice", {"name": ["Report", "Other"]})

    def test_another_users(self, bob: API, path: str, method: str) -> None:
        assert bob(method, path, {"name": "Other"}).status_code == 404

    def test_queries(
        self, alice: API, path: str, method: str, django_assert_max_num_queries: Any
    ) -> None:
        # The read, the write and its audit entry, and the savepoints of a test around them.
        with django_assert_max_num_queries(11):
            alice(method, path, {"name": "Other"})

    def test_enabling_by_update_forgives_failures(self, alice: API, path: str, method: str) -> None:
        Trigger.objects.update(enabled=False, consecutive_failures=3, paused_reason="Paused.")
        alice(method, path, {"enabled": True})
        trigger = Trigger.objects.get()
        assert (trigger.consecutive_failures, trigger.paused_reason) == (0, "")


class TestType:
    def test_to_event_removes_the_schedule(self, alice: API, path: str, method: str) -> None:
        alice(method, path, {"type": "event", "eventConfig": {"eventSourceId": "s3"}})
        assert not LocalSchedule.objects.exists()

    def test_and_back_makes_it_again(self, alice: API, path: str, method: str) -> None:
        alice(method, path, {"type": "event", "eventConfig": {"eventSourceId": "s3"}})
        alice(method, path, {"type": "schedule"})
        assert LocalSchedule.objects.get().next_run_at is not None

    def test_a_disabled_trigger_stays_disabled(self, alice: API, path: str, method: str) -> None:
        alice.post(f"{path}/disable")
        body = {"type": "event", "eventConfig": {"eventSourceId": "s3"}}
        there = alice(method, path, body).json()["trigger"]["enabled"]
        back = alice(method, path, {"type": "schedule"}).json()["trigger"]["enabled"]
        assert (there, back, LocalSchedule.objects.get().next_run_at) == (False, False, None)

    def test_needs_the_other_map(self, alice: API, path: str, method: str) -> None:
        response = alice(method, path, {"type": "event"})
        assert response.json()["details"][0]["field"] == "eventConfig.eventSourceId"


class TestIfMatch:
    def test_current_version(self, alice: API, path: str) -> None:
        assert alice.patch(path, {"name": "Other"}, If_Match='"1"').status_code == 200

    def test_any_version(self, alice: API, path: str) -> None:
        assert alice.patch(path, {"name": "Other"}, If_Match="*").status_code == 200

    def test_stale_version(self, alice: API, path: str) -> None:
        alice.patch(path, {"name": "Other"})
        response = alice.patch(path, {"name": "Third"}, If_Match='"1"')
        assert (response.status_code, response.json()["error"]) == (412, "Precondition Failed")

    def test_malformed(self, alice: API, path: str) -> None:
        response = alice.patch(path, {"name": "Other"}, If_Match="1")
        assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")


def at_once(make_requests: list[Callable[[], Any]]) -> list[int]:
    """Make requests from threads of their own; returns their sorted status codes."""

    def make(request: Callable[[], Any]) -> int:
        try:
            return int(request().status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(make_requests)) as pool:
        return sorted(pool.map(make, make_requests))


class TestAtOnce:
    """Writers of one trigger, in threads and connections of their own."""

    @pytest.fixture
    def path(self, transactional_db: None, alice: API) -> str:
        return f"/triggers/{alice.create()['id']}"

    def test_each_change_without_a_version_counts(self, alice: API, path: str) -> None:
        tags = [f"t{n}" for n in range(4)]
        fields: list[dict[str, Any]] = [{"name": "Other"}, {"description": "Other"}, {"tags": tags}]
        at_once([partial(alice.patch, path, body) for body in fields])
        made = alice.get(path).json()["trigger"]
        assert (made["name"], made["description"], made["tags"]) == ("Other", "Other", tags)

    def test_of_those_with_a_version_one_wins(self, alice: API, path: str) -> None:
        requests = [
            partial(alice.patch, path, {"name": f"Name {n}"}, If_Match='"1"') for n in range(4)
        ]
        assert at_once(requests) == [200, 412, 412, 412]

    def test_one_of_several_deletions_wins(self, alice: API, path: str) -> None:
        assert at_once([partial(alice, "DELETE", path) for _ in range(3)]) == [200, 404, 404]


class TestDelete:
    def test_answers_with_a_body(self, alice: API, made: dict[str, Any], path: str) -> None:
        answer = alice("DELETE", path).json()
        assert (answer["success"], answer["metadata"]["triggerId"]) == (True, made["id"])

    def test_is_gone(self, alice: API, path: str) -> None:
        alice("DELETE", path)
        assert alice.get(path).status_code == 404

    def test_schedule_goes_too(self, alice: API, path: str) -> None:
        alice("DELETE", path)
        assert not LocalSchedule.objects.exists()

    def test_executions_stay(self, alice: API, path: str, make_execution: Any) -> None:
        make_execution(Trigger.objects.get())
        alice("DELETE", path)
        assert TriggerExecution.objects.count() == 1

    def test_is_on_record(self, alice: API, path: str) -> None:
        alice("DELETE", path)
        assert AuditEntry.objects.get(action="deleted").actor == "alice"

    def test_second_time(self, alice: API, path: str) -> None:
        alice("DELETE", path)
        assert alice("DELETE", path).status_code == 404

    def test_another_users(self, bob: API, path: str) -> None:
        assert (bob("DELETE", path).status_code, Trigger.objects.count()) == (404, 1)


class TestSwitch:
    def test_disable(self, alice: API, path: str) -> None:
        assert alice.post(f"{path}/disable").json()["trigger"]["enabled"] is False

    def test_disabled_schedule_does_not_fire(self, alice: API, path: str) -> None:
        alice.post(f"{path}/disable")
        assert LocalSchedule.objects.get().due_at is None

    def test_enable(self, alice: API, path: str) -> None:
        alice.post(f"{path}/disable")
        assert alice.post(f"{path}/enable").json()["trigger"]["enabled"] is True

    def test_enabled_schedule_fires_at_its_time(self, alice: API, path: str) -> None:
        before = LocalSchedule.objects.get().due_at
        alice.post(f"{path}/disable")
        alice.post(f"{path}/enable")
        assert LocalSchedule.objects.get().due_at == before

    @pytest.mark.parametrize("action", ["enable", "disable"])
    def test_twice_is_as_once(self, alice: API, path: str, action: str) -> None:
        once = alice.post(f"{path}/{action}").json()["trigger"]
        assert alice.post(f"{path}/{action}").json()["trigger"] == once

    def test_enabling_forgives_failures(self, alice: API, path: str) -> None:
        Trigger.objects.update(enabled=False, consecutive_failures=3)
        assert alice.post(f"{path}/enable").json()["trigger"]["consecutiveFailures"] == 0

    def test_last_run_survives(self, alice: API, path: str) -> None:
        Trigger.objects.update(last_status="completed")
        assert alice.post(f"{path}/disable").json()["trigger"]["lastStatus"] == "completed"

    def test_what_never_fires_again_is_not_enabled(self, alice: API, path: str) -> None:
        Trigger.objects.update(schedule_config=PAST, enabled=False)
        response = alice.post(f"{path}/enable")
        assert (response.status_code, response.json()["details"][0]["code"]) == (400, "never")

    def test_what_never_fires_again_can_be_disabled(self, alice: API, path: str) -> None:
        Trigger.objects.update(schedule_config=PAST)
        assert alice.post(f"{path}/disable").status_code == 200

    def test_body_is_not_needed_but_taken(self, alice: API, path: str) -> None:
        assert alice.post(f"{path}/disable", {"anything": 1}).status_code == 200

    @pytest.mark.parametrize("action", ["enable", "disable"])
    def test_another_users(self, bob: API, path: str, action: str) -> None:
        assert bob.post(f"{path}/{action}").status_code == 404


@pytest.mark.usefixtures("refusing_scheduler")
class TestRefusingScheduler:
    CALLS = [
        ("PATCH", "", {"scheduleConfig": HOURLY}),
        ("POST", "/disable", None),
        ("DELETE", "", None),
    ]

    def test_create(self, alice: API) -> None:
        response = alice.post("/triggers", VALID)
        assert (response.status_code, response.json()["error"]) == (502, "Scheduler Error")

    def test_create_leaves_nothing(self, alice: API) -> None:
        alice.post("/triggers", VALID, Idempotency_Key="k")
        assert Trigger.objects.count() == 1

    def test_reason_is_told(self, alice: API) -> None:
        assert "quota" in alice.post("/triggers", VALID).json()["message"]

    @pytest.mark.parametrize(("method", "route", "body"), CALLS)
    def test_answer(self, alice: API, path: str, method: str, route: str, body: Any) -> None:
        assert alice(method, path + route, body).status_code == 502

    @pytest.mark.parametrize(("method", "route", "body"), CALLS)
    def test_trigger_is_as_it_was(
        self, alice: API, made: dict[str, Any], path: str, method: str, route: str, body: Any
    ) -> None:
        alice(method, path + route, body)
        assert alice.get(path).json()["trigger"] == made
