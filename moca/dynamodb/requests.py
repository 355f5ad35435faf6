"""Builds the requests for a transaction's writes, in the form that TransactWriteItems takes."""

from typing import Any

from moca.dynamodb.changes import Change, Clause, Pending
from moca.dynamodb.client import key_of
from moca.dynamodb.codec import Attribute, Item
from moca.dynamodb.layout import PK, SK, Key

KEYS = (PK, SK)


class _Expression:
    """The numbered placeholders of a request, for names and values of attributes."""

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
        """Conditions that hold if these attributes are as they were in the item."""
        return [
            f"{self.name(name)} = {self.value(item[name])}"
            if name in item
            else f"attribute_not_exists({self.name(name)})"
            for name in sorted(looked_at - {*KEYS})
        ]


def write_request(table: str, key: Key, entry: Pending) -> dict[str, Any] | None:
    """The request for one write, or None if nothing changes."""
    expression = _Expression()
    if entry.change is not None:
        return {"Update": _update_unread(table, key, entry.change, expression)}
    if entry.discard and entry.after is None:
        return {"Delete": {"TableName": table, "Key": key_of(key)}}
    if entry.after is None:
        # If the row was inserted and deleted again, only the condition remains.
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
    """Write only what differs: the attributes of other programs stay as they are."""
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
    # If the item is inserted, attributes that the change does not set come from `upsert`.
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
    """The UpdateExpression.

    Args:
        values: the new values by attribute; None removes the attribute.
        additions: by attribute, the number to add, and the value of a missing attribute.
        expression: takes the placeholders.
        defaults: values of attributes that are set only if they are missing.
    """
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
