"""Compiles and runs INSERT."""

import random
import time
from typing import Any

from django.db import IntegrityError
from django.db.models import AutoField
from django.db.models.expressions import Value
from django.db.models.sql import compiler

from moca.dynamodb import codec
from moca.dynamodb.evaluate import refuse
from moca.dynamodb.layout import Row, marker_item
from moca.dynamodb.transaction import Transaction
from moca.dynamodb.write import WritingMixin


class SQLInsertCompiler(WritingMixin, compiler.SQLInsertCompiler):
    """Compiles and runs INSERT."""

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


def _constant(value: Any) -> Any:
    """A value to insert; NotSupportedError for an expression other than a constant."""
    if not hasattr(value, "resolve_expression"):
        return value
    if type(value) is not Value:
        raise refuse(value, "insert a value")
    return value.value


# A key has the milliseconds since 2020 and 12 random bits: 53 bits, which JavaScript's numbers hold
# exactly.
_EPOCH_MS = 1_577_836_800_000
_last_number = 0


def new_number() -> int:
    """A new integer key, which sorts by creation time. A collision is unlikely, not impossible."""
    global _last_number
    now = (time.time_ns() // 1_000_000 - _EPOCH_MS) << 12 | random.getrandbits(12)
    _last_number = max(now, _last_number + 1)
    return _last_number
