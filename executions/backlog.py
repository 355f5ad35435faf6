"""What is due and waits for a place in the local scheduler process, in a fair order.

The users take turns: the one with the fewest runs under way is next, however much the others have
waiting. A row that stays in the database is found again at the next look.
"""

import heapq
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from executions.models import QueuedRun
from moca.changes import Changes
from moca.ids import made_at
from triggers.models import LocalSchedule

Row = TypeVar("Row")

# The most rows that one look reads.
MOST_READ = 20_000
# A look takes at most this share of the time.
SHARE = 0.03


@dataclass(slots=True)
class Due:
    """An occurrence of a schedule that is due at a time.

    Attributes:
        next_run_at: the occurrence.
        due_at: when to look at it.
    """

    pk: str
    user_id: str
    next_run_at: datetime | None
    due_at: datetime


@dataclass(slots=True)
class Queued:
    """A run on record that waits for a process."""

    pk: str
    trigger_id: str
    user_id: str


class Backlog:
    """The runs that wait, as of the last look at the database."""

    def __init__(self) -> None:
        self._schedules: dict[str, deque[Due]] = {}
        self._queued: dict[str, deque[Queued]] = {}
        self._upcoming: deque[Due] = deque()
        self._look_at = 0.0
        self._changes = Changes()
        # The agents of schedules that wait for a place of their agent, by row and occurrence.
        self._parked: dict[tuple[str, datetime | None], str] = {}

    @property
    def size(self) -> int:
        """How many runs wait."""
        schedules = sum(map(len, self._schedules.values()))
        return schedules + sum(map(len, self._queued.values()))

    @property
    def oldest(self) -> datetime | None:
        """Since when the first of them has waited."""
        due = [rows[0].due_at for rows in self._schedules.values() if rows]
        # The id of a run has the time at which it was put on record.
        with suppress(ValueError):
            due += [made_at(rows[0].pk) for rows in self._queued.values() if rows]
        return min(due, default=None)

    def look(self, until: datetime, pause: float) -> None:
        """Read what is due by a moment, unless the last look was a short while ago.

        Args:
            until: the moment.
            pause: the least seconds between two looks. It is longer if a look takes long.
        """
        began = time.monotonic()
        if began < self._look_at:
            return
        rows = LocalSchedule.objects.upcoming(until)
        found = rows.values_list("trigger_id", "user_id", "next_run_at", "due_at")[:MOST_READ]
        self._schedules = {}
        self._upcoming = deque(Due(*row) for row in found)  # type: ignore[arg-type]
        if self._queued or self._changes.may_be():
            self._queued = _queued_runs()
        still = {(row.pk, row.next_run_at) for row in self._upcoming} if self._parked else set()
        self._parked = {key: agent for key, agent in self._parked.items() if key in still}
        took = time.monotonic() - began
        self._look_at = began + max(pause, took / SHARE)

    def hurry(self) -> None:
        """Look at the database in the next turn."""
        self._look_at = 0.0

    def advance(self, now: datetime) -> None:
        """Move on what has become due."""
        while self._upcoming and self._upcoming[0].due_at <= now:
            row = self._upcoming.popleft()
            self._schedules.setdefault(row.user_id, deque()).append(row)

    @property
    def next_due(self) -> datetime | None:
        """When the next schedule becomes due, of those that the last look saw."""
        return self._upcoming[0].due_at if self._upcoming else None

    def park(self, row: Due, agent_id: str) -> None:
        """Leave a schedule where it is, until its agent has room."""
        self._parked[row.pk, row.next_run_at] = agent_id
        self._schedules.setdefault(row.user_id, deque()).append(row)

    def take_schedules(
        self, most: int, running: Mapping[str, int], room: Callable[[str], float]
    ) -> list[Due]:
        """Remove the schedules whose turn it is.

        Args:
            most: how many at the most.
            running: how many runs each user has under way.
            room: returns how many more runs an agent may have.
        """
        left: dict[str, float] = {}

        def may_go(row: Due) -> bool:
            agent_id = self._parked.get((row.pk, row.next_run_at))
            if agent_id is None:
                return True
            if left.setdefault(agent_id, room(agent_id)) < 1:
                return False
            left[agent_id] -= 1
            return True

        return _in_turns(self._schedules, most, running, may_go)

    def take_queued(self, most: int, running: Mapping[str, int]) -> list[Queued]:
        """Remove the queued runs whose turn it is; the arguments are as above."""
        taken = _in_turns(self._queued, most, running, lambda _: True)
        if taken:
            # Those that cannot begin yet are found again.
            self._changes.look_again()
        return taken


def _queued_runs() -> dict[str, deque[Queued]]:
    """The runs on record that wait for a process, by user."""
    found: dict[str, deque[Queued]] = defaultdict(deque)
    rows = QueuedRun.objects.values_list("id", "trigger_id", "user_id")[:MOST_READ]
    for key, trigger_id, user_id in rows:
        found[user_id].append(Queued(key, trigger_id, user_id))
    return found


def _in_turns(
    waiting: dict[str, deque[Row]],
    most: int,
    running: Mapping[str, int],
    may_go: Callable[[Row], bool],
) -> list[Row]:
    """Remove the rows whose turn it is from the users' queues."""
    turns = [(running.get(user, 0), user) for user in waiting]
    heapq.heapify(turns)
    taken: list[Row] = []
    passed_over: dict[str, list[Row]] = defaultdict(list)
    while turns and len(taken) < most:
        count, user = heapq.heappop(turns)
        own = waiting[user]
        while own:
            row = own.popleft()
            if may_go(row):
                taken.append(row)
                heapq.heappush(turns, (count + 1, user))
                break
            passed_over[user].append(row)
    for user, rows in passed_over.items():
        waiting[user].extendleft(reversed(rows))
    for user in [user for user, rows in waiting.items() if not rows]:
        del waiting[user]
    return taken
