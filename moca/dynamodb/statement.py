"""The part that the compilers of all statements share: the table, the conditions, the reader."""

from functools import cached_property
from typing import Any

from django.db.models import Model

from moca.dynamodb.evaluate import Conditions, refuse
from moca.dynamodb.layout import Table, table_of
from moca.dynamodb.planner import Terms
from moca.dynamodb.reader import Reader
from moca.dynamodb.transaction import Transaction


class PlanningMixin:
    """Base of all compilers."""

    connection: Any
    query: Any

    @cached_property
    def table(self) -> Table:
        model: type[Model] = self.query.get_meta().model
        if len(model._meta.local_concrete_fields) < len(model._meta.concrete_fields):
            raise refuse("multi-table inheritance", "inherit from an abstract model")
        return table_of(model._meta.concrete_model or model)

    def conditions(self) -> Conditions:
        """The query's WHERE; NotSupportedError if a row cannot be tested for it."""
        alias = self.query.get_initial_alias()
        others = [a for a, count in self.query.alias_refcount.items() if count and a != alias]
        if others:
            raise refuse("joins", f"{', '.join(others)} would be joined to {self.table.name}")
        return Conditions(self.query.where, self.table.by_column, alias)

    def terms(self, conditions: Conditions, transaction: Transaction | None) -> Terms:
        """The conditions on single fields.

        If this transaction has read the rows before, the terms have the fields of their keys too.
        """
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
