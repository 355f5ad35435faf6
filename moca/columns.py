"""Compile the columns of a model, inserts, and updates of single rows, once for each connection.

Django compiles all columns of each query anew, and looks up the converters of their values again.
For a model of fifty columns, that takes a third of the time of reading one row.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connections, models, transaction
from django.db.models import sql


class KnownColumnsQuery(sql.Query):
    """A query that compiles the columns of its model only if no query before it has.

    Django alone compiles queries that select anything else, such as `values()` or annotations.
    """

    def get_compiler(
        self, using: str | None = None, connection: Any = None, elide_empty: bool = True
    ) -> Any:
        database: Any = connections[using] if using else connection
        compiler = _with_known_columns(database.ops.compiler(self.compiler))
        return compiler(self, database, using, elide_empty)

    @property
    def selects_its_columns(self) -> bool:
        """Whether it selects the columns of its model's table and nothing else."""
        return bool(
            self.default_cols
            and self.selected is None
            and not self.select_related
            and not self.annotations
            and not self.extra
            and not self.combinator
            and self.deferred_loading == (frozenset(), True)
            and self.base_table == self.get_meta().db_table
        )


class _KnownColumns:
    """A mixin for a database's compiler."""

    query: KnownColumnsQuery
    connection: Any
    select: Any

    @property
    def _known(self) -> dict[Any, Any]:
        # Kept on the connection: the converters belong to it, and threads do not share it.
        known: dict[Any, Any] = self.connection.__dict__.setdefault("_known_columns", {})
        return known

    def get_select(self, with_col_aliases: bool = False) -> Any:
        compiled: Any = super()
        model = self.query.model
        if with_col_aliases or not self.query.selects_its_columns:
            return compiled.get_select(with_col_aliases)
        if model not in self._known:
            self._known[model] = compiled.get_select()
        return self._known[model]

    def get_converters(self, expressions: Any) -> Any:
        compiled: Any = super()
        model = self.query.model
        if self.select is not self._known.get(model, (None,))[0]:
            return compiled.get_converters(expressions)
        key = model, "converters"
        if key not in self._known:
            self._known[key] = compiled.get_converters(expressions)
        return self._known[key]


@cache
def _with_known_columns(compiler: Any) -> type:
    return type(compiler.__name__, (_KnownColumns, compiler), {})


def update_row(
    model: type[models.Model], using: str, keys: Mapping[str, Any], values: Mapping[str, Any]
) -> int:
    """Update the rows of an SQL database whose fields have these values; returns how many.

    Django compiles each update anew, which takes ten times as long as SQLite takes to make it.

    Args:
        model: the model of the rows.
        using: the database's alias.
        keys: what the fields of the rows have to be, None for NULL.
        values: what they become.
    """
    connection: Any = connections[using]
    known = connection.__dict__.setdefault("_known_updates", {})
    nulls = tuple(name for name, value in keys.items() if value is None)
    shape = model, tuple(keys), nulls, tuple(values)
    if shape not in known:
        known[shape] = _update_sql(connection, model, keys, values)
    field_of = model._meta.get_field
    parameters = [
        field_of(name).get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for name, value in values.items()
    ]
    parameters += [
        field_of(name).get_db_prep_value(value, connection)  # type: ignore[union-attr]
        for name, value in keys.items()
        if value is not None
    ]
    with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
        cursor.execute(known[shape], parameters)
        return int(cursor.rowcount)


def _update_sql(
    connection: Any,
    model: type[models.Model],
    keys: Mapping[str, Any],
    values: Mapping[str, Any],
) -> str:
    def column(name: str) -> str:
        field: Any = model._meta.get_field(name)
        return str(connection.ops.quote_name(field.column))

    changes = ", ".join(f"{column(name)} = %s" for name in values)
    conditions = " AND ".join(
        column(name) + (" IS NULL" if value is None else " = %s") for name, value in keys.items()
    )
    table = connection.ops.quote_name(model._meta.db_table)
    return f"UPDATE {table} SET {changes} WHERE {conditions}"  # noqa: S608  (quoted names)


def insert_rows(model: type[models.Model], using: str, rows: Sequence[models.Model]) -> None:
    """Insert rows that have their keys into an SQL database; sends no signals.

    Raises:
        IntegrityError: one of the keys exists.
    """
    connection: Any = connections[using]
    known = connection.__dict__.setdefault("_known_inserts", {})
    fields: Any = model._meta.concrete_fields
    if model not in known:
        known[model] = _insert_sql(connection, model)
    parameters = [
        [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
        for row in rows
    ]
    with transaction.mark_for_rollback_on_error(using=using), connection.cursor() as cursor:
        cursor.executemany(known[model], parameters)
    for row in rows:
        row._state.adding, row._state.db = False, using


def _insert_sql(connection: Any, model: type[models.Model]) -> str:
    quote = connection.ops.quote_name
    names = [quote(field.column) for field in model._meta.concrete_fields]
    places = ", ".join(["%s"] * len(names))
    table = quote(model._meta.db_table)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"  # noqa: S608  (quoted names)
