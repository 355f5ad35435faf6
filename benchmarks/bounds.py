"""Measures the cost of the largest texts that strangers can send: patterns, templates, Markdown,
content types.

python -m benchmarks.bounds [inputs] [seed]. Each input has the maximum size and consists of pieces
that multiply work. None may take more than 200 ms of the process's CPU time or 50 MB. Work of more
than LONGEST seconds is interrupted.
"""

import json
import os
import signal
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from time import process_time
from typing import Any

CPU_GOAL = 0.2
MEMORY_GOAL = 50.0
LONGEST = 5.0
INPUTS = 40
NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
PROMPT = 50_000
OUTPUT = 128 * 1024
BODY = 256 * 1024
SAMPLE = 64 * 1024
# Waitress and API Gateway accept no longer header.
HEADER = 8 * 1024

MARKDOWN = (
    *(
        "# a\n",
        "- ",
        "> ",
        "1. ",
        "a\n",
        "  \n",
        "\n",
        "***",
        "*a",
        "_a_ ",
        "~~",
        "`",
        "```\n",
        "[a](b)",
    ),
    *(
        "[",
        "]",
        "![",
        "](",
        "<a:b>",
        "<",
        "&amp;",
        "&",
        '"',
        "|a",
        "|-",
        "a|b|c\n-|-|-\n",
        "\\",
        "é",
        " ",
    ),
)
TEMPLATES = (
    *("{{", "}}", "{{ event", ".detail", ".a", "[0]", '["a"]', "['a']", "[", '"', "'", " ", "\n"),
    *("{{ event.detail }}", "{{ event.a.b }}", "{{ event.items[1] }}", "{", "}", "a", "event."),
)
TYPES = ("application/", "json", "+json", "+", "/", ";", "a", " ", "charset=", '"', "cloudevents")


@dataclass(frozen=True, slots=True)
class Cost:
    """The time and memory that an input took."""

    seconds: float
    megabytes: float
    what: str


def written(random: Random, pieces: tuple[str, ...], size: int) -> str:
    """A text of a given size, made of a few pieces: repeated, in turn, or mixed."""
    few = random.sample(pieces, random.randint(1, 4))
    form = random.choice(["one", "turns", "mixed", "runs"])
    if form == "one":
        text = few[0] * size
    elif form == "turns":
        text = "".join(few) * size
    elif form == "mixed":
        text = "".join(random.choices(few, k=size))
    else:
        text = "".join(piece * random.randint(1, size) for piece in few)
    ending = random.choice(["", "\0", "x", "\n", pieces[0]])
    return text[: size - len(ending)] + ending


