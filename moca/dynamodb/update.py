"""Compiles and runs UPDATE, if possible without reading the rows first."""

from typing import Any

from django.core.exceptions import EmptyResultSet, FieldError
from django.db import IntegrityError, NotSupportedError
from django.db.models import Model
from django.db.models.expressions import Col, Value
from django.db.models.sql import compiler

from moca.dynamodb import codec
from moca.dynamodb.changes import Change
from moca.dynamodb.client import ConditionFailedError
from moca.dynamodb.codec import Attribute, Item
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.evaluate import Conditions, refuse
from moca.dynamodb.layout import Key, Row, Table, marker_item
from moca.dynamodb.transaction import MAX_ITEMS, Transaction
from moca.dynamodb.write import WritingMixin


class SQLUpdateCompiler(WritingMixin, compiler.SQLUpdateCompiler):
    """Compiles and runs UPDATE."""

    def execute_sql(self, result_type: Any) -> Any:  # type: ignore[override]
        if self.query.related_updates:
            raise refuse("changes of an inherited model's fields")
        try:
            conditions = self.conditions()
            values = self._values(conditions)
        except EmptyResultSet:
            return 0
        expects = getattr(self.query, "expects_row", False)
        if not values:
            return None
        if unread := self._unread(conditions, values, expects):
            keys, change = unread
            return self._change(keys, change, expects=bool(expects))
        return self.run(lambda transaction: self._update(conditions, values, transaction))

    def _values(self, conditions: Conditions) -> dict[str, Any]:
        """The new values by field; an expression stays an expression."""
        found = {}
        for field, _, value in self.query.values:
            if hasattr(value, "resolve_expression"):
                value = value.resolve_expression(self.query, allow_joins=False, for_save=True)
                if value.contains_aggregate or value.contains_over_clause:
                    raise FieldError(f"Aggregates are not allowed in this query ({field.name}).")
                conditions.check(value)
            elif hasattr(value, "prepare_database_save"):
                if not field.remote_field:
                    raise TypeError(
                        f"Tried to update field {field} with a model instance, {value!r}. Use a "
                        f"value compatible with {type(field).__name__}."
                    )
                value = value.prepare_database_save(field)
            if not hasattr(value, "resolve_expression"):
                value = field.get_db_prep_save(value, connection=self.connection)
                if value is None and not field.null:
                    raise IntegrityError(f"{self.table.name}.{field.column} must not be null.")
            found[field.attname] = value
        return found

    def _update(
        self, conditions: Conditions, values: dict[str, Any], transaction: Transaction
    ) -> int:
        found = self.matching(conditions, transaction)
        if len(found) > MAX_ITEMS:
            raise NotSupportedError(
                f"The update changes {len(found)} rows, and DynamoDB takes {MAX_ITEMS} in one "
                "transaction: update fewer at a time."
            )
        for key, item, row in found:
            self._update_row(key, item, row, conditions, values, transaction)
        return len(found)

    def _update_row(
        self,
        key: Key,
        item: Item,
        row: Row,
        conditions: Conditions,
        values: dict[str, Any],
        transaction: Transaction,
    ) -> None:
        new = {name: self._value(name, value, conditions, row) for name, value in values.items()}
        changed = {**row, **new}
        after = _with_values(item, self.table, new, changed)
        looked_at = self.looked_at(conditions.fields | self._derived_from(new))
        new_key = self.table.key(changed)
        if new_key == key:
            transaction.update(key, item, after, looked_at)
        else:
            after |= {"PK": {"S": new_key[0]}, "SK": {"S": new_key[1]}}
            # A row that moves to another key must be unchanged as a whole since it was read.
            transaction.delete(key, item, frozenset({*item, *self.table.attributes.values()}))
            transaction.insert(new_key, after)
            transaction.keys[self.table.name, changed[self.table.pk]] = new_key
        self._move_markers(row, changed, new_key, moved=new_key != key, transaction=transaction)

    def _derived_from(self, new: Row) -> set[str]:
        """The fields that index attributes and unique values depend on, if these change."""
        names: set[str] = set()
        for derived in (self.table.index_names, self.table.unique_names):
            if new.keys() & derived:
                names |= derived
        return names

    def _move_markers(
        self, row: Row, changed: Row, key: Key, *, moved: bool, transaction: Transaction
    ) -> None:
        before, after = self.table.markers(row), self.table.markers(changed)
        for names in {*before, *after}:
            old, new = before.get(names), after.get(names)
            if old == new and not moved:
                continue
            if old is not None:
                transaction.discard(old, marker_item(old, self.table.key(row)))
            if new is not None:
                transaction.insert(new, marker_item(new, key))

    def _value(self, name: str, value: Any, conditions: Conditions, row: Row) -> Any:
        if not hasattr(value, "resolve_expression"):
            return value
        field = self.table.fields[name]
        result = field.get_db_prep_save(
            field.to_python(conditions.value(value, row)), connection=self.connection
        )
        if result is None and not field.null:
            raise IntegrityError(f"{self.table.name}.{field.column} must not be null.")
        return result

    # Without reading first

    def _unread(
        self, conditions: Conditions, values: dict[str, Any], expects: Any
    ) -> tuple[list[Key], Change] | None:
        """The keys and the change, or None if the rows must be read first.

        Args:
            conditions: the query's WHERE.
            values: the new values by field.
            expects: truthy if the caller knows that each row exists; a model instance to insert
                it if it does not.
        """
        table = self.table
        if self.connection.transaction is not None and not expects:
            return None
        keys, clauses = self.named_keys(conditions), self.clauses(conditions)
        is_known = len(keys) == 1 or (keys and expects)
        if not is_known or clauses is None:
            return None
        if values.keys() & (table.key_names | table.unique_names):
            return None
        if (open_one := self.connection.transaction) is not None and any(
            key in open_one.pending or key in open_one.read for key in keys
        ):
            return None
        additions = {
            table.attributes[name]: _addition(value, table, name)
            for name, value in values.items()
            if hasattr(value, "resolve_expression")
        }
        if None in additions.values():
            return None
        plain = {n: v for n, v in values.items() if not hasattr(v, "resolve_expression")}
        index_keys = self._index_keys(conditions, plain, values)
        if index_keys is None:
            return None
        changes = {table.attributes[n]: codec.encode(table.fields[n], v) for n, v in plain.items()}
        missing = expects if isinstance(expects, Model) else None
        return keys, Change(
            {**changes, **index_keys},
            {name: pair for name, pair in additions.items() if pair},
            clauses,
            upsert=self._new_item(missing) if missing is not None else None,
        )

    def _index_keys(
        self, conditions: Conditions, plain: dict[str, Any], values: dict[str, Any]
    ) -> dict[str, Attribute | None] | None:
        """The index attributes that change too, or None if they depend on unknown fields."""
        terms = conditions.terms()
        known = {name: given[0] for name, given in terms.values.items() if len(given) == 1} | plain
        concerned = [i for i in self.table.layout.indexes if i.names & values.keys()]
        found: dict[str, Attribute | None] = {}
        own = set(self.table.attributes.values())
        for index in concerned:
            is_out = any(name in known and known[name] != v for name, v in index.when.items())
            is_out |= any(name in known and known[name] is None for name in index.names)
            if not is_out and not index.names <= known.keys():
                return None
            keys = {} if is_out else self.table.index_keys(known)
            found |= {name: keys.get(name) for name in index.keys if name not in own}
        return found

    def _new_item(self, instance: Model) -> Item:
        row = {
            name: field.get_db_prep_save(getattr(instance, name), connection=self.connection)
            for name, field in self.table.fields.items()
        }
        return self.table.item(row)

    def _change(self, keys: list[Key], change: Change, *, expects: bool) -> int:
        self.connection.ensure_connection()
        own = self.connection.transaction or Transaction()
        for key in keys:
            own.change(key, change)
        if own is self.connection.transaction:
            return len(keys)
        try:
            own.commit(self.connection.service)
        except ConflictError as error:
            if expects or not isinstance(error.__cause__, ConditionFailedError):
                raise
            return 0
        return len(keys)


def _with_values(item: Item, table: Table, new: Row, changed: Row) -> Item:
    """The item with new values; other attributes stay as they were written."""
    after = dict(item)
    updates: dict[str, Attribute | None] = {
        table.attributes[name]: codec.encode(table.fields[name], value)
        for name, value in new.items()
    }
    if new.keys() & table.index_names:
        updates |= table.index_keys(changed)
    for name, value in updates.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = value
    return after


def _addition(value: Any, table: Table, name: str) -> tuple[int, int] | None:
    """For `F(name) + n`, the amount n and the value of a missing attribute; else None."""
    left, right = getattr(value, "lhs", None), getattr(value, "rhs", None)
    sign = {"+": 1, "-": -1}.get(getattr(value, "connector", ""))
    if sign is None or type(left) is not Col or type(right) is not Value:
        return None
    is_same = table.by_column[left.target.column] == name
    start = codec.empty(table.fields[name])
    if not is_same or not isinstance(right.value, int) or not isinstance(start, int):
        return None
    return sign * right.value, start
