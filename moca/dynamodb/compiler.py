"""Django's queries to plans and writes; what has no plan is refused, never worked around."""

import json
import random
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldError
from django.db import IntegrityError, NotSupportedError
from django.db.models import AutoField, Count, JSONField, Model
from django.db.models.expressions import Col, OrderBy, Star, Value
from django.db.models.functions import Random
from django.db.models.sql import compiler
from django.db.models.sql.constants import (
    GET_ITERATOR_CHUNK_SIZE,
    MULTI,
    ROW_COUNT,
    SINGLE,
)

from moca.dynamodb import codec
from moca.dynamodb.client import CONTENTION_ATTEMPTS, ConditionFailedError, pause
from moca.dynamodb.codec import Attribute, Item
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.evaluate import Conditions, refuse
from moca.dynamodb.layout import Key, Row, Table, marker_item, table_of
from moca.dynamodb.planner import Order, Plan, Query, Terms, from_index, keys_of, plan
from moca.dynamodb.reader import Reader
from moca.dynamodb.transaction import MAX_ITEMS, Change, Clause, Transaction

Statement = Callable[[Transaction], int]


class PlanningMixin:
    """What reading and writing queries share: the table, its conditions, its rows."""

    connection: Any
    query: Any

    @cached_property
    def table(self) -> Table:
        model: type[Model] = self.query.get_meta().model
        if len(model._meta.local_concrete_fields) < len(model._meta.concrete_fields):
            raise refuse("multi-table inheritance", "inherit from an abstract model")
        return table_of(model._meta.concrete_model or model)

    def conditions(self) -> Conditions:
        """The query's WHERE; NotSupportedError where it holds what cannot be looked at."""
        alias = self.query.get_initial_alias()
        others = [a for a, count in self.query.alias_refcount.items() if count and a != alias]
        if others:
            raise refuse("joins", f"{', '.join(others)} would be joined to {self.table.name}")
        return Conditions(self.query.where, self.table.by_column, alias)

    def terms(self, conditions: Conditions, transaction: Transaction | None) -> Terms:
        """What the conditions say, with the key of a row that this transaction has read."""
        terms = conditions.terms()
        if transaction is None or self.table.key_names <= set(terms.values):
            return terms
        keys = [
            transaction.keys.get((self.table.name, pk))
            for pk in terms.values.get(self.table.pk, ())
        ]
        if keys and None not in keys:
            items = [transaction.seen(key, transaction.read.get(key)) for key in keys if key]
            if None not in items:
                names = sorted(self.table.key_names)
                rows = [self.table.row(item, names) for item in items if item]
                for name in names:
                    terms.narrow(name, [row[name] for row in rows])
        return terms

    def reader(self, transaction: Transaction | None) -> Reader:
        self.connection.ensure_connection()
        return Reader(self.connection.service, self.table, transaction)


