"""Compiles the tree of a pattern to a function that tests events.

A pattern can match in several ways, one for each combination of alternatives of its `$or`s, as in
Event Ruler. A way is a set of fields that must all match. The function tests all ways at once: each
way has a bit, and each field is tested once in each object of the event, whatever the number of
ways. An answer consists of two sets of ways, as bits: ways that fail, and ways with a value that
matches. If a way is in neither set, its fields there may be absent and are.

Arrays in events (User Guide, "Matching on multiple values"; Event Ruler's README, "JSON Array
Matching"):
- A field matches if any value of the array matches. Nested arrays are flattened.
- In an array of objects, all fields of a way that lie in it must match in the same object.
- An empty array is no value, nor is an object in place of a value: such a field does not exist.
- `{"exists": false}` in an array of objects applies to the object in which the other fields match,
  or to all objects if there is no other field.

Two odd cases have simple rules. If a pattern wants both a value of a field and fields within it,
each is tested separately. If an event has a name twice, once with dots, the field has both values,
like an array.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, product
from typing import Any

from events.patterns.operators import Test
from events.patterns.parser import AllOf, AnyOf, Leaf
from events.patterns.work import Work

Way = tuple[Leaf, ...]
Matcher = Callable[[dict[str, Any], Work], bool]

MISSING: Any = object()
# The ways that fail, and the ways with a value that matches.
_Answer = tuple[int, int]
_Reader = Callable[[Any, Work], _Answer]
_NEITHER: _Answer = (0, 0)
# Testing a text costs one more step for each of these many characters.
CHARACTERS = 1024


@dataclass(slots=True)
class Node:
    """A name in an event, with the fields that end at it and the names below it.

    `leaves` maps each field that ends here to the ways that have it. No way has two of them.
    """

    leaves: dict[Leaf, int] = field(default_factory=dict)
    below: dict[str, "Node"] = field(default_factory=dict)

    def all_below(self) -> Iterator[tuple[Leaf, int]]:
        """The fields below this name, with the ways that have them."""
        for node in self.below.values():
            yield from node.leaves.items()
            yield from node.all_below()

    def dotted(self) -> frozenset[str]:
        """The names with dots that an event may use in place of nested objects below."""
        paths = chain.from_iterable(node._paths((name,)) for name, node in self.below.items())
        return frozenset(".".join(path) for path in paths if len(path) > 1)

    def _paths(self, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, node in self.below.items():
            yield from node._paths((*path, name))


def ways(tree: AllOf) -> Iterator[Way]:
    """Each way to match, as the fields that must match together."""
    choices: list[list[Way]] = []
    for part in tree.parts:
        if isinstance(part, AnyOf):
            choices.append([way for each in part.alternatives for way in ways(each)])
        else:
            choices.append([(part,)])
    for combination in product(*choices):
        yield tuple(chain.from_iterable(combination))


def build_nodes(fields: Mapping[Leaf, int]) -> Node:
    """Arrange fields, each with its ways, as a tree of names; returns the top of the event."""
    top = Node()
    for leaf, its_ways in fields.items():
        node = top
        for name in leaf.names:
            node = node.below.setdefault(name, Node())
        node.leaves[leaf] = its_ways
    return top


def compile_matcher(tree: AllOf) -> Matcher:
    """A function that returns whether an event matches."""
    fields: dict[Leaf, int] = {}
    bit = 1
    for way in ways(tree):
        for leaf in way:
            fields[leaf] = fields.get(leaf, 0) | bit
        bit <<= 1
    all_ways = bit - 1
    read = _fields(build_nodes(fields))
    return lambda event, work: read(event, work)[0] != all_ways


def _fields(node: Node) -> _Reader:
    """A reader of an object, for the names below a node."""
    readers = [(name, _value(below)) for name, below in node.below.items()]
    dotted = node.dotted()
    concerned = _union(node.all_below())

    def read(event: Any, work: Work) -> _Answer:
        if dotted and not event.keys().isdisjoint(dotted):
            event = without_dots(event, dotted, work)
        fails = present = asked = 0
        for name, reader in readers:
            asked += 1
            failing, matching = reader(event.get(name, MISSING), work)
            fails |= failing
            if fails == concerned:
                break
            present |= matching
        work.spend(asked)
        return fails, present & ~fails

    return read


def _value(node: Node) -> _Reader:
    """A reader of the value under a node's name."""
    readers = [_own(leaf, its_ways) for leaf, its_ways in node.leaves.items()]
    if node.below:
        readers.append(_inner(node))
    if len(readers) == 1:
        return readers[0]

    def read(value: Any, work: Work) -> _Answer:
        answers = [reader(value, work) for reader in readers]
        fails = present = 0
        for failing, matching in answers:
            fails |= failing
            present |= matching
        return fails, present & ~fails

    return read


