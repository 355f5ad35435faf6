"""Compiles and runs DELETE."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import NotSupportedError
from django.db.models.sql import compiler

from moca.dynamodb.evaluate import Conditions
from moca.dynamodb.layout import Key, marker_item
from moca.dynamodb.transaction import MAX_ITEMS, Transaction
from moca.dynamodb.write import WritingMixin


class SQLDeleteCompiler(WritingMixin, compiler.SQLDeleteCompiler):
    """Compiles and runs DELETE."""

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
        # An unconditional deletion would drop the conditions of this transaction's earlier writes.
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


def _discard(transaction: Transaction, keys: list[Key]) -> int:
    for key in keys:
        transaction.discard(key)
    return len(keys)
