"""The writes of a transaction, kept until the commit, which is one TransactWriteItems.

Every write is conditional on what it was made from: an insert on the absence of the item, a change
on the attributes that its conditions looked at. So of two transactions that got in each other's
way one fails as a whole.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import DataError, IntegrityError

from moca.dynamodb.client import Client, ConditionFailedError, key_of
from moca.dynamodb.codec import Attribute, Item
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.layout import PK, SK, UNIQUE, Key

# What the service takes in one transaction.
MAX_ITEMS = 100

KEYS = (PK, SK)

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
    """A change of an item that was not read: made, and found possible or not, at the commit.

    Attributes:
        values: attributes with their new values; None removes one.
        additions: numbers to add, each with the number to begin from.
        conditions: clauses that must hold, each with its names and values.
        upsert: attributes of the item to be made where there is none; None to fail there.
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
        """Both changes as one; None where the second may depend on what the first does."""
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
    """One condition on an attribute: `=`, `<`, `<=`, `>`, `>=`, `in`, `null`.

    Attributes:
        values: what it is compared with.
        or_absent: whether an item without the attribute meets it too.
    """

    attribute: str
    operator: str
    values: tuple[Attribute, ...] = ()
    or_absent: bool = False

    def holds(self, item: Item) -> bool:
        """Whether an item meets the condition, as the service would find."""
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
    """What a transaction does to one item.

    Attributes:
        before: the item as it was read; None for one that must not be there before.
        after: the item as it will be; None for one that is deleted. Neither is set for one that
            was inserted and deleted again: the commit still finds whether it could be inserted.
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


class Transaction:
    """Writes to be made, and rows read, of one `atomic()` block or one statement."""

    def __init__(self) -> None:
        self.pending: dict[Key, Pending] = {}
        # Items as they stand in the table, read by this transaction; None for none.
        self.read: dict[Key, Item] = {}
        # Keys of rows by table and primary key, to find again what was read by another way.
        self.keys: dict[tuple[str, Any], Key] = {}

    def copy(self) -> "Transaction":
        """The state to which a savepoint goes back."""
        other = Transaction()
        other.pending, other.read, other.keys = dict(self.pending), self.read, self.keys
        return other

    # Looking through the writes

    def seen(self, key: Key, item: Item | None) -> Item | None:
        """An item as this transaction sees it, given what the table has."""
        entry = self.pending.get(key)
        if entry is None:
            return item
        if entry.change is not None:
            if item is None and entry.change.upsert is None:
                return None
            return entry.change.apply(item)
        return entry.after

    def written(self) -> Iterator[tuple[Key, Item]]:
        """Items that this transaction makes or has changed, as they will be."""
        for key, entry in self.pending.items():
            if entry.after is not None:
                yield key, entry.after

    # Writing

    def insert(self, key: Key, item: Item) -> None:
        """Make a new item; IntegrityError where this transaction knows it to be there."""
        entry = self.pending.get(key)
        if entry is None:
            if key in self.read:
                raise _duplicate(key)
            self.pending[key] = Pending(after=item)
        elif entry.change is not None or entry.after is not None:
            raise _duplicate(key)
        elif entry.discard:
            self.pending[key] = Pending(after=item, discard=True)
        else:
            self.pending[key] = replace(entry, after=item)

    def update(self, key: Key, before: Item, after: Item, looked_at: frozenset[str]) -> None:
        """Change an item that was read.

        Args:
            key: its key.
            before: the item as this transaction sees it.
            after: the item as it is to be.
            looked_at: attributes from which the change follows.
        """
        entry = self._known(key, before)
        self.pending[key] = replace(entry, after=after, looked_at=entry.looked_at | looked_at)

    def delete(self, key: Key, before: Item, looked_at: frozenset[str]) -> None:
        """Delete an item that was read."""
        entry = self._known(key, before)
        self.pending[key] = replace(entry, after=None, looked_at=entry.looked_at | looked_at)

    def change(self, key: Key, change: Change) -> None:
        """Change an item that was not read."""
        entry = self.pending.get(key)
        if entry is None:
            self.pending[key] = Pending(change=change)
        elif entry.change is not None and (both := entry.change.then(change)) is not None:
            self.pending[key] = Pending(change=both)
        elif entry.change is None and entry.after is not None:
            self.pending[key] = replace(entry, after=change.apply(entry.after))
        elif entry.change is None and change.upsert is not None:
            self.pending[key] = replace(entry, after=dict(change.upsert))
        else:
            raise ConflictError("A row was changed twice in a transaction without being read.")

    def discard(self, key: Key, item: Item | None = None) -> None:
        """Delete an item, whether it is there or not.

        Args:
            key: its key.
            item: what it is, where that is known; IntegrityError where this transaction makes it
                to be something else.
        """
        entry = self.pending.get(key)
        if entry is None or not entry.must_be_absent:
            self.pending[key] = Pending(discard=True)
        elif item is None or entry.after == item:
            self.pending[key] = replace(entry, after=None)
        else:
            raise _duplicate(key)

    def _known(self, key: Key, before: Item) -> Pending:
        entry = self.pending.get(key)
        if entry is None:
            return Pending(before=before, after=before)
        if entry.change is None:
            return entry
        # It has been read since, so what was taken for granted can be looked at.
        looked_at = frozenset(clause.attribute for clause in entry.change.conditions)
        stored = self.read.get(key)
        if stored is not None and not all(c.holds(stored) for c in entry.change.conditions):
            raise ConflictError("A row has changed since this transaction expected it otherwise.")
        return Pending(before=stored, after=before, looked_at=looked_at)

    # The commit

    def commit(self, client: Client) -> None:
        """Write all of it, or nothing.

        Raises:
            IntegrityError: an item that was to be new is there.
            ConflictError: an item is no longer as it was read or expected.
            DataError: there are too many writes for one transaction, or an item is too large.
        """
        writes = [
            (key, write)
            for key, entry in self.pending.items()
            if (write := _write(client.table, key, entry)) is not None
        ]
        if len(writes) > MAX_ITEMS:
            raise DataError(
                f"The transaction writes {len(writes)} items, and DynamoDB takes {MAX_ITEMS} at "
                "once: write less in one atomic block."
            )
        if not writes:
            return
        try:
            if len(writes) == 1:
                _single(client, writes[0][1])
            else:
                # One token for all tries, so that one whose answer was lost is not made again.
                client.call(
                    "transact_write_items",
                    TransactItems=[each for _, each in writes],
                    ClientRequestToken=str(uuid4()),
                )
        except ConditionFailedError as error:
            self._explain(error, [key for key, _ in writes])

    def _explain(self, error: ConditionFailedError, keys: list[Key]) -> None:
        failed = [keys[place] for place in error.failures]
        if error.retried and all(
            self._is_done(key, item)
            for key, item in zip(failed, error.failures.values(), strict=True)
        ):
            # The first try had been made, and its answer was lost.
            return
        inserts = [key for key in failed if self.pending[key].must_be_absent]
        if inserts:
            raise _duplicate(inserts[0]) from error
        raise ConflictError(
            "Somebody else changed or deleted a row that this transaction relies on; nothing was "
            "written."
        ) from error

    def _is_done(self, key: Key, item: Item) -> bool:
        entry = self.pending[key]
        if entry.change is not None:
            return (
                not entry.change.additions
                and bool(item)
                and all(item.get(name) == value for name, value in entry.change.values.items())
            )
        return item == (entry.after or {})


def _duplicate(key: Key) -> IntegrityError:
    what = key[0].removeprefix(UNIQUE) if key[1] == UNIQUE else f"{key[0]} / {key[1]}"
    return IntegrityError(f"There is one already: {what}")


def _with(item: Item, values: dict[str, Attribute | None]) -> Item:
    changed = {**item, **values}
    return {name: value for name, value in changed.items() if value is not None}


class _Expression:
    """Placeholders of an expression: names and values of attributes, each numbered."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Attribute] = {}

    def name(self, attribute: str) -> str:
        for placeholder, name in self.names.items():
            if name == attribute:
                return placeholder
        placeholder = f"#{len(self.names)}"
        self.names[placeholder] = attribute
        return placeholder

    def value(self, value: Attribute) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if self.names:
            found["ExpressionAttributeNames"] = self.names
        if self.values:
            found["ExpressionAttributeValues"] = self.values
        return found

    def clause(self, clause: Clause) -> str:
        name = self.name(clause.attribute)
        if clause.operator == "null":
            return f"attribute_not_exists({name})"
        if clause.operator == "present":
            return f"attribute_exists({name})"
        values = [self.value(value) for value in clause.values]
        if not values:
            return f"attribute_not_exists({name})"
        if clause.operator == "in":
            text = f"{name} IN ({', '.join(values)})"
        else:
            text = f"{name} {clause.operator} {values[0]}"
        return f"(attribute_not_exists({name}) OR {text})" if clause.or_absent else text

    def unchanged(self, item: Item, looked_at: frozenset[str]) -> list[str]:
        """Clauses that hold while these attributes are what they were in the item."""
        return [
            f"{self.name(name)} = {self.value(item[name])}"
            if name in item
            else f"attribute_not_exists({self.name(name)})"
            for name in sorted(looked_at - {*KEYS})
        ]


