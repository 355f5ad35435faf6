"""What others write while a run starts or ends: nothing is lost, doubled or revived."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence, Run, claim, complete
from tests.conftest import wait_for
from triggers.models import LocalSchedule, Outcome, RunStatus, Trigger
from triggers.statistics import Statistics

pytestmark = pytest.mark.django_db(transaction=True)

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
TEN = datetime(2027, 1, 4, 10, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Work = Callable[[], object]
Interrupt = Callable[[Any, str, Work], None]


def begin(trigger: Trigger, due: datetime = NINE) -> Run:
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    assert run is not None
    return run


def write(runs: Sequence[Run], status: RunStatus = RunStatus.COMPLETED, error: str = "") -> int:
    for run in runs:
        complete.set_result(run.execution, status, error=error)
    return runner.write([run.execution for run in runs])


def stored(trigger: Trigger) -> Trigger | None:
    found: Trigger | None = Trigger.objects.filter(pk=trigger.pk).first()
    return found


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Have another connection do something, once, just before a function of a module goes on."""

    def in_another_connection(work: Work) -> None:
        def do() -> None:
            try:
                work()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(do).result()

    def arrange(module: Any, name: str, work: Work) -> None:
        original = getattr(module, name)

        def interrupted(*args: Any, **options: Any) -> Any:
            monkeypatch.setattr(module, name, original)
            # SQLite lets nobody write between a transaction's reads and its commit.
            if connections["default"].vendor != "sqlite":
                in_another_connection(work)
            return original(*args, **options)

        monkeypatch.setattr(module, name, interrupted)

    return arrange


class TestStart:
    def test_change_of_the_hold_meanwhile_loses_no_occurrence(
        self, make_trigger: MakeTrigger, interrupt: Interrupt
    ) -> None:
        trigger = make_trigger()
        past = timezone.now() - timedelta(minutes=5)
        row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
        row.update(running_since=past, running_until=past)
        free = {"running_since": None, "running_until": None}
        interrupt(claim, "hold_all", lambda: row.update(**free))
        assert begin(trigger).execution.attempt == 1

    def test_same_occurrence_meanwhile_is_not_run_again(
        self, make_trigger: MakeTrigger, interrupt: Interrupt
    ) -> None:
        trigger = make_trigger(overlap_policy="allow")
        occurrence = Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)
        begun = []
        interrupt(claim, "hold_all", lambda: begun.append(runner.start(occurrence)))
        begun.append(runner.start(occurrence))
        assert sum(run is not None for run in begun) == 1

    def test_batch_with_one_that_was_run_starts_the_others(
        self,
        make_trigger: MakeTrigger,
        scheduler: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        due = timezone.now()
        made = [make_trigger() for _ in range(4)]
        for trigger in made:
            LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=due, due_at=due)
        run = begin(made[0], due)
        run.execution.reached_agent = True
        write([run])
        with scheduler():
            wait_for(
                lambda: [e.status for e in TriggerExecution.objects.all()] == ["completed"] * 4
            )


class TestEnd:
    def test_deletion_meanwhile_leaves_no_ghost(
        self, make_trigger: MakeTrigger, interrupt: Interrupt
    ) -> None:
        trigger = make_trigger()
        run = begin(trigger)
        interrupt(complete, "_note_result", lambda: trigger.delete())
        written = write([run])
        gone = stored(trigger) is None
        assert (written, gone) == (1, connections["default"].vendor != "sqlite")

    def test_change_by_an_operator_meanwhile_still_pauses(
        self, make_trigger: MakeTrigger, interrupt: Interrupt
    ) -> None:
        trigger = make_trigger(pause_after_failures=1)
        run = begin(trigger)

        def rename() -> None:
            theirs = Trigger.objects.get(pk=trigger.pk)
            theirs.name = "Theirs"
            theirs.save()

        interrupt(complete, "_note_result", rename)
        write([run], RunStatus.FAILED, "x")
        paused = stored(trigger)
        assert paused is not None
        assert (paused.enabled, paused.consecutive_failures) == (False, 1)

    def test_batch_with_one_that_was_closed_writes_the_others(
        self, make_trigger: MakeTrigger
    ) -> None:
        runs = [begin(make_trigger()) for _ in range(3)]
        theirs = runs[1].record()
        theirs.update(status=RunStatus.FAILED, error="theirs")
        assert write(runs) == 2

    def test_two_ends_of_one_trigger_at_once_both_count(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(overlap_policy="allow", pause_after_failures=2)
        write([begin(trigger, NINE), begin(trigger, TEN)], RunStatus.FAILED, "x")
        paused = stored(trigger)
        assert paused is not None
        assert (paused.enabled, paused.consecutive_failures) == (False, 2)

    @pytest.mark.skipif(settings.TEST_DATABASE == "sqlite", reason="SQLite writes one by one")
    def test_two_ends_at_once_both_stand_in_the_statistics(
        self, make_trigger: MakeTrigger, interrupt: Interrupt
    ) -> None:
        trigger = make_trigger(overlap_policy="allow")
        mine, theirs = begin(trigger, NINE), begin(trigger, TEN)
        interrupt(complete, "_note_result", lambda: write([theirs]))
        write([mine])
        noted = stored(trigger)
        assert noted is not None
        names = {run.execution_id for run in Statistics.read(noted.statistics).runs}
        assert names == {mine.execution.pk, theirs.execution.pk}

    def test_trigger_that_changed_hands_knows_the_result(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        run = begin(trigger)
        moved = Trigger.objects.get(pk=trigger.pk)
        moved.user_id = "bob"
        moved.save()
        write([run])
        after = stored(trigger)
        assert after is not None
        assert (after.last_status, after.running_until) == (RunStatus.COMPLETED, None)


def test_missed_runs_are_on_record_once(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    for _ in range(2):
        runner.record_missed(trigger, NINE, TEN)
    assert TriggerExecution.objects.filter(trigger_id=trigger.pk).count() == 1


def numbers_of_runs(trigger: Trigger) -> list[int]:
    """How many missed runs each record is about, the first due first."""
    records = TriggerExecution.objects.filter(trigger_id=trigger.pk).order_by("pk")
    runs = [record.error_params["runs"] for record in records]
    return [int(run.get("params", {}).get("number", 1)) for run in runs]


def test_each_missed_run_is_on_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(schedule_config={"expression": "cron(0 * * * ? *)"})
    runner.record_missed(trigger, NINE, NINE + timedelta(days=1))
    records = TriggerExecution.objects.filter(trigger_id=trigger.pk, outcome=Outcome.MISSED)
    dues = [record.scheduled_at for record in records.order_by("pk")]
    assert dues == [NINE + timedelta(hours=hour) for hour in range(24)]


def test_missed_runs_beyond_the_bound_share_a_record(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(schedule_config={"expression": "cron(*/5 * * * ? *)"})
    runner.record_missed(trigger, NINE, NINE + timedelta(days=1))
    assert numbers_of_runs(trigger) == [241] + 47 * [1]


def test_more_missed_runs_than_are_counted(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(schedule_config={"expression": "cron(* * * * ? *)"})
    runner.record_missed(trigger, NINE, NINE + timedelta(days=1))
    first = TriggerExecution.objects.filter(trigger_id=trigger.pk).order_by("pk").first()
    assert first is not None
    assert first.error_params["runs"]["code"] == "more_runs"


def test_missed_runs_are_counted_as_such(make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    runner.record_missed(trigger, NINE, TEN)
    counted = Statistics.read(Trigger.objects.get(pk=trigger.pk).statistics).days(timezone.now())
    assert counted[-1].failures == {Outcome.MISSED: 1}
