"""The values that describe a transaction's writes: Pending for an item, Change and Clause."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from moca.dynamodb.codec import Attribute, Item

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "in": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an item that was not read. DynamoDB checks its conditions at the commit.

    Attributes:
        values: the new values by attribute; None removes the attribute.
        additions: by attribute, the number to add, and the value of a missing attribute.
        conditions: the clauses that must hold.
        upsert: the item to insert if there is none; None to fail then.
    """

    values: dict[str, Attribute | None]
    additions: dict[str, tuple[int, int]] = field(default_factory=dict)
    conditions: tuple["Clause", ...] = ()
    upsert: Item | None = None

    def apply(self, item: Item | None) -> Item:
        """The item as it is after the change."""
        if item is None:
            return dict(self.upsert or {})
        changed = _with(item, self.values)
        for name, (amount, start) in self.additions.items():
            number = int(item[name]["N"]) if name in item else start
            changed[name] = {"N": str(number + amount)}
        return changed

    def then(self, other: "Change") -> "Change | None":
        """Both changes as one, or None if the second may depend on the effect of the first."""
        if other.values or self.values or self.conditions != other.conditions:
            return None
        additions = dict(self.additions)
        for name, (amount, start) in other.additions.items():
            before, start_before = additions.get(name, (0, start))
            additions[name] = before + amount, start_before
        upsert = None if self.upsert is None else other.apply(self.upsert)
        return Change({}, additions, self.conditions, upsert)


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on an attribute.

    Attributes:
        attribute: the attribute's name.
        operator: `=`, `<`, `<=`, `>`, `>=`, `in`, `null` or `present`.
        values: the values to compare with.
        or_absent: whether an item without the attribute meets the condition too.
    """

    attribute: str
    operator: str
    values: tuple[Attribute, ...] = ()
    or_absent: bool = False

    def holds(self, item: Item) -> bool:
        """Whether an item meets the condition; DynamoDB would say the same."""
        value = item.get(self.attribute)
        if self.operator in ("null", "present"):
            return (value is None) == (self.operator == "null")
        if value is None:
            return self.or_absent or not self.values
        ((kind, own),) = value.items()
        others = [other[kind] for other in self.values if kind in other]
        if kind == "N":
            own, others = Decimal(own), [Decimal(other) for other in others]
        return any(_COMPARE[self.operator](own, other) for other in others)


@dataclass(frozen=True, slots=True)
class Pending:
    """The write of one item.

    Attributes:
        before: the item as it was read, or None if it must not exist.
        after: the item as it will be, or None to delete it. Both are None if the item was inserted
            and deleted again: the commit still checks that it could be inserted.
        looked_at: attributes on whose values the write depends.
        change: instead of the above, for an item that was not read.
        discard: the item is to go, whether it is there or not.
    """

    before: Item | None = None
    after: Item | None = None
    looked_at: frozenset[str] = frozenset()
    change: Change | None = None
    discard: bool = False

    @property
    def must_be_absent(self) -> bool:
        """Whether the item must not be in the table, because this transaction inserted it."""
        return self.before is None and self.change is None and not self.discard


def _with(item: Item, values: dict[str, Attribute | None]) -> Item:
    changed = {**item, **values}
    return {name: value for name, value in changed.items() if value is not None}
