"""What stands in a prompt in the place of an event's parts."""

import pytest

from executions.placeholders import MAX_VALUE, MAX_VALUES, fill, missing

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
