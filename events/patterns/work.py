"""How much work a pattern may be, counted in steps so that it is the same on each machine."""

from events.patterns.errors import TooMuchWorkError

# A step is about one question to one value of an event. So many take 0.1 to 0.2 s.
MAX_STEPS = 500_000


class Work:
    """The steps that were taken, up to a limit."""

    __slots__ = ("done", "limit")

    def __init__(self, limit: int = MAX_STEPS) -> None:
        self.done = 0
        self.limit = limit

    def spend(self, steps: int) -> None:
        """Count steps before they are taken; TooMuchWorkError if they are more than the limit."""
        self.done += steps
        if self.done > self.limit:
            raise TooMuchWorkError(self.limit)