def _own(leaf: Leaf, its_ways: int) -> _Reader:
    """A reader of a field's own value."""
    test, test_steps = value_test(leaf), leaf.steps
    fails, matches = (its_ways, 0), (0, its_ways)
    absent = _NEITHER if leaf.may_be_absent else fails

    def read(value: Any, work: Work) -> _Answer:
        if value is MISSING or isinstance(value, dict):
            return absent
        if not isinstance(value, list):
            work.spend(steps_of(test_steps, value))
            return matches if test(value) else fails
        any_value = False
        for each in plain_values(value, work):
            work.spend(steps_of(test_steps, each))
            if test(each):
                return matches
            any_value = True
        return fails if any_value else absent

    return read


def _inner(node: Node) -> _Reader:
    """A reader of the fields within a value, which is an object or an array of objects."""
    fields = _fields(node)
    concerned = _union(node.all_below())
    must_be_there = _union(each for each in node.all_below() if not each[0].may_be_absent)
    absent = must_be_there, 0

    def read(value: Any, work: Work) -> _Answer:
        if isinstance(value, dict):
            return fields(value, work)
        if not isinstance(value, list):
            return absent
        fails, present = absent
        for each in objects(value, work):
            failing, matching = fields(each, work)
            fails |= failing
            present |= matching
            if present == concerned:
                break
        return fails & ~present, present

    return read


def _union(fields: Iterable[tuple[Leaf, int]]) -> int:
    """The ways that have any of the fields."""
    union = 0
    for _leaf, its_ways in fields:
        union |= its_ways
    return union


def value_test(leaf: Leaf) -> Test:
    """The test of one value of a field."""
    tests = [condition.holds for condition in leaf.conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def steps_of(test_steps: int, value: Any) -> int:
    """The steps of testing a value."""
    if isinstance(value, str):
        return test_steps * (1 + len(value) // CHARACTERS)
    return test_steps


def plain_values(listed: list[Any], work: Work) -> Iterator[Any]:
    """The values of an array and of nested arrays that are neither arrays nor objects."""
    return (each for each in _flat(listed, work) if not isinstance(each, dict))


def objects(listed: list[Any], work: Work) -> Iterator[dict[str, Any]]:
    """The objects of an array and of nested arrays."""
    return (each for each in _flat(listed, work) if isinstance(each, dict))


def _flat(listed: list[Any], work: Work) -> Iterator[Any]:
    # Not recursive, because an event may nest arrays deeply.
    pending = [iter(listed)]
    while pending:
        for each in pending[-1]:
            work.spend(1)
            if isinstance(each, list):
                pending.append(iter(each))
                break
            yield each
        else:
            pending.pop()


def without_dots(event: dict[str, Any], dotted: frozenset[str], work: Work) -> dict[str, Any]:
    """An object of an event with the given dotted names expanded to nested objects."""
    merged = _Merged(work)
    # Longest names first: all fields below a name are merged before the name's own value.
    for name in sorted(dotted.intersection(event), key=lambda name: (-name.count("."), name)):
        value = event[name]
        for part in reversed(name.split(".")):
            value = {part: value}
        merged.add(value)
    merged.add({name: value for name, value in event.items() if name not in dotted})
    return merged.whole


class _Merged:
    """Merges objects into one. It copies the caller's objects before it changes them."""

    def __init__(self, work: Work) -> None:
        self.whole: dict[str, Any] = {}
        self._work = work
        # Ids of the objects within `whole` that are copies and may be changed.
        self._own = {id(self.whole)}

    def add(self, other: dict[str, Any]) -> None:
        """Add the fields of `other`. Two values of one name become an array; any may match."""
        pending = [(self.whole, other)]
        while pending:
            target, source = pending.pop()
            self._work.spend(len(source))
            for name, value in source.items():
                if name not in target:
                    target[name] = value
                elif isinstance(target[name], dict) and isinstance(value, dict):
                    pending.append((self._owned(target, name), value))
                else:
                    target[name] = [target[name], value]

    def _owned(self, target: dict[str, Any], name: str) -> dict[str, Any]:
        found: dict[str, Any] = target[name]
        if id(found) not in self._own:
            self._work.spend(len(found))
            found = target[name] = dict(found)
            self._own.add(id(found))
        return found
