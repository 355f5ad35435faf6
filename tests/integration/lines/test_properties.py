"""Random arrivals, ends, crashes and cancellations, beside a plain model of the line."""

from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executions import runner
from executions.models import Line, TriggerExecution
from executions.runner import close
from executions.runner.cancel import cancel_run
from executions.runner.lines import line_id
from tests.examples import examples
from tests.integration.lines.test_lines import arrive, begin
from triggers.models import RunStatus, Trigger

USERS = count()
ACTS = st.sampled_from(["arrive", "arrive", "begin", "end", "crash", "cancel a turn"])


def _make(number: int, most: int) -> list[Trigger]:
    """Triggers of a new user that share a key."""
    made, user_id = [], f"user-{next(USERS)}"
    for place in range(number):
        trigger = Trigger(
            user_id=user_id,
            name=f"T{place}",
            type="event",
            agent_id="a",
            prompt="Go.",
            overlap_policy="allow",
            event_config={"eventPattern": {"source": ["shop"]}},
            concurrency_key="shared",
            max_concurrent=most,
        )
        trigger.save()
        made.append(trigger)
    return made


def _crash(execution: TriggerExecution) -> None:
    """The process of a run dies; maintenance finds its lease ended."""
    row = TriggerExecution.objects.keyed(execution.trigger_id, execution.pk)
    row.update(lease_until=timezone.now() - timedelta(seconds=1))
    runner.close_lost(timezone.now())


class Expected:
    """The plain model: who has a place, who waits, who runs, and who has ended."""

    def __init__(self, triggers: list[Trigger], most: int) -> None:
        self.triggers, self.most = triggers, most
        self.places: list[str] = []
        self.waiting: list[str] = []
        self.running: dict[str, TriggerExecution] = {}
        self.owners: dict[str, Trigger] = {}
        self.ended: set[str] = set()

    def act(self, act: str, which: int) -> None:
        if act == "arrive":
            self.arrive(self.triggers[which % len(self.triggers)])
        elif act == "begin":
            self.running |= {one.pk: one for one in begin()}
        elif act == "cancel a turn" and self.waiting:
            self.cancel(self.waiting.pop(which % len(self.waiting)))
        elif act in ("end", "crash") and self.running:
            self.end(sorted(self.running)[which % len(self.running)], crashes=act == "crash")

    def arrive(self, trigger: Trigger) -> None:
        key = arrive(trigger)
        self.owners[key] = trigger
        (self.places if len(self.places) < self.most else self.waiting).append(key)
        self.waiting.sort()

    def cancel(self, key: str) -> None:
        cancel_run(TriggerExecution.objects.keyed(self.owners[key].pk, key).get(), by="ann")
        self.ended.add(key)

    def end(self, key: str, *, crashes: bool = False) -> None:
        execution = self.running.pop(key)
        if crashes:
            _crash(execution)
        else:
            close(execution, RunStatus.COMPLETED)
        self.ended.add(key)
        self.places.remove(key)
        if self.waiting:
            self.places.append(self.waiting.pop(0))

    def of_line(self) -> tuple[list[str], int]:
        return sorted(self.places), len(self.waiting)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    acts=st.lists(st.tuples(ACTS, st.integers(0, 5)), max_size=25),
    most=st.integers(1, 3),
    triggers=st.integers(1, 2),
)
def test_never_more_than_may_and_nothing_is_lost(
    acts: list[tuple[str, int]], most: int, triggers: int
) -> None:
    expected = Expected(_make(triggers, most), most)
    key = line_id(expected.triggers[0].user_id, "key shared")
    for act, which in acts:
        expected.act(act, which)
        line = Line.objects.filter(pk=key).first()
        found = sorted(holder[0] for holder in line.holders) if line else []
        assert (found, line.waiting if line else 0) == expected.of_line()
        assert len(expected.running) <= most
    while expected.places:
        expected.act("begin", 0)
        assert 0 < len(expected.running) <= most
        expected.end(min(expected.running))
    assert expected.ended == expected.owners.keys()
