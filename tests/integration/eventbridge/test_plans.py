"""Schedules of triggers with several expressions, intervals and days off, and what they fire."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.lambda_handler import handler
from executions.models import TriggerExecution
from tests.integration.api.conftest import API
from tests.integration.eventbridge.conftest import GROUP, Failing, roll_back_after, schedule_names
from tests.integration.eventbridge.test_reconcile import orphan_age, service
from tests.integration.handler.test_handler import Context, agent
from triggers.models import Trigger
from triggers.reconcile import reconcile

__all__ = ["agent", "orphan_age", "service"]

MakeTrigger = Callable[..., Trigger]
UNION = {"expression": "0 9 ? * MON-FRI *", "moreExpressions": ["cron(30 11 ? * SAT *)"]}
FORTNIGHT = {"expression": "0 9 ? * MON *", "every": {"weeks": 2, "from": "2026-12-07"}}


def expressions(service: Any) -> dict[str, str]:
    """The expression of each schedule, by the end of its name."""
    found = {}
    for name in schedule_names(service):
        made = service.get_schedule(Name=name, GroupName=GROUP)
        found[name.partition(".")[2]] = made["ScheduleExpression"]
    return found


@pytest.fixture
def alice(eventbridge: Any) -> API:
    return API("alice")


@pytest.fixture
def calls(eventbridge: Any) -> list[str]:
    """The names of the calls to the service from now on."""
    made: list[str] = []
    eventbridge.meta.events.register(
        "before-call.scheduler.*", lambda model, **_: made.append(model.name)
    )
    return made


class TestSchedules:
    def test_each_expression_has_one(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        make_trigger(schedule_config=UNION)
        wanted = {"": "cron(0 9 ? * MON-FRI *)", "2": "cron(30 11 ? * SAT *)"}
        assert expressions(eventbridge) == wanted

    def test_each_names_the_trigger_in_its_input(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config=UNION)
        second = eventbridge.get_schedule(Name=f"trigger-{trigger.pk}.2", GroupName=GROUP)
        assert f'"triggerId": "{trigger.pk}"' in second["Target"]["Input"]

    @pytest.mark.parametrize(
        ("config", "expression"),
        [
            (FORTNIGHT, "cron(0 9 ? * MON *)"),
            (
                {"expression": "0 9 15 * ? *", "every": {"months": 3, "from": "2026-12-01"}},
                "cron(0 9 15 3,6,9,12 ? *)",
            ),
            (
                {"expression": "0 9 1 * ? *", "daysOff": {"weekends": True}, "moveTo": "next"},
                "cron(0 9 1W * ? *)",
            ),
            (
                {"expression": "0 9 L * ? *", "daysOff": {"holidays": "DE"}, "moveTo": "previous"},
                "cron(0 9 * * ? *)",
            ),
            ({"expression": "0 9 * * ? *", "workingDays": [-1]}, "cron(0 9 LW * ? *)"),
            ({"expression": "0 9 * * ? *", "workingDays": [2]}, "cron(0 9 2-4 * ? *)"),
            (
                {"expression": "0 9 * * ? *", "daysOff": {"weekends": True}},
                "cron(0 9 ? * MON-FRI *)",
            ),
        ],
    )
    def test_it_is_the_nearest_expression(
        self, eventbridge: Any, make_trigger: MakeTrigger, config: Any, expression: str
    ) -> None:
        make_trigger(schedule_config=config)
        assert expressions(eventbridge) == {"": expression}

    def test_an_expression_that_is_over_has_none(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        more = ["at(2020-01-01T09:00:00)"]
        make_trigger(schedule_config={"expression": "0 9 * * ? *", "moreExpressions": more})
        assert expressions(eventbridge) == {"": "cron(0 9 * * ? *)"}


class TestChanges:
    def test_creation_and_deletion_make_a_call_for_each_schedule(
        self, make_trigger: MakeTrigger, calls: list[str]
    ) -> None:
        make_trigger(schedule_config=UNION).delete()
        assert calls == ["CreateSchedule", "CreateSchedule", "DeleteSchedule", "DeleteSchedule"]

    def test_a_trigger_of_one_expression_makes_one_call(
        self, make_trigger: MakeTrigger, calls: list[str]
    ) -> None:
        make_trigger(schedule_config=FORTNIGHT).delete()
        assert calls == ["CreateSchedule", "DeleteSchedule"]

    def test_all_are_deleted_with_the_trigger(
        self, eventbridge: Any, alice: API, make_trigger: MakeTrigger
    ) -> None:
        alice("DELETE", f"/triggers/{make_trigger(schedule_config=UNION).pk}")
        assert schedule_names(eventbridge) == []

    def test_an_expression_that_is_removed_loses_its_schedule(
        self, eventbridge: Any, alice: API, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config=UNION)
        body = {"scheduleConfig": {"moreExpressions": None}}
        alice.patch(f"/triggers/{trigger.pk}", body)
        assert expressions(eventbridge) == {"": "cron(0 9 ? * MON-FRI *)"}

    def test_an_event_trigger_keeps_none(self, eventbridge: Any, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=UNION)
        trigger.type, trigger.event_config = "event", {"eventSourceId": "x"}
        trigger.save()
        assert schedule_names(eventbridge) == []

    def test_a_failed_transaction_restores_all(
        self, eventbridge: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config=UNION)
        trigger = Trigger.objects.get(user_id="alice", pk=trigger.pk)
        trigger.schedule_config = {"expression": "0 7 * * ? *"}
        roll_back_after(trigger.save)
        assert expressions(eventbridge)["2"] == "cron(30 11 ? * SAT *)"

    def test_a_refused_second_schedule_takes_the_first_back(
        self, eventbridge: Any, failing: Failing, alice: API, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config={"expression": "0 7 * * ? *"})
        with failing("CreateSchedule", "ServiceQuotaExceededException"):
            alice.patch(f"/triggers/{trigger.pk}", {"scheduleConfig": UNION})
        assert expressions(eventbridge) == {"": "cron(0 7 * * ? *)"}


class TestReconciler:
    def test_a_missing_second_schedule_is_made_again(
        self, service: Any, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger(schedule_config=UNION)
        service.delete_schedule(Name=f"trigger-{trigger.pk}.2", GroupName=GROUP)
        reconcile()
        assert expressions(service)["2"] == "cron(30 11 ? * SAT *)"

    def test_a_schedule_too_many_is_removed(self, service: Any, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=UNION)
        Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(
            schedule_config={"expression": "0 9 ? * MON-FRI *"}
        )
        reconcile()
        assert expressions(service) == {"": "cron(0 9 ? * MON-FRI *)"}

    def test_orphans_are_removed_one_and_all(self, service: Any, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=UNION)
        Trigger.objects.filter(user_id="alice", pk=trigger.pk)._raw_delete("default")
        reconcile()
        assert schedule_names(service) == []

    def test_nothing_is_done_if_all_are_equal(
        self, service: Any, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(schedule_config=UNION)
        assert reconcile() == []


def event(trigger: Trigger, time: str) -> dict[str, Any]:
    detail = {"triggerId": trigger.pk, "userId": trigger.user_id}
    return {"detail-type": "Scheduled Event", "source": "moca", "time": time, "detail": detail}


@pytest.mark.usefixtures("agent")
class TestHandler:
    @pytest.mark.parametrize(
        ("config", "time", "status"),
        [
            (FORTNIGHT, "2026-12-07T09:00:00Z", "completed"),
            (FORTNIGHT, "2026-12-14T09:00:00Z", "skipped"),
            (FORTNIGHT, "2026-11-30T09:00:00Z", "skipped"),
            (UNION, "2026-12-12T11:30:00Z", "completed"),
        ],
    )
    def test_it_runs_what_is_meant(
        self, make_trigger: MakeTrigger, config: Any, time: str, status: str
    ) -> None:
        trigger = make_trigger(schedule_config=config)
        assert handler(event(trigger, time), Context())["status"] == status

    def test_what_is_left_out_has_no_record(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=FORTNIGHT)
        handler(event(trigger, "2026-12-14T09:00:00Z"), Context())
        assert not TriggerExecution.objects.of_trigger(trigger).exists()

    def test_what_is_left_out_costs_one_read_and_no_write(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=FORTNIGHT)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            handler(event(trigger, "2026-12-14T09:00:00Z"), Context())
        said = [each["sql"].split()[0] for each in queries.captured_queries]
        read = [word for word in said if word not in ("BEGIN", "SAVEPOINT", "RELEASE")]
        assert read in (["SELECT"], ["GetItem"])

    def test_what_is_left_out_counts_as_no_skip(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(schedule_config=FORTNIGHT)
        handler(event(trigger, "2026-12-14T09:00:00Z"), Context())
        assert Trigger.objects.get(user_id="alice", pk=trigger.pk).skipped_runs == 0

    def test_what_is_left_out_is_one_debug_line(
        self, make_trigger: MakeTrigger, caplog: pytest.LogCaptureFixture
    ) -> None:
        trigger = make_trigger(schedule_config=FORTNIGHT)
        with caplog.at_level(logging.DEBUG, logger="executions"):
            handler(event(trigger, "2026-12-14T09:00:00Z"), Context())
        assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
            ("DEBUG", "Not run: the schedule leaves this time out")
        ]

    def test_two_expressions_in_one_minute_are_one_run(self, make_trigger: MakeTrigger) -> None:
        config = {"expression": "0 9 ? * MON *", "moreExpressions": ["0 9 7 * ? *"]}
        trigger = make_trigger(schedule_config=config)
        for _delivery in range(2):
            handler(event(trigger, "2026-12-07T09:00:00Z"), Context())
        assert TriggerExecution.objects.of_trigger(trigger).count() == 1
