"""Parses a pattern: from a JSON object to a tree of AllOf, AnyOf and Leaf.

Limits: PutRule accepts patterns of 4,096 characters
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html; an account starts
with a quota of 2,048, see .../userguide/eb-quota.html), and `$or` may make 1,000 combinations (User
Guide, "Comparison operators"). The limit on depth is this package's own.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from events.patterns.errors import PatternError
from events.patterns.operators import Condition, parse_conditions

MAX_LENGTH = 4096
MAX_COMBINATIONS = 1000
MAX_DEPTH = 50

OR = "$or"
# Event Ruler's Constants.java: an object of $or that has a field of such a name is no alternative.
_RESERVED = frozenset(
    {"exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but"}
    | {"exists", "cidr", "numeric", "=", "<", "<=", ">", ">="}
    | {"regex", "not-wildcard", "not-equals-ignore-case"}
    | {"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"}
    | {"ip-address-in-range", "ip-address-not-in-range"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A field and the conditions of which one must hold.

    `path` is the field's place in the pattern. `names` are the keys that lead to it in an event,
    split at dots: EventBridge joins names with dots, so `{"a.b": 1}` equals `{"a": {"b": 1}}`
    (User Guide, "Event pattern syntax").
    """

    path: str
    names: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @property
    def may_be_absent(self) -> bool:
        return any(condition.absent for condition in self.conditions)

    @property
    def steps(self) -> int:
        """The steps of testing one value."""
        return sum(condition.steps for condition in self.conditions)


@dataclass(frozen=True, slots=True, eq=False)
class AllOf:
    """An object of the pattern, flattened: all of its fields and `$or`s must match."""

    parts: tuple["Leaf | AnyOf", ...]

    def leaves(self) -> Iterator[Leaf]:
        """All fields in the pattern's order, including those of all alternatives."""
        for part in self.parts:
            if isinstance(part, Leaf):
                yield part
            else:
                for alternative in part.alternatives:
                    yield from alternative.leaves()


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf:
    """An `$or`: at least one of its alternatives must match."""

    path: str
    alternatives: tuple[AllOf, ...]


def parse_tree(document: Any) -> AllOf:
    """Parse decoded JSON to a tree; PatternError if it is no valid pattern."""
    if not isinstance(document, dict):
        raise PatternError("", 'A pattern is a JSON object, such as {"source": ["my.app"]}.')
    # Check the length first, to bound the work. If the document is no JSON, parsing finds the
    # fault and has the better message.
    length = _length(document)
    if length is not None and length > MAX_LENGTH:
        reason = f"The pattern has {length} characters. Shorten it to {MAX_LENGTH}."
        raise PatternError("", reason)
    tree = AllOf(tuple(_parse_object("", (), document, within_or=False)))
    if length is None:
        raise PatternError("", "A number has too many digits. Shorten it.")
    _check_combinations(tree)
    _check_repeats(tree, set())
    return tree


def _parse_object(
    where: str, names: tuple[str, ...], fields: dict[str, Any], *, within_or: bool
) -> Iterator[Leaf | AnyOf]:
    if not fields:
        raise PatternError(
            where, 'The object is empty. Name a field in it, such as {"source": ["my.app"]}.'
        )
    for name, value in fields.items():
        if not isinstance(name, str):
            raise PatternError(where, "The name of a field is a text. Put it in quotes.")
        path = f"{where}.{name}" if where else name
        if name == OR and _is_or(path, value):
            yield _parse_or(path, names, value)
            continue
        if within_or and name in _RESERVED:
            reason = f"No field within $or can be called {name}, which is an operator's name."
            raise PatternError(path, f'{reason} Write {{"the field": [{{"{name}": ...}}]}}.')
        steps = (*names, *name.split("."))
        if len(steps) > MAX_DEPTH:
            raise _too_deep(where)
        if isinstance(value, dict):
            yield from _parse_object(path, steps, value, within_or=within_or)
        elif isinstance(value, list):
            yield Leaf(path, steps, parse_conditions(path, value))
        else:
            raise _not_a_list(path, name, value)


def _too_deep(where: str) -> PatternError:
    return PatternError(
        where, f"The pattern is more than {MAX_DEPTH} levels deep. Make it flatter."
    )


def _not_a_list(where: str, name: str, value: Any) -> PatternError:
    shown = "..."
    if isinstance(value, (str, bool, int, float, type(None))):
        shown = json.dumps(value, ensure_ascii=False) if len(repr(value)) <= 80 else "..."
    field, operator = where.rpartition(".")[0].rpartition(".")[2], name
    if name in _RESERVED and field:
        written = f'{{"{field}": [{{"{operator}": {shown}}}]}}'
        return PatternError(where, f"Put the operator in a list: {written}.")
    if name == OR:
        return PatternError(where, "Give $or a list of two or more objects.")
    return PatternError(where, f'Put the value in a list: {{"{name}": [{shown}]}}.')


def _is_or(where: str, value: Any) -> bool:
    """Whether `$or` is the operator, not a field of that name.

    It is a field if its value is no list of objects, or if the objects are operators (Event Ruler's
    README, 'The "$or" Primitive').
    """
    if not isinstance(value, list):
        return False
    if not value:
        raise PatternError(where, "The list of $or is empty. Put two or more objects in it.")
    if not all(isinstance(entry, dict) for entry in value):
        return False
    return not all(entry and _RESERVED.issuperset(entry) for entry in value)


def _parse_or(where: str, names: tuple[str, ...], alternatives: list[dict[str, Any]]) -> AnyOf:
    if len(alternatives) < 2:
        reason = "$or has one alternative. Add another, or take its fields out of $or."
        raise PatternError(where, reason)
    if where.count(OR) > MAX_DEPTH:
        raise _too_deep(where)
    return AnyOf(
        where,
        tuple(
            AllOf(tuple(_parse_object(f"{where}[{index}]", names, entry, within_or=True)))
            for index, entry in enumerate(alternatives)
        ),
    )


def _length(document: dict[str, Any]) -> int | None:
    """The pattern's length in characters without blanks, or None if it is no JSON."""
    try:
        return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError):
        return None


def _check_combinations(tree: AllOf) -> None:
    combinations = _combinations(tree)
    if combinations > MAX_COMBINATIONS:
        reason = f"Its $or make {combinations} combinations, and {MAX_COMBINATIONS} are allowed."
        raise PatternError("", f"{reason} Split the pattern, or list values of one field.")


def _combinations(tree: AllOf) -> int:
    return math.prod(
        sum(_combinations(alternative) for alternative in part.alternatives)
        for part in tree.parts
        if isinstance(part, AnyOf)
    )


def _check_repeats(tree: AllOf, seen: set[tuple[str, ...]]) -> None:
    """Reject a field that must match twice, also if one is within `$or` and one beside it.

    The guide calls such patterns invalid ("Event pattern syntax"). EventBridge silently uses the
    last one, which no author means.
    """
    for part in tree.parts:
        if isinstance(part, Leaf):
            if part.names in seen:
                name = ".".join(part.names)
                reason = f"The field {name} is given twice. Give all that it may be in one list."
                raise PatternError(part.path, reason)
            seen.add(part.names)
    for part in tree.parts:
        if isinstance(part, AnyOf):
            found = set(seen)
            for alternative in part.alternatives:
                mine = set(seen)
                _check_repeats(alternative, mine)
                found |= mine
            seen |= found
