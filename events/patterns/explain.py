"""Explains to the author of a pattern, field by field, why an event matches or not.

In an array of objects, the findings are about the one object that comes nearest to a match, because
fields that match in different objects are no match.
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
    """The result for one field of a pattern, or for an `$or`.

    Attributes:
        path: the place in the pattern, such as "detail.state", or "detail.$or[1].state" within the
            second alternative of an `$or`.
        matched: whether the event has what is wanted.
        wanted: a phrase such as 'a text that begins with "order."'.
        found: a phrase such as 'found "x"' or "is missing".
        within: the path of the `$or` that the field is part of, or empty. An `$or` has a finding of
            its own, ahead of its fields.
    """

    path: str
    matched: bool
    wanted: str
    found: str
    within: str = ""


# The state of a field: it does not match; it may be absent and is; it has a value that matches.
FAILS, ABSENT, PRESENT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Look:
    """The state and the value of a field in an event.

    `within` has a pair for each array element that the value lies in, the innermost first: its
    position from 1, and the array's path.
    """

    state: int
    value: Any
    within: tuple[tuple[int, str], ...] = ()

    def phrase(self, leaf: Leaf, work: Work) -> str:
        """What was found, as a phrase."""
        text = _value_phrase(leaf, self.value, work)
        for position, place in self.within:
            text = messages.found_at(text, position, place)
        return text


# The steps of looking at one name: it takes longer than testing a value, since results are kept.
_LOOK_STEPS = 9
# The look of each field of a way.
_Looks = dict[Leaf, _Look]


def explain(tree: AllOf, event: dict[str, Any], work: Work) -> list[Finding]:
    """The findings for all fields of a pattern, in its order."""
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
    """Findings for the fields of one way; for other fields, by the best way that has them."""
    for part in tree.parts:
        if isinstance(part, Leaf):
            look = looks[part]
            wanted = messages.either([condition.wanted for condition in part.conditions])
            found = look.phrase(part, work)
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


def _look_into(node: Node, event: dict[str, Any], place: str, work: Work) -> _Looks:
    """Look at all names below a node in an object; `place` is the object's path in the event."""
    dotted = node.dotted()
    work.spend(_LOOK_STEPS * (len(node.below) + len(dotted)))
    if not dotted.isdisjoint(event):
        event = without_dots(event, dotted, work)
    looks: _Looks = {}
    for name, below in node.below.items():
        inner = f"{place}.{name}" if place else name
        looks |= _look_at(below, event.get(name, MISSING), inner, work)
    return looks


def _look_at(node: Node, value: Any, place: str, work: Work) -> _Looks:
    looks = {leaf: _look_at_value(leaf, value, work) for leaf in node.leaves}
    if not node.below:
        return looks
    if isinstance(value, list):
        choices = [_look_into(node, each, place, work) for each in objects(value, work)]
        if choices:
            return looks | _choose(choices, place)
        return looks | _look_into(node, {}, place, work)
    return looks | _look_into(node, value if isinstance(value, dict) else {}, place, work)


def _choose(choices: list[_Looks], place: str) -> _Looks:
    """The looks of the array's object that comes nearest to a match."""
    found = [
        (position, looks)
        for position, looks in enumerate(choices, 1)
        if any(look.state == PRESENT for look in looks.values())
    ]
    if not found:
        # No object has a match: a field that may be absent must be absent in all of them.
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


def _value_phrase(leaf: Leaf, value: Any, work: Work) -> str:
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