class SQLCompiler(PlanningMixin, compiler.SQLCompiler):
    """SELECT."""

    def pre_sql_setup(self, with_col_aliases: bool = False) -> Any:
        self.setup_query()
        return [], self.order(), []

    def as_sql(self, with_limits: bool = True, with_col_aliases: bool = False) -> Any:
        raise refuse("SQL", "a subquery is to be read first")

    def explain_query(self) -> Iterator[str]:
        """The plan of the query, a line a step."""
        self.setup_query()
        try:
            chosen = self.plan(self.conditions())
            for expression, *_ in () if self._counts else self.select:
                # What is refused when the query is run is refused here.
                self._getter(expression)
            yield from chosen.lines()
        except EmptyResultSet:
            yield "Nothing: no row can meet the conditions"

    def results_iter(
        self,
        results: Any = None,
        tuple_expected: bool = False,
        chunked_fetch: bool = False,
        chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
    ) -> Any:
        if results is None:
            results = self.execute_sql(MULTI, chunked_fetch=chunked_fetch, chunk_size=chunk_size)
        rows: Any = (row for chunk in results for row in chunk)
        converters = self.get_converters([column[0] for column in self.select])
        if converters:
            rows = self.apply_converters(rows, converters)
        return map(tuple, rows) if tuple_expected else rows

    def get_converters(self, expressions: Any) -> Any:
        """Converters of fields with their own; rows hold Python values already."""
        found = {}
        for place, expression in enumerate(expressions):
            field = expression.output_field
            if isinstance(field, JSONField):
                if field.decoder is not None:
                    found[place] = [_json_decoded], expression
            elif own := expression.get_db_converters(self.connection):
                found[place] = own, expression
        return found

    def has_results(self) -> bool:
        return self.execute_sql(SINGLE) is not None

    def execute_sql(
        self,
        result_type: Any = MULTI,
        chunked_fetch: bool = False,
        chunk_size: int = GET_ITERATOR_CHUNK_SIZE,
    ) -> Any:
        try:
            self.setup_query()
            rows = self._rows()
        except EmptyResultSet:
            rows = iter(())
        if result_type == SINGLE:
            return next(rows, None)
        if result_type == ROW_COUNT:
            return sum(1 for _ in rows)
        chunks = iter(lambda: list(islice(rows, chunk_size)), [])
        return chunks if chunked_fetch else list(chunks)

    def plan(self, conditions: Conditions) -> Plan:
        """How the rows are read."""
        self._refuse_what_has_no_plan()
        query = self.query
        if query.low_mark and self.table.is_strict:
            raise refuse("an offset", "page by a filter on the primary key")
        limit = None if query.high_mark is None else query.high_mark - query.low_mark
        terms = self.terms(conditions, self.connection.transaction)
        order = [] if self._counts else self.order()
        chosen = plan(
            self.table,
            terms,
            order,
            conditions=conditions.parts,
            offset=query.low_mark,
            limit=limit,
        )
        if not getattr(query, "reads_index", False):
            return chosen
        needed = conditions.fields | self._wanted() | {name for name, _ in order}
        return from_index(self.table, chosen, frozenset(needed))

    def _wanted(self) -> set[str]:
        """The fields that are selected."""
        if self._counts:
            return set()
        return {name for name, _ in map(self._getter, (each for each, *_ in self.select)) if name}

    @property
    def _counts(self) -> bool:
        return any(type(expression) is Count for expression, *_ in self.select)

    def _refuse_what_has_no_plan(self) -> None:
        query = self.query
        refused = {
            "UNION and its like": query.combinator,
            "DISTINCT": query.distinct,
            "select_for_update": query.select_for_update,
            "select_related": query.select_related,
            "extra()": query.extra or query.extra_tables,
            "GROUP BY": query.group_by,
        }
        for what, is_there in refused.items():
            if is_there:
                raise refuse(what)

    def order(self) -> list[Order]:
        """The order wanted, by fields of the table itself."""
        return [self._order_of(resolved) for resolved, _ in self.get_order_by()]

    def _order_of(self, resolved: Any) -> Order:
        expression = resolved.expression
        if type(expression) is compiler.PositionRef:
            # Django orders by a field that is also selected by its place there.
            [expression] = expression.get_source_expressions()
        if type(expression) is Random or type(resolved) is not OrderBy:
            raise refuse(expression)
        if resolved.nulls_first or resolved.nulls_last:
            raise refuse("nulls_first and nulls_last")
        if type(expression) is not Col or expression.alias != self.query.get_initial_alias():
            raise refuse(expression, "order by a field of the model itself")
        return self.table.by_column[expression.target.column], bool(resolved.descending)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        conditions = self.conditions()
        chosen = self.plan(conditions)
        transaction = self.connection.transaction
        reader = self.reader(transaction)
        if self._counts:
            return iter([self._counted(reader, chosen, conditions)])
        getters = [self._getter(expression) for expression, *_ in self.select]
        names = {name for name, _ in getters if name}
        found = reader.found(chosen, conditions, sorted(names))
        return (tuple(get(row) for _, get in getters) for _, _, row in found)

    def _getter(self, expression: Any) -> tuple[str, Callable[[Row], Any]]:
        kind = type(expression)
        if kind is Col:
            if expression.alias != self.query.get_initial_alias():
                raise refuse("joins")
            name = self.table.by_column[expression.target.column]
            return name, lambda row: row[name]
        if kind is Value:
            return "", lambda row: expression.value
        raise refuse(expression, "read the rows and work it out")

    def _counted(self, reader: Reader, chosen: Plan, conditions: Conditions) -> tuple[Any, ...]:
        for expression, *_ in self.select:
            source = expression.source_expressions[0]
            if not _counts_rows(expression) or type(source) not in (Star, Col):
                raise refuse(expression, "COUNT of rows is the one aggregate")
            if type(source) is Col and source.target.null:
                raise refuse("COUNT of a field that may be null")
        return (self._count(reader, chosen, conditions),) * len(self.select)

    def _count(self, reader: Reader, chosen: Plan, conditions: Conditions) -> int:
        source = chosen.source
        transaction = self.connection.transaction
        has_written = transaction is not None and transaction.pending
        is_whole = isinstance(source, Query) and source.index is None and not source.low
        if isinstance(source, Query) and is_whole and not chosen.filters and not has_written:
            return reader.count(source)
        return sum(1 for _ in reader.found(chosen, conditions, ()))


