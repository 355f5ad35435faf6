"""What an event has of what a pattern wants, field by field, in messages.

In an array of objects the findings are about one object of it, that which comes nearest to what is
wanted: fields that match in different objects do not make a match.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from events.patterns import messages
from events.patterns.matcher import (
    MISSING,
    Node,
    build_nodes,
    objects,
    plain_values,
    steps_of,
    value_test,
    ways,
    without_dots,
)
from events.patterns.parser import AllOf, AnyOf, Leaf
from events.patterns.work import Work


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


# What a field makes of an event: it does not match; it may be absent and is; it has a value that
# matches.
FAILS, ABSENT, PRESENT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found for a field: what it makes of the event, its value, and the array elements in
    which that lies, each with the array's place, the innermost first."""

    state: int
    value: Any
    within: tuple[tuple[int, str], ...] = ()

    def said(self, leaf: Leaf, work: Work) -> str:
        """What was found, as a phrase."""
        text = _said(leaf, self.value, work)
        for position, place in self.within:
            text = messages.found_at(text, position, place)
        return text


# What is found is kept for each way, which takes longer than to ask a value: so many steps.
_LOOK_STEPS = 9
# For each field of a way.
_Looks = dict[Leaf, _Look]


def explain(tree: AllOf, event: dict[str, Any], work: Work) -> list[Finding]:
    """The findings of a pattern, in its order."""
    looks = []
    for way in ways(tree):
        looks.append(_look_into(build_nodes(dict.fromkeys(way, 1)), event, "", work))
        work.spend(len(way))
    looks.sort(key=_failures)
    return list(_findings(tree, looks[0], looks, "", work))


def _failures(looks: _Looks) -> int:
    return sum(look.state == FAILS for look in looks.values())


def _findings(
    tree: AllOf, looks: _Looks, all_looks: list[_Looks], within: str, work: Work
) -> Iterator[Finding]:
    """Tell of the fields by one way to match, and of others by the best way that has them."""
    for part in tree.parts:
        if isinstance(part, Leaf):
            look = looks[part]
            wanted = messages.either([condition.wanted for condition in part.conditions])
            found = look.said(part, work)
            yield Finding(part.path, look.state != FAILS, wanted, found, within)
            continue
        yield _either(part, looks, within)
        for alternative in part.alternatives:
            best = next(each for each in all_looks if _is_way_of(alternative, each))
            yield from _findings(alternative, best, all_looks, part.path, work)


def _either(part: AnyOf, looks: _Looks, within: str) -> Finding:
    wanted = messages.alternatives(len(part.alternatives))
    for number, alternative in enumerate(part.alternatives, 1):
        if _is_way_of(alternative, looks) and _holds(alternative, looks):
            found = messages.alternative_holds(number)
            return Finding(part.path, True, wanted, found, within)
    return Finding(part.path, False, wanted, messages.NO_ALTERNATIVE, within)


def _is_way_of(alternative: AllOf, looks: _Looks) -> bool:
    return any(leaf in looks for leaf in alternative.leaves())


def _holds(alternative: AllOf, looks: _Looks) -> bool:
    return all(looks[leaf].state != FAILS for leaf in alternative.leaves() if leaf in looks)


def _look_into(step: Node, event: dict[str, Any], place: str, work: Work) -> _Looks:
    """Look at all names below a step in an object, which stands at a place of the event."""
    dotted = step.dotted()
    work.spend(_LOOK_STEPS * (len(step.below) + len(dotted)))
    if not dotted.isdisjoint(event):
        event = without_dots(event, dotted, work)
    looks: _Looks = {}
    for name, below in step.below.items():
        inner = f"{place}.{name}" if place else name
        looks |= _look_at(below, event.get(name, MISSING), inner, work)
    return looks


def _look_at(step: Node, value: Any, place: str, work: Work) -> _Looks:
    looks = {leaf: _look_at_value(leaf, value, work) for leaf in step.leaves}
    if not step.below:
        return looks
    if isinstance(value, list):
        choices = [_look_into(step, each, place, work) for each in objects(value, work)]
        if choices:
            return looks | _choose(choices, place)
        return looks | _look_into(step, {}, place, work)
    return looks | _look_into(step, value if isinstance(value, dict) else {}, place, work)


def _choose(choices: list[_Looks], place: str) -> _Looks:
    """Take the object of an array that comes nearest, if any has a value that matches."""
    found = [
        (position, looks)
        for position, looks in enumerate(choices, 1)
        if any(look.state == PRESENT for look in looks.values())
    ]
    if not found:
        # No object is meant more than another, so that what may be absent must be so in all.
        return {
            leaf: min((looks[leaf] for looks in choices), key=lambda look: look.state)
            for leaf in choices[0]
        }
    position, best = min(found, key=lambda each: _failures(each[1]))
    return {
        leaf: _Look(look.state, look.value, (*look.within, (position, place)))
        for leaf, look in best.items()
    }


def _look_at_value(leaf: Leaf, value: Any, work: Work) -> _Look:
    absent = ABSENT if leaf.may_be_absent else FAILS
    if value is MISSING or isinstance(value, dict):
        return _Look(absent, value)
    values = plain_values(value, work) if isinstance(value, list) else iter([value])
    test, is_there = value_test(leaf), False
    for each in values:
        is_there = True
        work.spend(steps_of(leaf.steps, each))
        if test(each):
            return _Look(PRESENT, value)
    return _Look(FAILS if is_there else absent, value)


def _said(leaf: Leaf, value: Any, work: Work) -> str:
    if value is MISSING:
        return messages.MISSING
    if isinstance(value, dict):
        return messages.FOUND_OBJECT
    values = list(plain_values(value, work)) if isinstance(value, list) else [value]
    if not values:
        return messages.FOUND_NO_VALUES if value else messages.FOUND_EMPTY_LIST
    work.spend(sum(steps_of(leaf.steps, each) for each in values))
    test = value_test(leaf)
    return messages.found([each for each in values if test(each)] or values)
