"""A property: what is asked for runs once, whoever asks how often and whichever process works."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from executions import runner
from executions.backfill import services, worker
from executions.backfill.model import Backfill
from executions.backfill.plan import Wanted
from executions.models import QueuedRun, Source, TriggerExecution, expiry
from moca.concurrency import ConflictError
from moca.ids import occurrence_id
from tests.examples import examples
from triggers.models import Outcome, RunStatus, Trigger

from .conftest import DAY, HOUR, NOW

pytestmark = pytest.mark.django_db(transaction=True)

EXPRESSIONS = [
    "cron(0 * * * ? *)",
    "cron(7,37 */3 * * ? *)",
    "cron(30 2 * * ? *)",
    "rate(50 minutes)",
    "rate(7 hours)",
]
ZONES = ["UTC", "Asia/Tokyo", "America/New_York"]
RETRIED = (ConflictError, IntegrityError, OperationalError)


class Clock:
    """The time of all threads, which goes on with their turns."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Request:
    """One request: how long ago it begins and ends, its order and its pace."""

    hours: int
    until: int
    newest_first: bool
    at_once: int

    def wanted(self) -> Wanted:
        return Wanted(
            since=NOW - self.hours * HOUR,
            until=NOW - self.until * HOUR,
            newest_first=self.newest_first,
            per_minute=600,
            at_once=self.at_once,
        )


requests = st.builds(
    Request,
    hours=st.integers(2, 26),
    until=st.integers(0, 1),
    newest_first=st.booleans(),
    at_once=st.integers(1, 5),
)


@settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(ZONES),
    overlaps=st.booleans(),
    recorded=st.lists(st.sampled_from(["completed", "missed", None]), min_size=1, max_size=5),
    asked=st.lists(requests, min_size=1, max_size=3),
)
def test_each_asked_for_occurrence_runs_once(
    make_trigger: Callable[..., Trigger],
    expression: str,
    zone: str,
    overlaps: bool,
    recorded: list[str | None],
    asked: list[Request],
) -> None:
    trigger = make_trigger(
        schedule_config={"expression": expression, "timezone": zone},
        created_at=NOW - 3 * DAY,
        overlap_policy="allow" if overlaps else "skip",
    )
    had = put_on_record(trigger, recorded)
    wanted = {
        occurrence_id(trigger.pk, due)
        for each in asked
        for due in occurrences(trigger, NOW - each.hours * HOUR, NOW - each.until * HOUR)
    }
    clock, begun = Clock(), Counter[str]()
    with patch("django.utils.timezone.now", clock.now), ThreadPoolExecutor(4) as pool:
        doors = [each for each in asked for _twice in range(2)]
        done = [pool.submit(in_own_connection, ask, trigger, each) for each in doors]
        for each in done:
            each.result()
        lock = threading.Lock()
        work = [
            pool.submit(in_own_connection, work_off, trigger, clock, begun, lock)
            for _worker in range(2)
        ]
        for each in work:
            each.result()
    assert begun == Counter(dict.fromkeys(wanted - had, 1))


def occurrences(trigger: Trigger, since: datetime, until: datetime) -> list[datetime]:
    runs = trigger.next_runs(since - timedelta(microseconds=1), 200)
    return [run for run in runs if run <= min(until, NOW - timedelta(minutes=1))]


def put_on_record(trigger: Trigger, recorded: list[str | None]) -> set[str]:
    """Put the last occurrences on record, in turns as told; returns the ids of what has run."""
    had = set()
    runs = occurrences(trigger, NOW - 12 * HOUR, NOW)
    for number, due in enumerate(runs):
        kind = recorded[number % len(recorded)]
        if kind is None:
            continue
        key = occurrence_id(trigger.pk, due)
        is_missed = kind == "missed"
        TriggerExecution.objects.create(
            id=key,
            trigger_id=trigger.pk,
            user_id=trigger.user_id,
            status=RunStatus.FAILED if is_missed else RunStatus.COMPLETED,
            outcome=Outcome.MISSED if is_missed else Outcome.SUCCESS,
            source=Source.SCHEDULE,
            attempt=0 if is_missed else 1,
            started_at=due,
            ttl=expiry(due),
        )
        if not is_missed:
            had.add(key)
    return had


def in_own_connection(do: Callable[..., Any], *args: Any) -> Any:
    try:
        return do(*args)
    finally:
        connections.close_all()


def ask(trigger: Trigger, request: Request) -> None:
    """Start a backfill, again if another request came first."""
    for _try in range(20):
        try:
            services.start(Trigger.objects.get(pk=trigger.pk), request.wanted(), by="alice")
        except RETRIED:
            continue
        except ValidationError:
            pass
        return
    raise AssertionError("the backfill could not be started")


def work_off(trigger: Trigger, clock: Clock, begun: Counter[str], lock: threading.Lock) -> None:
    """Work as a scheduler process does, until no backfill of the trigger is under way."""
    for _turn in range(500):
        try:
            worker.work(clock.now())
            for queued in list(QueuedRun.objects.filter(trigger_id=trigger.pk)):
                run_one(queued, begun, lock)
            if not Backfill.objects.under_way(trigger.pk).exists():
                return
        except RETRIED:
            continue
        with lock:
            clock.moment += timedelta(seconds=5)
    raise AssertionError("the backfills did not end")


def run_one(queued: QueuedRun, begun: Counter[str], lock: threading.Lock) -> None:
    def claim() -> bool:
        return bool(QueuedRun.objects.filter(pk=queued.pk).delete()[0])

    run = runner.resume(queued.trigger_id, queued.pk, claim=claim)
    if run is None:
        return
    with lock:
        begun[run.execution.pk] += 1
    runner.set_result(run.execution, RunStatus.COMPLETED)
    for _try in range(20):
        try:
            runner.write([run.execution])
        except RETRIED:
            continue
        return
