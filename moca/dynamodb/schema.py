"""Schema editor for migrations: keeps a list of models; most changes of fields need no work."""

from typing import Any, NoReturn, Self

from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from moca.dynamodb.layout import CATALOGUE, table_of
from moca.dynamodb.reader import key_in


class DatabaseSchemaEditor(BaseDatabaseSchemaEditor):
    """Django's schema editor. A new field is missing from old items and reads as its default."""

    connection: Any

    def __enter__(self) -> Self:
        self.deferred_sql: list[Any] = []
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def create_model(self, model: Any) -> None:
        self.connection.service.call(
            "put_item",
            TableName=self.connection.service.table,
            Item={"PK": {"S": CATALOGUE}, "SK": {"S": model._meta.db_table}},
        )
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)

    def delete_model(self, model: Any) -> None:
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.delete_model(field.remote_field.through)
        client, table = self.connection.service, table_of(model)
        for items in client.pages("scan", ProjectionExpression="PK, SK"):
            client.delete_many([key for key in map(key_in, items) if table.owns(key)])
        client.delete_many([(CATALOGUE, table.name)])

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> None:
        if old_field.column != new_field.column:
            self._refuse("A field's attribute keeps its name")
        if new_field.unique and not old_field.unique:
            self._refuse_unless_empty(model)

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        if old_db_table != new_db_table:
            self._refuse("A model's table keeps its name")

    def add_field(self, model: Any, field: Any) -> None:
        if field.many_to_many and field.remote_field.through._meta.auto_created:
            self.create_model(field.remote_field.through)
        elif field.unique:
            self._refuse_unless_empty(model)

    def add_constraint(self, model: Any, constraint: Any) -> None:
        self._refuse_unless_empty(model)

    def alter_unique_together(self, model: Any, old: Any, new: Any) -> None:
        if {frozenset(names) for names in new} - {frozenset(names) for names in old}:
            self._refuse_unless_empty(model)

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: indexes belong to layouts, and `migrate` creates those of all layouts."""

    remove_field = add_index = remove_index = rename_index = remove_constraint = _nothing
    alter_index_together = alter_db_table_comment = alter_db_tablespace = _nothing

    def execute(self, sql: Any, params: Any = ()) -> NoReturn:
        raise NotSupportedError("DynamoDB does not understand SQL: write a data migration.")

    def _refuse_unless_empty(self, model: Any) -> None:
        """Reject a new rule if there are rows that were written without it."""
        table = table_of(model)
        if not table.is_strict and not model._base_manager.using(self.connection.alias).exists():
            return
        self._refuse(f"The rows of {table.name} may break the new rule")

    def _refuse(self, why: str) -> NoReturn:
        raise NotSupportedError(
            f"{why} in DynamoDB: make a new field and fill it in a data migration."
        )
