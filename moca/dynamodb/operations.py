"""Operations for Django: passes Python values on to the codec, and empties tables."""

import json
from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.core.management.color import Style
from django.db.backends.base.operations import BaseDatabaseOperations

from moca.dynamodb.evaluate import refuse
from moca.dynamodb.layout import all_tables
from moca.dynamodb.reader import key_in

# The largest integer that JavaScript holds exactly; new integer keys are below it.
JAVASCRIPT_MAX = 2**53 - 1


class DatabaseOperations(BaseDatabaseOperations):
    connection: Any

    compiler_module = "moca.dynamodb.compiler"

    # Rows have Python values. Only the codec knows the stored form.

    def adapt_datefield_value(self, value: Any) -> Any:
        return value

    def adapt_datetimefield_value(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None and not settings.USE_TZ:
            raise ValueError(
                "The backend does not support timezone-aware datetimes when USE_TZ is False."
            )
        return value

    def adapt_timefield_value(self, value: Any) -> Any:
        if isinstance(value, time) and value.tzinfo is not None:
            raise ValueError("The backend does not support timezone-aware times.")
        return value

    def adapt_decimalfield_value(
        self, value: Any, max_digits: Any = None, decimal_places: Any = None
    ) -> Any:
        return value

    def adapt_ipaddressfield_value(self, value: Any) -> Any:
        return value or None

    def adapt_integerfield_value(self, value: Any, internal_type: Any) -> Any:
        return value

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        return json.loads(json.dumps(value, cls=encoder))

    def get_db_converters(self, expression: Any) -> list[Any]:
        return []

    def integer_field_range(self, internal_type: str) -> tuple[Any, Any]:
        # The ranges that Django documents; validators check them.
        if "Auto" in internal_type:
            return -JAVASCRIPT_MAX, JAVASCRIPT_MAX
        return self.integer_field_ranges.get(internal_type, (None, None))

    # There is no SQL.

    def quote_name(self, name: str) -> str:
        return name

    def no_limit_value(self) -> None:
        return None

    def max_name_length(self) -> None:
        return None

    def date_extract_sql(self, lookup_type: str, sql: str, params: Any) -> Any:
        raise refuse(f"the {lookup_type} of a date in a query")

    datetime_extract_sql = date_extract_sql  # type: ignore[assignment]
    time_extract_sql = date_extract_sql

    def date_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any = None) -> Any:
        raise refuse("the truncation of dates in a query")

    datetime_trunc_sql = time_trunc_sql = date_trunc_sql

    def sql_flush(
        self,
        style: Style,
        tables: Iterable[str],
        *,
        reset_sequences: bool = False,
        allow_cascade: bool = False,
    ) -> list[str]:
        return list(tables)

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        """Delete all rows of some models, by one scan of the whole table.

        Args:
            sql_list: the names of the models' tables, from `sql_flush`.
        """
        wanted = set(sql_list)
        emptied = [table for table in all_tables() if table.name in wanted]
        client = self.connection.service
        arguments = {"ProjectionExpression": "PK, SK", "ConsistentRead": True}
        for items in client.pages("scan", **arguments):
            keys = [key_in(item) for item in items]
            client.delete_many([key for key in keys if any(table.owns(key) for table in emptied)])
