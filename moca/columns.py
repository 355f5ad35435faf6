"""Select the columns of a model as they were compiled before, for the models of all apps.

Django compiles each column of each query again, and asks again how to convert its values. For a
model of fifty columns that is a third of the time that it takes to read one row.
"""

from functools import cache
from typing import Any

from django.db.models import sql


class ColumnsOnceQuery(sql.Query):
    """A query that compiles the list of all columns once for each model and connection.

    A query that selects anything else, such as `values()`, `only()` or annotations, is compiled by
    Django alone.
    """

    def get_compiler(self, *args: Any, **options: Any) -> Any:
        compiler: Any = super().get_compiler(*args, **options)
        kind: Any = type(compiler)
        compiler.__class__ = _remembering(kind)
        return compiler

    def selects_all_columns(self) -> bool:
        """Whether it selects the columns of its model's table, and nothing else."""
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


class _Remembering:
    """Added to the compiler of whichever database it is."""

    query: ColumnsOnceQuery
    connection: Any
    select: Any

    @property
    def _known(self) -> dict[Any, Any]:
        # On the connection, since converters belong to one, and no two threads share it.
        known: dict[Any, Any] = self.connection.__dict__.setdefault("_known_columns", {})
        return known

    def get_select(self, with_col_aliases: bool = False) -> Any:
        compiled: Any = super()
        model = self.query.model
        if with_col_aliases or not self.query.selects_all_columns():
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
def _remembering(compiler: Any) -> type:
    return type(compiler.__name__, (_Remembering, compiler), {})
