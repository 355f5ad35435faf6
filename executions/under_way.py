"""The runs that a scheduler process has claimed and whose results are not on record yet."""

import threading
from collections import Counter

from executions.runner import Run


class UnderWay:
    """The runs by id, with counts by user and by trigger. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._users: Counter[str] = Counter()
        # Triggers whose runs must not overlap.
        self._exclusive: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._runs

    def add(self, run: Run) -> None:
        """Add a run that was claimed."""
        with self._lock:
            self._runs[run.execution.pk] = run
            self._count(run, 1)

    def remove(self, run: Run) -> None:
        """Remove a run whose result is on record."""
        with self._lock:
            if self._runs.pop(run.execution.pk, None) is not None:
                self._count(run, -1)

    def all(self) -> list[Run]:
        """All runs, as of now."""
        with self._lock:
            return list(self._runs.values())

    def by_user(self) -> dict[str, int]:
        """How many runs each user has."""
        with self._lock:
            return dict(self._users)

    def is_under_way(self, trigger_id: str) -> bool:
        """Whether there is a run of the trigger that must not be overlapped."""
        return trigger_id in self._exclusive

    def _count(self, run: Run, by: int) -> None:
        counted = [(self._users, run.trigger.user_id)]
        if run.trigger.holds_itself:
            counted.append((self._exclusive, run.trigger.pk))
        for counter, key in counted:
            counter[key] += by
            if not counter[key]:
                del counter[key]