class SQLAggregateCompiler(SQLCompiler):
    """COUNT of a query with a limit."""

    def execute_sql(self, result_type: Any = MULTI, *args: Any, **kwargs: Any) -> Any:
        expressions = list(self.query.annotation_select.values())
        if not all(map(_counts_rows, expressions)):
            raise refuse("this aggregate", "COUNT of rows is the only one")
        inner = self.query.inner_query.get_compiler(self.using)
        row = (inner.execute_sql(ROW_COUNT),) * len(expressions)
        return row if result_type == SINGLE else [[row]]


class WritingMixin(PlanningMixin):
    """What the compilers of INSERT, UPDATE and DELETE share."""

    def run(self, statement: Statement, *, counts: bool = True) -> int:
        """Make a statement within the open transaction, or as one of its own.

        One of its own is made anew where others were faster, as a lock would have it wait.
        """
        self.connection.ensure_connection()
        if (open_one := self.connection.transaction) is not None:
            return statement(open_one)
        for attempt in range(CONTENTION_ATTEMPTS):
            own = Transaction()
            rows = statement(own)
            try:
                own.commit(self.connection.service)
            except ConflictError:
                if not counts or attempt == CONTENTION_ATTEMPTS - 1:
                    raise
                pause(attempt)
            else:
                return rows
        raise AssertionError("unreachable")

    def matching(
        self, conditions: Conditions, transaction: Transaction
    ) -> list[tuple[Key, Item, Row]]:
        """The rows that a change or deletion concerns, whole."""
        terms = self.terms(conditions, transaction)
        chosen = plan(self.table, terms, conditions=conditions.parts)
        reader = self.reader(transaction)
        found = list(reader.found(chosen, conditions, list(self.table.fields)))
        for key, item, _ in found:
            if key not in transaction.pending:
                reader.remember(item)
        return found

    def looked_at(self, names: set[str] | frozenset[str]) -> frozenset[str]:
        """The attributes of fields, but for those that the key fixes."""
        return frozenset(self.table.attributes[name] for name in names - self.table.key_names)

    def named_keys(self, conditions: Conditions) -> list[Key]:
        """The keys that the conditions name; none where they leave them open."""
        terms = conditions.terms()
        return [] if terms.is_empty else keys_of(self.table, terms)

    def clauses(self, conditions: Conditions) -> tuple[Clause, ...] | None:
        """The conditions as the service checks them; None where it cannot."""
        plain = conditions.plain()
        if plain is None:
            return None
        found = []
        for name, operator, value in plain:
            if name in self.table.key_names:
                if operator not in ("=", "in"):
                    return None
                continue
            clause = self._clause(name, operator, value)
            if clause is None:
                return None
            found.append(clause)
        return tuple(found)

    def _clause(self, name: str, operator: str, value: Any) -> Clause | None:
        field = self.table.fields[name]
        if isinstance(field, JSONField):
            return None
        if other := self.table.layout.absent.get(name):
            # Known only where an absent attribute cannot stand for the value.
            is_known = operator == "=" and value not in other.values
            encoded_value = codec.encode(field, value) if is_known else None
            return (
                Clause(self.table.attributes[name], "=", (encoded_value,))
                if encoded_value
                else None
            )
        attribute, empty = self.table.attributes[name], codec.empty(field)
        if operator == "null":
            if not field.null:
                return None
            return Clause(attribute, "null" if value else "present")
        values = value if operator == "in" else [value]
        encoded = [codec.encode(field, each) for each in values]
        given = tuple(each for each in encoded if each is not None)
        absent = not field.null and _holds(operator, empty, value)
        if len(given) < len(encoded) and operator not in ("=", "in"):
            return None
        return Clause(attribute, operator, given, or_absent=absent)


class SQLInsertCompiler(WritingMixin, compiler.SQLInsertCompiler):
    """INSERT."""

    def execute_sql(  # type: ignore[override]
        self, returning_fields: Any = None
    ) -> Any:
        if self.query.on_conflict is not None:
            raise refuse("bulk_create that ignores or updates what is there")
        rows = [self._row(obj) for obj in self.query.objs]

        def insert(transaction: Transaction) -> int:
            for row in rows:
                self._insert(row, transaction)
            return len(rows)

        self.run(insert, counts=False)
        if not returning_fields:
            return []
        columns = [field.get_col(self.table.name) for field in returning_fields]
        values = ([row[field.attname] for field in returning_fields] for row in rows)
        return [*map(tuple, self.apply_converters(values, self.get_converters(columns)))]

    def _row(self, obj: Any) -> Row:
        row: Row = {}
        for field in self.query.fields:
            value = self.prepare_value(field, self.pre_save_val(field, obj))
            row[field.attname] = _constant(value)
        for name, field in self.table.fields.items():
            if row.get(name) is None and isinstance(field, AutoField):
                row[name] = new_number()
            elif name not in row:
                row[name] = codec.empty(field)
            if row[name] is None and not field.null:
                raise IntegrityError(f"{self.table.name}.{field.column} must not be null.")
        return row

    def _insert(self, row: Row, transaction: Transaction) -> None:
        key, item = self.table.key(row), self.table.item(row)
        transaction.insert(key, item)
        for marker in self.table.markers(row).values():
            transaction.insert(marker, marker_item(marker, key))
        transaction.keys[self.table.name, row[self.table.pk]] = key


