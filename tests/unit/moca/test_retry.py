"""Retries: how often, how long, and when to give up."""

import ast
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from moca.retry import retry

ROOT = Path(__file__).resolve().parents[3]
# The DynamoDB backend stands alone; outages.py paces processes that never give up.
OWN_JITTER = ("moca/retry.py", "moca/outages.py", "moca/dynamodb")


class BusyError(Exception):
    """The error of the calls in these tests."""


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """Record pauses instead of sleeping; each is as long as its ceiling."""
    made: list[float] = []
    with (
        mock.patch("moca.retry.sleep", made.append),
        mock.patch("moca.retry.random.uniform", lambda least, most: most),
    ):
        yield made


def failing(times: int) -> Callable[[], int]:
    """A call that fails `times` times, and then returns the number of calls."""
    calls = itertools.count(1)

    def call() -> int:
        number = next(calls)
        if number <= times:
            raise BusyError(number)
        return number

    return call


def test_a_call_is_repeated_until_it_succeeds(pauses: list[float]) -> None:
    assert retry(failing(3), on=BusyError) == 4


def test_pauses_double_up_to_the_longest(pauses: list[float]) -> None:
    retry(failing(5), on=BusyError, first=0.01, longest=0.05)

    assert pauses == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_a_pause_is_any_time_up_to_its_ceiling() -> None:
    with (
        mock.patch("moca.retry.sleep"),
        mock.patch("moca.retry.random.uniform", return_value=0.0) as drawn,
    ):
        retry(failing(2), on=BusyError, first=0.5, longest=9.0)

    assert [call.args for call in drawn.call_args_list] == [(0, 0.5), (0, 1.0)]


def test_the_last_error_is_raised_once_the_tries_are_used_up(pauses: list[float]) -> None:
    with pytest.raises(BusyError, match="3"):
        retry(failing(9), on=BusyError, tries=3)

    assert len(pauses) == 2


def test_another_error_is_raised_at_once(pauses: list[float]) -> None:
    with pytest.raises(BusyError, match="1"):
        retry(failing(1), on=ValueError)


def test_no_pause_begins_that_would_pass_the_deadline(pauses: list[float]) -> None:
    with pytest.raises(BusyError, match="4"):
        retry(
            failing(99), on=BusyError, tries=None, first=1, longest=60, left=lambda: 8 - sum(pauses)
        )

    assert pauses == [1, 2, 4]


def test_a_pause_is_as_long_as_the_error_asks_for(pauses: list[float]) -> None:
    retry(failing(1), on=BusyError, wait=lambda error: 7.5)

    assert pauses == [7.5]


def test_an_error_that_no_retry_helps_against_is_raised_at_once(pauses: list[float]) -> None:
    def give_up(error: BusyError) -> float:
        raise error

    with pytest.raises(BusyError, match="1"):
        retry(failing(2), on=BusyError, wait=give_up)


def test_any_number_of_tries_is_possible_without_a_limit(pauses: list[float]) -> None:
    assert retry(failing(2000), on=BusyError, tries=None) == 2001


def test_no_other_module_draws_pauses_of_its_own() -> None:
    drawing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("moca", "agents", "alerts", "events", "triggers", "executions", "console")
        for path in (ROOT / folder).rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "uniform"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }

    assert {name for name in drawing if not name.startswith(OWN_JITTER)} == set()
