"""What an event has of what a pattern wants, field by field, in words.

In an array of objects the findings are about one object of it, that which comes nearest to what is
wanted: fields that match in different objects do not make a match.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from events.patterns import words
from events.patterns.matching import (
    ABSENT,
    FAILS,
    MISSING,
    PRESENT,
    Step,
    objects,
    plain_values,
    steps,
    value_test,
    ways,
    without_dots,
)
from events.patterns.reading import Either, Every, Leaf


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one field of a pattern, or for an `$or`.

    `path` is the place in the pattern, such as "detail.state" or, within the second alternative of
    an `$or`, "detail.$or[1].state". `wanted` and `found` are phrases: "a text that begins with
    "order."" and "found "x"" or "is missing". `within` is the path of the `$or` of which this is
    part, and empty outside of one: an `$or` has a finding of its own, ahead of its fields.
    """

    path: str
    matched: bool
    wanted: str
    found: str
    within: str = ""


# For each field of a way: FAILS, ABSENT or PRESENT, and what was found.
_Looks = dict[Leaf, tuple[int, str]]


def explain(tree: Every, event: dict[str, Any]) -> list[Finding]:
    """The findings of a pattern, in its order."""
    looks = [_look_into(steps(way), event, "") for way in ways(tree)]
    looks.sort(key=_failures)
    return list(_findings(tree, looks[0], looks, ""))


def _failures(looks: _Looks) -> int:
    return sum(state == FAILS for state, _found in looks.values())


def _findings(
    tree: Every, looks: _Looks, all_looks: list[_Looks], within: str
) -> Iterator[Finding]:
    """Tell of the fields by one way to match, and of others by the best way that has them."""
    for part in tree.parts:
        if isinstance(part, Leaf):
            state, found = looks[part]
            wanted = words.either([condition.wanted for condition in part.conditions])
            yield Finding(part.path, state != FAILS, wanted, found, within)
            continue
        yield _either(part, looks, within)
        for alternative in part.alternatives:
            best = next(each for each in all_looks if _is_way_of(alternative, each))
            yield from _findings(alternative, best, all_looks, part.path)


def _either(part: Either, looks: _Looks, within: str) -> Finding:
    wanted = words.alternatives(len(part.alternatives))
    for number, alternative in enumerate(part.alternatives, 1):
        if _is_way_of(alternative, looks) and _holds(alternative, looks):
            found = words.alternative_holds(number)
            return Finding(part.path, True, wanted, found, within)
    return Finding(part.path, False, wanted, words.NO_ALTERNATIVE, within)


def _is_way_of(alternative: Every, looks: _Looks) -> bool:
    return any(leaf in looks for leaf in alternative.leaves())


def _holds(alternative: Every, looks: _Looks) -> bool:
    return all(looks[leaf][0] != FAILS for leaf in alternative.leaves() if leaf in looks)


def _look_into(step: Step, event: dict[str, Any], place: str) -> _Looks:
    """Look at all names below a step in an object, which stands at a place of the event."""
    event = without_dots(event, step.dotted())
    looks: _Looks = {}
    for name, below in step.below.items():
        looks |= _look_at(below, event.get(name, MISSING), f"{place}.{name}" if place else name)
    return looks


def _look_at(step: Step, value: Any, place: str) -> _Looks:
    looks = {step.leaf: _look_at_value(step.leaf, value)} if step.leaf else {}
    if not step.below:
        return looks
    if isinstance(value, list):
        choices = [_look_into(step, each, place) for each in objects(value)]
        return looks | (_choose(choices, place) if choices else _look_into(step, {}, place))
    return looks | _look_into(step, value if isinstance(value, dict) else {}, place)


def _choose(choices: list[_Looks], place: str) -> _Looks:
    """Take the object of an array that comes nearest, if any has a value that matches."""
    found = [
        (position, looks)
        for position, looks in enumerate(choices, 1)
        if any(state == PRESENT for state, _found in looks.values())
    ]
    if not found:
        # No object is meant more than another, so that what may be absent must be so in all.
        return {
            leaf: min((looks[leaf] for looks in choices), key=lambda look: look[0])
            for leaf in choices[0]
        }
    position, best = min(found, key=lambda each: _failures(each[1]))
    return {
        leaf: (state, words.found_at(text, position, place)) for leaf, (state, text) in best.items()
    }


def _look_at_value(leaf: Leaf, value: Any) -> tuple[int, str]:
    absent = ABSENT if leaf.may_be_absent else FAILS
    if value is MISSING:
        return absent, words.MISSING
    if isinstance(value, dict):
        return absent, words.FOUND_OBJECT
    values = list(plain_values(value)) if isinstance(value, list) else [value]
    if not values:
        return absent, words.FOUND_NO_VALUES if value else words.FOUND_EMPTY_LIST
    test = value_test(leaf)
    matching = [each for each in values if test(each)]
    return (PRESENT, words.found(matching)) if matching else (FAILS, words.found(values))
