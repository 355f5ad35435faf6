"""Regular expressions take texts of any size: twice the text must be twice the work at most.

All that the modules keep are found by themselves. A text that was tried in very many ways took 44 s
of one page.
"""

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import pytest

import console
import events
import executions
import mcp_server
import moca
import triggers
from agents.demo import answers
from console.markdown import render
from triggers.schedules import ExpressionError, parse

PACKAGES = (console, events, executions, mcp_server, moca, triggers)
SIZE = 2500
# What most expressions repeat, and what comes before it.
REPEATED = (
    " ",
    "-",
    "a",
    "0",
    "1,",
    "#",
    "|",
    "| ",
    '"',
    ".",
    "/",
    ":",
    "a-",
    "{",
    "\n|",
    "\t",
    "{{",
)
BEGINNINGS = ("", "|", "a", "0", " ", "{{", "{{event", 'user:"', "*/", "arn:aws:", "x")
# As long as a key of DynamoDB, or shorter.
SHORT = {
    "moca.dynamodb.layout": 1024,
    "triggers.schedules": 256,
}


def found() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Each expression that a module keeps, by its name."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Those of settings change the environment.
            if module.name.endswith(("urls", "settings", "wsgi")) or {
                "migrations",
                "management",
            } & {*module.name.split(".")}:
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{module.name}.{name}", value


EXPRESSIONS = dict(found())


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of the fastest of three turns, which other processes disturb least."""
    taken = []
    for _turn in range(3):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


@cache
def is_searched(name: str) -> bool:
    """Whether its module looks for the expression at each place, and not at the beginning alone."""
    module, _dot, own = name.rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    return bool(re.search(rf"\b{own}\.(?:search|finditer|findall|sub|split)\b", source))


def ask(name: str, text: str) -> None:
    EXPRESSIONS[name].fullmatch(text)
    if is_searched(name):
        EXPRESSIONS[name].findall(text)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_twice_the_text_is_twice_the_work(name: str) -> None:
    size = next((size for place, size in SHORT.items() if name.startswith(place)), SIZE)
    for beginning, repeated in product(BEGINNINGS, REPEATED):
        one, two = (f"{beginning}{repeated * (n // len(repeated))}\0x" for n in (size, 2 * size))
        took = seconds(lambda text=two: ask(name, text))
        # So little time is no sign of anything.
        if took < 0.01:
            continue
        assert took < 3 * seconds(lambda text=one: ask(name, text)), (
            f"{beginning!r} and {repeated!r}"
        )


# Texts that took long, by the door through which they come in.
DOORS: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "a prompt to the demo agent": (
        answers.answer_text,
        lambda n: f"demo: a b{' ' * n}c\n| trigger | a{' ' * n}b",
    ),
    "lines for the demo agent": (answers.Script.read, lambda n: f"demo: a b{' ' * n}c"),
    "Markdown": (render, lambda n: "| trigger |" + " |" * n),
}


@pytest.mark.parametrize("name", DOORS)
def test_door_lets_long_texts_through_in_time(name: str) -> None:
    read, make = DOORS[name]
    one, two = make(20_000), make(40_000)
    took = seconds(lambda: read(two))
    assert took < 0.05 or took < 3 * seconds(lambda: read(one))


def test_schedule_of_the_longest_text_is_read_at_once() -> None:
    def read() -> None:
        with pytest.raises(ExpressionError):
            parse(f"rate({'-' * 248}\0)")

    assert seconds(read) < 0.02
