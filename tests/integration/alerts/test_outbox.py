"""What happens to runs and triggers is in the outbox, if a rule wants it."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from alerts import rules
from alerts.happenings import Happening
from alerts.models import Happened
from alerts.outbox import tell
from executions import runner
from executions.failures import BUSY
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca import audit
from tests.integration.alerts.conftest import (
    NINE,
    Fire,
    MakeRule,
    MakeTrigger,
    handle_all,
    told,
)
from triggers.models import LocalSchedule, Trigger
from triggers.reconcile import reconcile_one

FAIL = "demo: fail"


class TestProducers:
    def test_start_is_told(self, make_rule: MakeRule, make_trigger: MakeTrigger) -> None:
        make_rule(Happening.STARTED)
        trigger = make_trigger()
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert told() == ["started"]

    def test_completion_is_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.COMPLETED)
        fire(make_trigger())
        assert told() == ["completed"]

    def test_failure_is_told_with_its_reason(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.FAILED)
        execution = fire(make_trigger(prompt=FAIL, max_retries=0))
        [row] = Happened.objects.waiting()
        assert (row.execution_id, row.params["reason"]["code"]) == (
            execution.pk,
            execution.error_code,
        )

    def test_failing_is_told_at_the_number_of_the_rule(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.FAILING, after_failures=2)
        trigger = make_trigger(prompt=FAIL, max_retries=0)
        counts = []
        for day in range(3):
            fire(trigger, day)
            counts.append(len(told()))
        assert counts == [0, 1, 1]

    def test_recovery_is_told_if_the_failures_were(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.RECOVERED, after_failures=2)
        trigger = make_trigger()
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
            consecutive_failures=2
        )
        fire(trigger)
        assert told() == ["recovered"]

    def test_recovery_from_fewer_failures_is_not_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.RECOVERED, after_failures=2)
        trigger = make_trigger()
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
            consecutive_failures=1
        )
        fire(trigger)
        assert told() == []

    def test_pause_after_failures_is_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.PAUSED)
        fire(make_trigger(prompt=FAIL, max_retries=0, pause_after_failures=1))
        assert told() == ["paused"]

    def test_question_is_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.WAITS, Happening.COMPLETED)
        trigger = make_trigger()
        execution = TriggerExecution.objects.get(pk=fire(trigger).pk)
        handle_all()
        execution.outcome, execution.questions = "interrupted", [{"id": "1", "text": "Pay?"}]
        TriggerExecution.objects.keyed(trigger.pk, execution.pk).update(status="running")
        runner.write([execution])
        assert told() == ["waits"]

    def test_skip_is_told(self, make_rule: MakeRule, make_trigger: MakeTrigger) -> None:
        make_rule(Happening.SKIPPED)
        trigger = make_trigger()
        for day in range(2):
            due = NINE + timedelta(days=day)
            runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
        [row] = Happened.objects.waiting()
        assert row.params["reason"]["code"] == BUSY.name

    def test_skip_of_a_disabled_trigger_is_not_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.SKIPPED, Happening.PAUSED)
        trigger = make_trigger(enabled=False)
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert told() == []

    def test_missed_runs_are_told(self, make_rule: MakeRule, make_trigger: MakeTrigger) -> None:
        make_rule(Happening.MISSED)
        trigger = make_trigger(created_at=NINE)
        with transaction.atomic():
            runner.record_missed(trigger, NINE + timedelta(days=1), NINE + timedelta(days=3))
        assert told() == ["missed"]

    @pytest.mark.sqlite
    def test_drift_that_the_reconciler_finds_is_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.OUT_OF_STEP)
        trigger = make_trigger()
        LocalSchedule.objects.filter(pk=trigger.pk).delete()
        reconcile_one(trigger, by=audit.system("reconciler"))
        assert told() == ["out_of_step"]

    @pytest.mark.sqlite
    def test_drift_that_an_operator_repairs_is_not_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.OUT_OF_STEP)
        trigger = make_trigger()
        LocalSchedule.objects.filter(pk=trigger.pk).delete()
        reconcile_one(trigger, by="vera")
        assert told() == []


class TestOutbox:
    def test_nothing_is_written_if_no_rule_wants_it(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.FAILED)
        trigger = make_trigger()
        rules.current()
        with CaptureQueriesContext(connection) as queries:
            tell(Happening.COMPLETED, trigger=trigger, key="1")
        assert len(queries) == 0

    def test_rolled_back_happening_is_not_told(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.LATE)
        trigger = make_trigger()
        with transaction.atomic():
            tell(Happening.LATE, trigger=trigger, params={"minutes": 5}, key="1")
            transaction.set_rollback(True)
        assert told() == []

    def test_same_key_is_one_happening(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.LATE)
        trigger = make_trigger()
        for _ in range(3):
            with transaction.atomic():
                tell(Happening.LATE, trigger=trigger, params={"minutes": 5}, key="1")
        [row] = Happened.objects.waiting()
        assert row.times == 3

    def test_same_key_does_not_wake_what_is_done(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.LATE)
        trigger = make_trigger()
        tell(Happening.LATE, trigger=trigger, key="1")
        handle_all()
        tell(Happening.LATE, trigger=trigger, key="1")
        assert told() == []

    def test_rule_of_a_tag_hears_of_its_triggers_alone(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.LATE, tag="Finance")
        for tags in (["finance"], ["sales"], []):
            tell(Happening.LATE, trigger=make_trigger(tags=tags))
        assert told() == ["late"]

    def test_rule_of_one_trigger_hears_of_no_other(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        one, other = make_trigger(), make_trigger()
        make_rule(Happening.LATE, trigger_id=one.pk)
        tell(Happening.LATE, trigger=one)
        tell(Happening.LATE, trigger=other)
        assert [row.trigger_id for row in Happened.objects.waiting()] == [one.pk]

    def test_rule_of_all_triggers_hears_of_the_installation(self, make_rule: MakeRule) -> None:
        make_rule(Happening.NO_SCHEDULER)
        tell(Happening.NO_SCHEDULER, params={"minutes": 10}, key="x")
        assert told() == ["no_scheduler"]

    def test_rule_of_one_trigger_does_not_hear_of_the_installation(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.NO_SCHEDULER, trigger_id=make_trigger().pk)
        tell(Happening.NO_SCHEDULER, params={"minutes": 10}, key="x")
        assert told() == []

    def test_rule_that_is_off_hears_nothing(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.LATE, enabled=False)
        tell(Happening.LATE, trigger=make_trigger())
        assert told() == []

    def test_keeping_failing_is_told_again_at_ten_times_as_many(
        self, make_rule: MakeRule, make_trigger: MakeTrigger
    ) -> None:
        make_rule(Happening.FAILING, after_failures=3)
        trigger = make_trigger()
        wanted = [
            number
            for number in range(1, 301)
            if tell(Happening.FAILING, trigger=trigger, params={"number": number})
        ]
        assert wanted == [3, 30, 300]

    def test_output_is_kept_only_if_the_rule_includes_it(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.COMPLETED)
        fire(make_trigger())
        [row] = Happened.objects.waiting()
        assert row.output == ""

    def test_start_of_the_output_is_kept_if_the_rule_includes_it(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        make_rule(Happening.COMPLETED, includes_output=True)
        execution = fire(make_trigger())
        [row] = Happened.objects.waiting()
        assert (row.output, bool(row.output)) == (execution.said.text[:500], True)
