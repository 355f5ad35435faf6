"""Concurrency keys and overlap policies: who gets a place, who waits, and who is dropped."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from executions import runner
from executions.models import Line, QueuedRun, TriggerExecution, Turn
from executions.runner import Occurrence, close, start
from executions.runner.cancel import cancel_run
from executions.runner.enqueue import Offer, offer
from executions.runner.lines import line_id, repair
from executions.runner.manual import TriggerBusyError, run_now
from triggers.models import RunStatus, Trigger

MakeTrigger = Callable[..., Trigger]
SECONDS = count()


def arrive(trigger: Trigger, **detail: Any) -> str:
    """An event comes for a trigger; returns the id of its run."""
    event = {"source": "shop", "detail-type": "order", "detail": detail}
    at = timezone.now() + timedelta(milliseconds=next(SECONDS))
    one = Offer.of(trigger, event, f"event-{next(SECONDS)}", at)
    offer([one])
    return one.id


def record(trigger: Trigger, key: str) -> TriggerExecution | None:
    return TriggerExecution.objects.keyed(trigger.pk, key).first()


def line_of(trigger: Trigger) -> Line:
    """The line of a trigger that has no key."""
    found: Line = Line.objects.get(pk=line_id(trigger.user_id, f"trigger {trigger.pk}"))
    return found


def begin() -> list[TriggerExecution]:
    """Do what the scheduler process does: begin all runs that are dispatched."""
    begun = []
    for queued in list(QueuedRun.objects.all()):
        QueuedRun.objects.filter(pk=queued.pk).delete()
        if run := runner.resume(queued.trigger_id, queued.pk):
            begun.append(run.execution)
    return begun


def end(execution: TriggerExecution) -> None:
    close(execution, RunStatus.COMPLETED)


def wait_long(trigger: Trigger, number: int, apart: timedelta = timedelta(seconds=1)) -> datetime:
    """Have runs of a trigger wait behind one that is under way; returns since when the first has.

    They have waited for an hour or less, and each asked `apart` later than the one before.
    """
    arrive(trigger)
    begin()
    arrive(trigger)
    first, (one,) = timezone.now() - timedelta(hours=1), Turn.objects.of_line(line_of(trigger).pk)
    Turn.objects.filter(line_id=one.line_id, pk=one.pk).update(asked_at=first)
    names = ("line_id", "trigger_id", "user_id", "most")
    values = {name: getattr(one, name) for name in names}
    rows = [
        Turn(pk=f"waiting-{each}", asked_at=first + each * apart, **values)
        for each in range(1, number)
    ]
    # A transaction of DynamoDB takes no more.
    for place in range(0, len(rows), 100):
        Turn.objects.bulk_create(rows[place : place + 100])
    return first


def broken(trigger: Trigger, *, asked_at: datetime) -> str:
    """A run that waits for a place whose holder is gone; returns its id."""
    first = arrive(trigger)
    begin()
    second = arrive(trigger)
    TriggerExecution.objects.keyed(trigger.pk, first).delete()
    Turn.objects.filter(line_id=line_of(trigger).pk, pk=second).update(asked_at=asked_at)
    return second


@pytest.fixture
def listen(transactional_db: None, make_trigger: MakeTrigger) -> MakeTrigger:
    """Make an event trigger whose runs may overlap, unless `fields` say otherwise."""

    def make(**fields: Any) -> Trigger:
        config = {"eventPattern": {"source": ["shop"]}}
        values = {"type": "event", "schedule_config": None, "overlap_policy": "allow"}
        return make_trigger(**{**values, "event_config": config, **fields})

    return make


class TestKeys:
    def test_further_runs_wait_and_then_begin(self, listen: MakeTrigger) -> None:
        trigger = listen(max_concurrent=2)
        for _ in range(5):
            arrive(trigger)
        seen = []
        while begun := begin():
            seen.append(len(begun))
            end(begun[0])
            for one in begun[1:]:
                end(one)
        assert seen == [2, 2, 1]

    def test_by_a_value_of_the_event(self, listen: MakeTrigger) -> None:
        trigger = listen(concurrency_key="{{ event.detail.customer }}")
        for customer in ("ann", "bob", "ann"):
            arrive(trigger, customer=customer)
        assert len(begin()) == 2

    @pytest.mark.parametrize("key", ["agent", "nightly"])
    def test_triggers_share_it(self, listen: MakeTrigger, key: str) -> None:
        for name in ("One", "Two"):
            arrive(listen(name=name, concurrency_key=key))
        assert len(begin()) == 1

    def test_users_do_not(self, listen: MakeTrigger) -> None:
        for user_id in ("alice", "bob"):
            arrive(listen(user_id=user_id, concurrency_key="nightly"))
        assert len(begin()) == 2

    def test_skip_drops_what_exceeds(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="skip", max_concurrent=2)
        for _ in range(3):
            arrive(trigger)
        trigger.refresh_from_db()
        assert (len(begin()), trigger.skipped_runs, trigger.last_skip_reason_code) == (
            2,
            1,
            "key_busy",
        )

    def test_long_values_that_begin_alike_are_different(self, listen: MakeTrigger) -> None:
        trigger = listen(concurrency_key="{{ event.detail.customer }}")
        for last in "ab":
            arrive(trigger, customer="x" * 300 + last)
        assert len(begin()) == 2

    def test_a_schedule_waits_too(self, make_trigger: MakeTrigger, transactional_db: None) -> None:
        trigger = make_trigger(overlap_policy="allow", max_concurrent=1)
        first = start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
        later = timezone.now() + timedelta(minutes=1)
        assert start(Occurrence.scheduled(trigger.user_id, trigger.pk, later)) is None
        assert first is not None
        end(first.execution)
        assert [one.scheduled_at for one in begin()] == [later]

    def test_a_second_delivery_is_no_second_turn(
        self, make_trigger: MakeTrigger, transactional_db: None
    ) -> None:
        trigger = make_trigger(overlap_policy="allow", max_concurrent=1)
        now = timezone.now()
        start(Occurrence.scheduled(trigger.user_id, trigger.pk, now))
        for due in (now, now + timedelta(minutes=1), now + timedelta(minutes=1)):
            start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
        records = TriggerExecution.objects.of_trigger(trigger).count()
        assert (line_of(trigger).waiting, records) == (1, 2)

    def test_a_line_is_bounded(self, listen: MakeTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("executions.runner.entering.MOST_WAITING", 2)
        trigger = listen(max_concurrent=1)
        for _ in range(5):
            arrive(trigger)
        trigger.refresh_from_db()
        assert (line_of(trigger).waiting, trigger.last_skip_reason_code) == (2, "line_full")

    def test_a_turn_that_does_not_come(self, listen: MakeTrigger) -> None:
        trigger = listen(max_concurrent=1)
        arrive(trigger)
        waiting = arrive(trigger)
        runner.close_lost(timezone.now() + timedelta(days=1, minutes=1))
        found = record(trigger, waiting)
        assert found is not None
        assert (found.error_code, found.outcome) == ("turn_too_late", "missed")


class TestPolicies:
    def test_buffer_one_keeps_the_first(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="buffer_one")
        _, second, _ = (arrive(trigger) for _ in range(3))
        (running,) = begin()
        end(running)
        trigger.refresh_from_db()
        assert ([one.pk for one in begin()], trigger.last_skip_reason_code) == (
            [second],
            "buffered",
        )

    def test_cancel_other_ends_the_run_before(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="cancel_other")
        arrive(trigger)
        (running,) = begin()
        arrive(trigger)
        found = record(trigger, running.pk)
        assert found is not None
        assert (found.cancel_requested_at is not None, begin()) == (True, [])

    def test_cancel_other_begins_after_it(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="cancel_other")
        arrive(trigger)
        (running,) = begin()
        latest = arrive(trigger)
        end(running)
        assert [one.pk for one in begin()] == [latest]

    def test_cancel_other_replaces_what_waits(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="cancel_other")
        arrive(trigger)
        (running,) = begin()
        second, third = arrive(trigger), arrive(trigger)
        end(running)
        replaced = record(trigger, second)
        assert replaced is not None
        assert (replaced.outcome, [one.pk for one in begin()]) == ("cancelled", [third])

    def test_cancel_other_of_a_run_that_has_not_begun(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="cancel_other")
        _, latest = arrive(trigger), arrive(trigger)
        assert [one.pk for one in begin()] == [latest]

    def test_cancel_other_ends_nothing_while_it_has_places(self, listen: MakeTrigger) -> None:
        other = listen(concurrency_key="shop", max_concurrent=3)
        trigger = listen(concurrency_key="shop", max_concurrent=5, overlap_policy="cancel_other")
        for _ in range(3):
            arrive(other)
        running = begin()
        arrive(other)
        arrive(trigger)
        asked = [record(other, one.pk) for one in running]
        assert [one.cancel_requested_at for one in asked if one] == [None] * 3

    def test_a_person_waits_in_the_line(self, listen: MakeTrigger) -> None:
        trigger = listen(overlap_policy="buffer_one")
        run_now(trigger, by="ann")
        run_now(trigger, by="ann")
        with pytest.raises(TriggerBusyError, match="waiting for its turn"):
            run_now(trigger, by="ann")

    def test_a_cancelled_turn_is_given_up(self, listen: MakeTrigger) -> None:
        trigger = listen(max_concurrent=1)
        arrive(trigger)
        waiting = record(trigger, arrive(trigger))
        assert waiting is not None
        cancel_run(waiting, by="ann")
        assert (line_of(trigger).waiting, list(Turn.objects.waiting())) == (0, [])


class TestCrashes:
    def test_the_place_of_a_dead_process_is_free(
        self, make_trigger: MakeTrigger, transactional_db: None
    ) -> None:
        trigger = make_trigger(overlap_policy="buffer_one")
        now = timezone.now()
        dead = timedelta(seconds=-1)
        start(Occurrence.scheduled(trigger.user_id, trigger.pk, now), lease=dead)
        start(Occurrence.scheduled(trigger.user_id, trigger.pk, now + timedelta(minutes=1)))
        runner.close_lost(timezone.now())
        assert len(begin()) == 1

    def test_a_holder_that_is_gone(self, listen: MakeTrigger) -> None:
        trigger = listen(max_concurrent=1)
        first = arrive(trigger)
        begin()
        second = arrive(trigger)
        TriggerExecution.objects.keyed(trigger.pk, first).delete()
        repair(timezone.now())
        assert [one.pk for one in begin()] == [second]

    @pytest.mark.parametrize("apart", [timedelta(seconds=1), timedelta(0)])
    def test_a_holder_that_is_gone_behind_many_that_wait(
        self, listen: MakeTrigger, apart: timedelta
    ) -> None:
        wait_long(listen(max_concurrent=1), 249, apart=apart)
        second = broken(listen(max_concurrent=1), asked_at=timezone.now())
        for _ in range(2):
            repair(timezone.now())
        assert [one.pk for one in begin()] == [second]

    def test_many_of_the_same_moment(self, listen: MakeTrigger) -> None:
        """They may share a page of the turns with others, and none of them is left out."""
        asked = wait_long(listen(max_concurrent=1), 249, apart=timedelta(0))
        second = broken(listen(max_concurrent=1), asked_at=asked)
        for _ in range(2):
            repair(timezone.now())
        assert [one.pk for one in begin()] == [second]

    def test_the_oldest_have_their_turn_again(self, listen: MakeTrigger) -> None:
        asked = wait_long(listen(max_concurrent=1), 249)
        for _ in range(2):
            repair(timezone.now())
        second = broken(listen(max_concurrent=1), asked_at=asked)
        repair(timezone.now())
        assert [one.pk for one in begin()] == [second]

    def test_a_waiting_run_does_not_begin_by_its_dispatch(self, listen: MakeTrigger) -> None:
        trigger = listen(max_concurrent=1)
        arrive(trigger)
        assert runner.resume(trigger.pk, arrive(trigger)) is None