def event(random: Random, size: int) -> dict[str, Any]:
    """An event of about the given size, full of lists of objects, values or texts."""
    names = ["a", "b", "n0", "n1", "a.b", "or0", "or1"]
    one: dict[str, Any] = {
        name: random.choice([1, "x", [1, 2], {"a": 1}, []]) for name in random.sample(names, 3)
    }
    element = random.choice([1, "x", {}, one, [1], [one], "a" * 200])
    listed = [element] * (size // (len(json.dumps(element)) + 2))
    text = written(random, ("a", "ab", "*", "é"), size)
    inner = random.choice([listed, text, {"a": listed}, {f"a.b{n}": 1 for n in range(size // 12)}])
    return {"source": "my.app", "detail": {"items": inner}}


def pattern(random: Random) -> dict[str, Any]:
    """A pattern of at most 4,096 characters."""
    conditions: list[Any] = [
        [1],
        [{"exists": False}],
        [{"prefix": "x"}, {"suffix": "y"}],
        [{"wildcard": "*a*b"}],
        [{"cidr": "10.0.0.0/8"}],
        [{"numeric": [">", 5]}],
        [{"anything-but": {"wildcard": ["*a", "*b", "*c"]}}],
        [{"equals-ignore-case": "a" * random.randint(1, 3000)}],
        [{"suffix": {"equals-ignore-case": "ß" * random.randint(1, 500)}}],
    ]
    kind = random.choice(["ways", "fields", "one", "values", "deep"])
    fields: dict[str, Any]
    if kind == "ways":
        condition = random.choice(conditions[:6])
        fields = {f"or{n}": {"$or": [{"a": condition}, {"b": [2]}]} for n in range(9)}
    elif kind == "fields":
        condition = random.choice(conditions[:6])
        fields = {f"n{n}": condition for n in range(60)}
    elif kind == "one":
        fields = {"a": random.choice(conditions)}
    elif kind == "values":
        texts = [f"*{n}" for n in range(300)]
        return {"detail": {"items": [{"anything-but": {"wildcard": texts}}]}}
    else:
        fields = {"a": [1]}
        for _level in range(40):
            fields = {"a": fields}
    return {"detail": {"items": fields}}


def of_patterns(random: Random) -> tuple[str, Callable[[], object]]:
    from events.patterns import TooMuchWorkError, parse

    wanted, found = pattern(random), event(random, BODY)
    read = parse(wanted)
    sample = event(random, SAMPLE)
    kind = random.choice(["parse", "match", "explain"])

    def work() -> object:
        with suppress(TooMuchWorkError):
            if kind == "parse":
                return parse(wanted)
            return read.matches(found) if kind == "match" else read.explain(sample)
        return None

    return f"{kind} {json.dumps(wanted)[:60]}", work


def of_templates(random: Random) -> tuple[str, Callable[[], object]]:
    from executions import prompts
    from triggers.placeholders import not_understood

    prompt, found = written(random, TEMPLATES, PROMPT), event(random, BODY)
    ask = random.choice([prompts.fill, prompts.missing])
    if random.random() < 0.3:
        return f"not understood {prompt[:50]!r}", lambda: not_understood(prompt)
    return f"{ask.__name__} {prompt[:50]!r}", lambda: ask(prompt, found)


def of_markdown(random: Random) -> tuple[str, Callable[[], object]]:
    from console.markdown import render

    text = written(random, MARKDOWN, OUTPUT)
    if random.random() < 0.5:
        # Split it into lines.
        width = random.choice([7, 80, 2000])
        text = "\n".join(text[start : start + width] for start in range(0, len(text), width))
    return f"{text[:50]!r}", lambda: render(text)


def of_types(random: Random) -> tuple[str, Callable[[], object]]:
    from events.webhooks import EnvelopeError, parse

    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "a", "ce-type": "b"}
    kind = written(random, TYPES, HEADER)
    body = b"no JSON"
    if random.random() < 0.5:
        # In the body, the type may be as long as the body.
        cloud_event = {name.removeprefix("ce-"): value for name, value in headers.items()}
        inner = written(random, TYPES, BODY - 1000)
        cloud_event |= {"datacontenttype": inner, "data_base64": "bm8gSlNPTg=="}
        headers, kind = {}, "application/cloudevents+json"
        body = json.dumps(cloud_event).encode()

    headers["webhook-id"] = "1"

    def work() -> object:
        with suppress(EnvelopeError):
            return parse("webhook", "shop", kind, headers, body, NOW)
        return None

    return f"{kind[:30]!r} {body[60:100]!r}", work


KINDS = {
    "patterns": of_patterns,
    "templates": of_templates,
    "Markdown": of_markdown,
    "content types": of_types,
}


def _break_off(_signal: int, _frame: object) -> None:
    raise TimeoutError


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time of a piece of work in seconds, at most LONGEST; the better of two tries."""
    taken = []
    for _turn in range(2):
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        start = process_time()
        try:
            work()
        except TimeoutError:
            return LONGEST
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        taken.append(process_time() - start)
        if taken[0] < CPU_GOAL / 4:
            break
    return min(taken)


def megabytes(work: Callable[[], object]) -> float:
    """The peak memory of a piece of work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def measure(make: Callable[[Random], tuple[str, Callable[[], object]]], seed: str) -> Cost:
    what, work = make(Random(seed))
    seconds = cpu_seconds(work)
    # Tracing takes several times as long; skip it if the time is too long already.
    used = megabytes(work) if seconds < 1 else 0.0
    return Cost(seconds, used, f"{seed}: {what}")


def main() -> int:
    inputs = int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS
    seed = sys.argv[2] if len(sys.argv) > 2 else "2027"
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"MOCA_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "moca.settings"}
        import django

        django.setup()
        signal.signal(signal.SIGPROF, _break_off)
        too_much = 0
        for name, make in KINDS.items():
            measure(make, f"{name} warm")
            costs = [measure(make, f"{name} {seed} {number}") for number in range(inputs)]
            slowest = max(costs, key=lambda cost: cost.seconds)
            largest = max(cost.megabytes for cost in costs)
            beyond = [c for c in costs if c.seconds > CPU_GOAL or c.megabytes > MEMORY_GOAL]
            too_much += len(beyond)
            print(
                f"{name}: {inputs} inputs, at most {1000 * slowest.seconds:.0f} ms and "
                f"{largest:.1f} MB; {len(beyond)} beyond 200 ms or 50 MB"
            )
            print(f"  slowest: {slowest.what}")
    return int(too_much > 0)


if __name__ == "__main__":
    sys.exit(main())
