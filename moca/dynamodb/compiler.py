"""Compiles SELECT to a plan and runs it. Django looks up the compilers of all statements here."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Count, JSONField
from django.db.models.expressions import Col, OrderBy, Star, Value
from django.db.models.functions import Random
from django.db.models.sql import compiler
from django.db.models.sql.constants import (
    GET_ITERATOR_CHUNK_SIZE,
    MULTI,
    ROW_COUNT,
    SINGLE,
)

from moca.dynamodb.delete import SQLDeleteCompiler
from moca.dynamodb.evaluate import Conditions, refuse
from moca.dynamodb.insert import SQLInsertCompiler
from moca.dynamodb.layout import Row
from moca.dynamodb.planner import Order, Plan, Query, from_index, plan
from moca.dynamodb.reader import Reader
from moca.dynamodb.statement import PlanningMixin
from moca.dynamodb.update import SQLUpdateCompiler

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


class SQLCompiler(PlanningMixin, compiler.SQLCompiler):
    """Compiles and runs SELECT."""

    def pre_sql_setup(self, with_col_aliases: bool = False) -> Any:
        self.setup_query()
        return [], self.order(), []

    def as_sql(self, with_limits: bool = True, with_col_aliases: bool = False) -> Any:
        raise refuse("SQL", "a subquery is to be read first")

    def explain_query(self) -> Iterator[str]:
        """The plan of the query, one line for each step."""
        self.setup_query()
        try:
            chosen = self.plan(self.conditions())
            for expression, *_ in () if self._counts else self.select:
                # Raises what running the query would raise.
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
        """Converters that fields bring along; otherwise rows have Python values already."""
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
        """Plan how to read the rows."""
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
        """The wanted order, by fields of this model."""
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
        reader.may_lag = transaction is None and getattr(self.query, "may_lag", False)
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
    """Compiles COUNT of a query with a limit."""

    def execute_sql(self, result_type: Any = MULTI, *args: Any, **kwargs: Any) -> Any:
        expressions = list(self.query.annotation_select.values())
        if not all(map(_counts_rows, expressions)):
            raise refuse("this aggregate", "COUNT of rows is the only one")
        inner = self.query.inner_query.get_compiler(self.using)
        row = (inner.execute_sql(ROW_COUNT),) * len(expressions)
        return row if result_type == SINGLE else [[row]]


def _counts_rows(expression: Any) -> bool:
    return (
        type(expression) is Count
        and not expression.filter
        and not getattr(expression, "distinct", False)
    )


def _json_decoded(value: Any, expression: Any, connection: Any) -> Any:
    if value is None:
        return None
    return json.loads(json.dumps(value), cls=expression.output_field.decoder)