class SQLUpdateCompiler(WritingMixin, compiler.SQLUpdateCompiler):
    """UPDATE."""

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
        """New values by field; expressions stay what they are."""
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
            # Of what moves, nothing may have been changed since it was read.
            transaction.delete(key, item, frozenset({*item, *self.table.attributes.values()}))
            transaction.insert(new_key, after)
            transaction.keys[self.table.name, changed[self.table.pk]] = new_key
        self._move_markers(row, changed, new_key, moved=new_key != key, transaction=transaction)

    def _derived_from(self, new: Row) -> set[str]:
        """Fields from which index attributes and unique values follow, where those change."""
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
        """The change as a conditional write of items; None where they have to be read."""
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
        """The index attributes that change along; None where more has to be known of the row."""
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


class SQLDeleteCompiler(WritingMixin, compiler.SQLDeleteCompiler):
    """DELETE."""

    def execute_sql(  # type: ignore[override]
        self, result_type: Any, *args: Any, **kwargs: Any
    ) -> Any:
        try:
            conditions = self.conditions()
        except EmptyResultSet:
            return 0
        expects = getattr(self.query, "expects_row", False)
        keys = self.named_keys(conditions) if expects == "any" else []
        open_one = self.connection.transaction
        is_untouched = open_one is None or not any(key in open_one.pending for key in keys)
        # What this transaction does to a row has conditions, which a blind deletion would drop.
        if keys and not self.table.unique and is_untouched:
            return self.run(lambda transaction: _discard(transaction, keys))
        return self.run(lambda transaction: self._delete(conditions, transaction))

    def _delete(self, conditions: Conditions, transaction: Transaction) -> int:
        found = self.matching(conditions, transaction)
        if len(found) > MAX_ITEMS:
            raise NotSupportedError(
                f"The deletion concerns {len(found)} rows, and DynamoDB takes {MAX_ITEMS} in one "
                "transaction: delete fewer at a time."
            )
        looked_at = self.looked_at(conditions.fields | self.table.unique_names)
        for key, item, row in found:
            transaction.delete(key, item, looked_at)
            for marker in self.table.markers(row).values():
                transaction.discard(marker, marker_item(marker, key))
        return len(found)


def _counts_rows(expression: Any) -> bool:
    return (
        type(expression) is Count
        and not expression.filter
        and not getattr(expression, "distinct", False)
    )


def _discard(transaction: Transaction, keys: list[Key]) -> int:
    for key in keys:
        transaction.discard(key)
    return len(keys)


def _with_values(item: Item, table: Table, new: Row, changed: Row) -> Item:
    """The item with new values; attributes that nobody changed stay as they were written."""
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


def _constant(value: Any) -> Any:
    """A value to insert; of expressions only constants can be worked out without a database."""
    if not hasattr(value, "resolve_expression"):
        return value
    if type(value) is not Value:
        raise refuse(value, "insert a value")
    return value.value


def _addition(value: Any, table: Table, name: str) -> tuple[int, int] | None:
    """What `F(name) + n` adds, and from where it begins; None for any other expression."""
    left, right = getattr(value, "lhs", None), getattr(value, "rhs", None)
    sign = {"+": 1, "-": -1}.get(getattr(value, "connector", ""))
    if sign is None or type(left) is not Col or type(right) is not Value:
        return None
    is_same = table.by_column[left.target.column] == name
    start = codec.empty(table.fields[name])
    if not is_same or not isinstance(right.value, int) or not isinstance(start, int):
        return None
    return sign * right.value, start


def _holds(operator: str, empty: Any, value: Any) -> bool:
    """Whether what an absent attribute stands for meets a comparison."""
    if operator == "in":
        return empty in value
    comparisons: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    return bool(comparisons[operator](empty, value))


def _json_decoded(value: Any, expression: Any, connection: Any) -> Any:
    if value is None:
        return None
    return json.loads(json.dumps(value), cls=expression.output_field.decoder)


# Milliseconds since 2020, and 12 bits that tell apart what one of them made: 53 bits, which is what
# JavaScript's numbers hold exactly.
_EPOCH_MS = 1_577_836_800_000
_last_number = 0


def new_number() -> int:
    """A new integer key that sorts by the time of its making; unique but for unlikely chance."""
    global _last_number
    now = (time.time_ns() // 1_000_000 - _EPOCH_MS) << 12 | random.getrandbits(12)
    _last_number = max(now, _last_number + 1)
    return _last_number
