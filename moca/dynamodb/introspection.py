"""Introspection for Django: lists the models' tables that `migrate` has created."""

from typing import Any, NoReturn

from django.db import NotSupportedError
from django.db.backends.base.introspection import BaseDatabaseIntrospection, TableInfo

from moca.dynamodb.layout import CATALOGUE


class DatabaseIntrospection(BaseDatabaseIntrospection):
    connection: Any

    def table_names(self, cursor: Any = None, include_views: bool = False) -> list[str]:
        return [table.name for table in self.get_table_list(cursor)]

    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        """The models' tables that `migrate` has created; none if the DynamoDB table is missing."""
        client = self.connection.service
        if not self.connection.creation.table_exists():
            return []
        pages = client.pages(
            "query",
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": CATALOGUE}},
            ConsistentRead=True,
        )
        return [TableInfo(item["SK"]["S"], "t") for items in pages for item in items]

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotSupportedError(
            "A DynamoDB table has no columns to look at: only the models describe it."
        )

    get_table_description = get_relations = get_constraints = get_sequences = _refuse
    get_primary_key_columns = _refuse

    def sequence_list(self) -> list[dict[str, str]]:
        return []
