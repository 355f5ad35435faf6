"""Limits the work of matching, counted in steps to be the same on every machine."""

from events.patterns.errors import TooMuchWorkError

# A step is roughly one test of one value. This many take 0.1 to 0.2 s.
MAX_STEPS = 500_000


class Work:
    """Counts steps up to a limit."""

    __slots__ = ("done", "limit")

    def __init__(self, limit: int = MAX_STEPS) -> None:
        self.done = 0
        self.limit = limit

    def spend(self, steps: int) -> None:
        """Count steps before doing them; TooMuchWorkError if they pass the limit."""
        self.done += steps
        if self.done > self.limit:
            raise TooMuchWorkError(self.limit)