def _write(table: str, key: Key, entry: Pending) -> dict[str, Any] | None:
    """The entry as TransactWriteItems takes it; None where there is nothing to write."""
    expression = _Expression()
    if entry.change is not None:
        return {"Update": _update_unread(table, key, entry.change, expression)}
    if entry.discard and entry.after is None:
        return {"Delete": {"TableName": table, "Key": key_of(key)}}
    if entry.after is None:
        # A row that was inserted and deleted again leaves only its condition.
        conditions = (
            _absent(expression)
            if entry.before is None
            else _still_there(entry.before, entry.looked_at, expression)
        )
        return {
            "Delete": {
                "TableName": table,
                "Key": key_of(key),
                "ConditionExpression": conditions,
                **expression.arguments(),
            }
        }
    if entry.discard:
        return {"Put": {"TableName": table, "Item": entry.after}}
    if entry.before is None:
        return {
            "Put": {
                "TableName": table,
                "Item": entry.after,
                "ConditionExpression": _absent(expression),
                **expression.arguments(),
            }
        }
    return _update(table, key, entry.before, entry.after, entry.looked_at, expression)


def _absent(expression: _Expression) -> str:
    return f"attribute_not_exists({expression.name(PK)})"


def _still_there(before: Item, looked_at: frozenset[str], expression: _Expression) -> str:
    exists = f"attribute_exists({expression.name(PK)})"
    return " AND ".join([exists, *expression.unchanged(before, looked_at)])


