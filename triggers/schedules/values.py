"""Patterns in the sorted values of a cron field, for the descriptions in both languages."""

from itertools import pairwise


def step_of(values: tuple[int, ...]) -> int | None:
    """The difference between neighbouring values, or None if it is not always the same."""
    steps = {later - value for value, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def stretches(values: tuple[int, ...]) -> list[tuple[int, int]]:
    """The first and last value of each run of consecutive values."""
    firsts = [value for value in values if value - 1 not in values]
    lasts = [value for value in values if value + 1 not in values]
    return list(zip(firsts, lasts, strict=True))
