"""From the tree of a pattern to functions that ask it of an event.

A pattern is made into the ways in which it can match: one for each combination of alternatives of
its `$or`s, as in Event Ruler. A way is a set of fields of which all must match, and so is quickly
asked of an event from the top down.

Arrays of an event (User Guide, "Matching on multiple values"; Event Ruler's README, "JSON Array
Matching"): a field matches if any value of the array does; arrays within arrays count as one; an
array of objects is entered, and all fields of a way that lie in it must match in the same object.
An empty array, and an object in place of a value, is no value: such a field does not exist.
`{"exists": false}` in an array of objects is about the object in which the other fields match, and
about all of them if there is no other field.

Two things that no event should do are read simply. A field of which a pattern wants both a value
and fields within it is read for each apart. A name that an event gives twice, once with dots, has
both values, as if they stood in an array.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, product
from typing import Any

from events.patterns.operators import Test
from events.patterns.reading import Either, Every, Leaf

Way = tuple[Leaf, ...]
Matcher = Callable[[dict[str, Any]], bool]

MISSING: Any = object()

# What a field or several make of an event: they do not match; they do, for all may be absent and
# are; they do, and at least one of them has a value that matches.
FAILS, ABSENT, PRESENT = 0, 1, 2
_Reader = Callable[[Any], int]


@dataclass(slots=True)
class Step:
    """A name in an event with what a way asks of it: of its own value, and of names below it."""

    leaf: Leaf | None = None
    below: dict[str, "Step"] = field(default_factory=dict)

    def leaves(self) -> Iterator[Leaf]:
        if self.leaf:
            yield self.leaf
        for step in self.below.values():
            yield from step.leaves()

    def dotted(self) -> frozenset[str]:
        """The names of two or more steps by which an event may leap over names below."""
        paths = chain.from_iterable(step._paths((name,)) for name, step in self.below.items())
        return frozenset(".".join(path) for path in paths if len(path) > 1)

    def _paths(self, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, step in self.below.items():
            yield from step._paths((*path, name))


def ways(tree: Every) -> Iterator[Way]:
    """Each set of fields that together make the pattern match."""
    choices: list[list[Way]] = []
    for part in tree.parts:
        if isinstance(part, Either):
            choices.append([way for each in part.alternatives for way in ways(each)])
        else:
            choices.append([(part,)])
    for combination in product(*choices):
        yield tuple(chain.from_iterable(combination))


def steps(way: Iterable[Leaf]) -> Step:
    """Arrange fields by their names, from the top of an event down."""
    top = Step()
    for leaf in way:
        step = top
        for name in leaf.names:
            step = step.below.setdefault(name, Step())
        step.leaf = leaf
    return top


def matcher(tree: Every) -> Matcher:
    """Make the function that tells whether an event matches."""
    readers = [_fields(steps(way)) for way in ways(tree)]
    if len(readers) == 1:
        only = readers[0]
        return lambda event: only(event) != FAILS
    # Fields beside all $or are asked first: they settle most events without trying each way. Not
    # those that may be absent, for in arrays it takes all fields of a way to tell where.
    always = _fields(
        steps(part for part in tree.parts if isinstance(part, Leaf) and not part.may_be_absent)
    )
    return lambda event: always(event) != FAILS and any(read(event) for read in readers)


def _fields(step: Step) -> _Reader:
    """Read the names below a step in an object."""
    readers = [(name, _value(below)) for name, below in step.below.items()]
    dotted = step.dotted()

    def read(event: Any) -> int:
        if dotted and not event.keys().isdisjoint(dotted):
            event = without_dots(event, dotted)
        result = ABSENT
        for name, reader in readers:
            one = reader(event.get(name, MISSING))
            if one == FAILS:
                return FAILS
            if one == PRESENT:
                result = PRESENT
        return result

    return read


def _value(step: Step) -> _Reader:
    """Read the value under a name."""
    if step.leaf is None:
        return _inner(step)
    own = _own(step.leaf)
    if not step.below:
        return own
    inner = _inner(step)

    def read(value: Any) -> int:
        both = own(value), inner(value)
        return FAILS if FAILS in both else max(both)

    return read


def _own(leaf: Leaf) -> _Reader:
    test = value_test(leaf)
    absent = ABSENT if leaf.may_be_absent else FAILS

    def read(value: Any) -> int:
        if value is MISSING or isinstance(value, dict):
            return absent
        if not isinstance(value, list):
            return PRESENT if test(value) else FAILS
        any_value = False
        for each in plain_values(value):
            if test(each):
                return PRESENT
            any_value = True
        return FAILS if any_value else absent

    return read


def _inner(step: Step) -> _Reader:
    fields = _fields(step)
    absent = (
        ABSENT
        if all(leaf.may_be_absent for leaf in step.leaves() if leaf is not step.leaf)
        else FAILS
    )

    def read(value: Any) -> int:
        if isinstance(value, dict):
            return fields(value)
        if not isinstance(value, list):
            return absent
        result = absent
        for each in objects(value):
            one = fields(each)
            if one == PRESENT:
                return PRESENT
            result = min(result, one)
        return result

    return read


def value_test(leaf: Leaf) -> Test:
    """Make the test of one value of a field."""
    tests = [condition.holds for condition in leaf.conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def plain_values(listed: list[Any]) -> Iterator[Any]:
    """The values of an array and of arrays in it that are neither arrays nor objects."""
    return (each for each in _flat(listed) if not isinstance(each, dict))


def objects(listed: list[Any]) -> Iterator[dict[str, Any]]:
    """The objects of an array and of arrays in it."""
    return (each for each in _flat(listed) if isinstance(each, dict))


def _flat(listed: list[Any]) -> Iterator[Any]:
    # No recursion: an event may nest its arrays as deeply as it likes.
    pending = [iter(listed)]
    while pending:
        for each in pending[-1]:
            if isinstance(each, list):
                pending.append(iter(each))
                break
            yield each
        else:
            pending.pop()


def without_dots(event: dict[str, Any], dotted: frozenset[str]) -> dict[str, Any]:
    """Write an object of an event with one name for each step, for those names that are given."""
    plain: dict[str, Any] = {}
    # The longest names first, so that what lies below a name is together before its own value.
    for name in sorted(dotted.intersection(event), key=lambda name: (-name.count("."), name)):
        value = event[name]
        for part in reversed(name.split(".")):
            value = {part: value}
        _merge(plain, value)
    _merge(plain, {name: value for name, value in event.items() if name not in dotted})
    return plain


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    """Add the names of `other`. Two values of one name become an array, which any may match."""
    pending = [(into, other)]
    while pending:
        target, source = pending.pop()
        for name, value in source.items():
            if name not in target:
                target[name] = value
            elif isinstance(target[name], dict) and isinstance(value, dict):
                # A copy, for the event is the caller's.
                target[name] = dict(target[name])
                pending.append((target[name], value))
            else:
                target[name] = [target[name], value]