def _update(
    table: str,
    key: Key,
    before: Item,
    after: Item,
    looked_at: frozenset[str],
    expression: _Expression,
) -> dict[str, Any] | None:
    """Only what differs is written, so that attributes of other programs stay as they are."""
    values: dict[str, Attribute | None] = {
        name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)
    }
    if not values:
        return None
    update = _assignments(values, {}, expression)
    return {
        "Update": {
            "TableName": table,
            "Key": key_of(key),
            "UpdateExpression": update,
            "ConditionExpression": _still_there(before, looked_at, expression),
            **expression.arguments(),
        }
    }


def _update_unread(table: str, key: Key, change: Change, expression: _Expression) -> dict[str, Any]:
    # What the change leaves alone comes from the item to be made, where it is made.
    written = {*change.values, *change.additions, *KEYS}
    defaults = {n: v for n, v in (change.upsert or {}).items() if n not in written}
    update = _assignments(change.values, change.additions, expression, defaults)
    clauses = [expression.clause(clause) for clause in change.conditions]
    condition = {}
    if change.upsert is None:
        exists = f"attribute_exists({expression.name(PK)})"
        condition["ConditionExpression"] = " AND ".join([exists, *clauses])
    elif clauses:
        condition["ConditionExpression"] = f"{_absent(expression)} OR {' AND '.join(clauses)}"
    return {
        "TableName": table,
        "Key": key_of(key),
        "UpdateExpression": update,
        **condition,
        **expression.arguments(),
    }


def _assignments(
    values: dict[str, Attribute | None],
    additions: dict[str, tuple[int, int]],
    expression: _Expression,
    defaults: Item | None = None,
) -> str:
    """The UpdateExpression."""
    sets = [
        f"{expression.name(name)} = {expression.value(value)}"
        for name, value in values.items()
        if value is not None
    ]
    for name, (amount, start) in additions.items():
        placeholder = expression.name(name)
        begin = expression.value({"N": str(start)})
        sets.append(
            f"{placeholder} = if_not_exists({placeholder}, {begin})"
            f" + {expression.value({'N': str(amount)})}"
        )
    for name, value in (defaults or {}).items():
        placeholder = expression.name(name)
        sets.append(f"{placeholder} = if_not_exists({placeholder}, {expression.value(value)})")
    removed = [expression.name(name) for name, value in values.items() if value is None]
    parts = [f"SET {', '.join(sets)}"] if sets else []
    return " ".join(parts + ([f"REMOVE {', '.join(removed)}"] if removed else []))


_OPERATIONS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


def _single(client: Client, write: dict[str, Any]) -> None:
    ((kind, arguments),) = write.items()
    client.call(_OPERATIONS[kind], **arguments)
