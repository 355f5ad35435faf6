"""What stands in a prompt in the place of an event's parts."""

import time
from typing import Any

import pytest

from executions import prompts
from executions.prompts import MAX_VALUE, MAX_VALUES, fill, missing
from triggers.placeholders import not_understood

EVENT = {
    "detail-type": "order.paid",
    "detail": {"id": 4711, "lines": [{"name": "tea"}], "text": "{{ event.detail.id }}"},
    "resources": ["a"],
}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("{{ event.detail.id }}", "4711"),
        ("{{event.detail.lines[0].name}}", "tea"),
        ("{{ event.detail.lines.0.name }}", "tea"),
        ("{{ event[\"detail-type\"] }} {{ event['detail-type'] }}", "order.paid order.paid"),
        ("{{ event.detail.lines }}", '[\n  {\n    "name": "tea"\n  }\n]'),
        ("{{ event.detail.text }}", "{{ event.detail.id }}"),
        ("{{ other.id }} {{ event.detail.id | upper }}", None),
        ("{{ event.detail.none }}", "(the event has no detail.none)"),
        ("{{ event.resources[1] }}", "(the event has no resources[1])"),
        ("{{ event.resources[-1] }}", None),
    ],
)
def test_value_in_its_place(prompt: str, expected: str | None) -> None:
    assert fill(prompt, EVENT) == (prompt if expected is None else expected)


def test_number_longer_than_any_list() -> None:
    """Python refuses to read such numbers (sys.get_int_max_str_digits)."""
    path = f"event.resources[{'9' * 5000}]"
    assert missing(f"{{{{ {path} }}}}", EVENT) == [path]


def test_long_value_is_cut() -> None:
    text = fill("{{ event.a }}", {"a": "x" * (MAX_VALUE + 1)})
    assert text == f"{'x' * MAX_VALUE} (cut: 50,001 characters)"


def test_prompt_does_not_grow_without_end() -> None:
    assert len(fill("{{ event.a }}" * 100, {"a": "x" * MAX_VALUE})) < MAX_VALUES + 100 * 30


CARD = {"detail": {"customer's note": "hello", 'a "b"': "quoted", "a]b": "bracket", "card": "4242"}}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("""{{ event.detail["customer's note"] }}""", "hello"),
        ("""{{ event.detail['a "b"'] }}""", "quoted"),
        ("{{ event.detail['a]b'] }}", "bracket"),
        ('{"note":{{ event.detail.card }}}', '{"note":4242}'),
        ("{{{ event.detail.card }}}", "{4242}"),
        (r"\{{ event.detail.card }}", "{{ event.detail.card }}"),
        (r"\{{ name }} {{ event.detail.card }}", "{{ name }} 4242"),
    ],
)
def test_names_of_any_form(prompt: str, expected: str) -> None:
    assert fill(prompt, CARD) == expected


# Each was, or could be, taken for the part of it that is understood.
HALF = [
    """{{ event.detail['customer's note'] }}""",
    "{{ event.detail[\u201ccard\u201d] }}",
    "{{ event.detail[\u2018card\u2019] }}",
    "{{ event.detail | upper }}",
    "{{ event.detail|json }}",
    "{{ event.detail[-1] }}",
    "{{ event.detail[0:2] }}",
    "{{ event.detail[] }}",
    "{{ event.detail[card] }}",
    "{{ event.detail. }}",
    "{{ event.detail..card }}",
    "{{ event.detail.a b }}",
    "{{ event. detail }}",
    "{{ event.detail.card.upper() }}",
    "{{ event.detail + 1 }}",
    "{{ events.detail }}",
    "{{ Event.detail }}",
    "{{ detail }}",
    "{{ $.detail }}",
    "{{}}",
    "{{ event.detail }",
    "{{ event.detail",
    "{{ event.detail\n}",
]


@pytest.mark.parametrize("prompt", HALF)
def test_nothing_wider_than_what_is_understood(prompt: str) -> None:
    assert fill(prompt, CARD) == prompt


@pytest.mark.parametrize("prompt", HALF)
def test_what_is_not_understood_is_named(prompt: str) -> None:
    assert not_understood(f"Look: {prompt}") == [prompt.partition("\n")[0]]


def test_long_text_after_open_braces_is_cut() -> None:
    assert not_understood("{{ " + "x" * 5000) == ["{{ " + "x" * 77 + "\u2026"]


@pytest.mark.parametrize("path", ["event.detail", "event['detail']"])
def test_large_part_is_written_once(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def count(value: Any, **options: Any) -> str:
        written.append(value)
        return "x" * 100

    monkeypatch.setattr(prompts.json, "dumps", count)
    fill(f"{{{{ {path} }}}} {{{{ event.detail }}}}" * 1000, {"detail": ["x" * 100] * 2000})
    assert len(written) <= 2


def test_work_ends_with_the_room_for_values(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def count(value: Any, **options: Any) -> str:
        written.append(value)
        return "x" * MAX_VALUE

    monkeypatch.setattr(prompts.json, "dumps", count)
    # Each path is another way to name the same element.
    event = {"detail": [[["x" * 100] * 2000]]}
    ways = ["0" * each for each in range(1, 7)]
    fill("".join(f"{{{{ event.detail.{a}.{b} }}}}" for a in ways for b in ways), event)
    assert len(written) == MAX_VALUES // MAX_VALUE


@pytest.mark.parametrize(
    "piece",
    [
        "{{ event.detail }}",
        "{{ event.a }}",
        "{{ event.detail",
        "{{",
        "{{ ",
        '{{ event["',
        "{{ event.a[0]['b'].c ",
        "\\{{",
    ],
)
@pytest.mark.parametrize("work", [fill, missing, "not_understood"])
def test_time_grows_with_the_length_at_most(piece: str, work: Any) -> None:
    event = {"detail": {"text": ["x" * 1000] * 100}}
    call = (lambda text, _: not_understood(text)) if work == "not_understood" else work

    def seconds(number: int) -> float:
        prompt = piece * (number // len(piece))
        took = []
        for _ in range(3):
            began = time.process_time()
            call(prompt, event)
            took.append(time.process_time() - began)
        return min(took)

    # Twice the length: four times as long, were it quadratic. The constant is for the clock.
    assert seconds(100_000) < 3 * seconds(50_000) + 0.02
