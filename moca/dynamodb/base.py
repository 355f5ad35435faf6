"""DatabaseWrapper, Django's connection to one DynamoDB table."""

import time
from collections.abc import Callable
from typing import Any, NoReturn, Self

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.client import BaseDatabaseClient

from moca.dynamodb.client import Client
from moca.dynamodb.creation import DatabaseCreation
from moca.dynamodb.evaluate import refuse
from moca.dynamodb.features import DatabaseFeatures
from moca.dynamodb.introspection import DatabaseIntrospection
from moca.dynamodb.operations import DatabaseOperations
from moca.dynamodb.schema import DatabaseSchemaEditor
from moca.dynamodb.transaction import Transaction


class Errors:
    """The exceptions of a driver module. Unused: the backend raises Django's own exceptions."""

    Binary = bytes

    class Error(Exception):
        pass

    class InterfaceError(Error):
        pass

    class DatabaseError(Error):
        pass

    class DataError(DatabaseError):
        pass

    class OperationalError(DatabaseError):
        pass

    class IntegrityError(DatabaseError):
        pass

    class InternalError(DatabaseError):
        pass

    class ProgrammingError(DatabaseError):
        pass

    class NotSupportedError(DatabaseError):
        pass


class Cursor:
    """A cursor without SQL, for Django code that opens one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def execute(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise refuse("SQL", "use the ORM")

    executemany = callproc = execute

    def close(self) -> None:
        pass


class DatabaseClient(BaseDatabaseClient):
    executable_name = "aws"

    def runshell(self, parameters: Any) -> NoReturn:
        raise refuse("a shell", "use `aws dynamodb`")


class DatabaseWrapper(BaseDatabaseWrapper):
    vendor = "dynamodb"
    display_name = "DynamoDB"
    Database = Errors
    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations

    # Django looks up the column type of each field. Items have no columns.
    data_types = dict.fromkeys(
        [
            "AutoField",
            "BigAutoField",
            "BinaryField",
            "BooleanField",
            "CharField",
            "DateField",
            "DateTimeField",
            "DecimalField",
            "DurationField",
            "FileField",
            "FilePathField",
            "FloatField",
            "GenericIPAddressField",
            "IPAddressField",
            "IntegerField",
            "BigIntegerField",
            "JSONField",
            "OneToOneField",
            "PositiveBigIntegerField",
            "PositiveIntegerField",
            "PositiveSmallIntegerField",
            "SlugField",
            "SmallAutoField",
            "SmallIntegerField",
            "TextField",
            "TimeField",
            "UUIDField",
        ],
        "attribute",
    )
    # Django checks for these names. No SQL is written.
    operators = dict.fromkeys(
        [
            "exact",
            "iexact",
            "contains",
            "icontains",
            "regex",
            "iregex",
            "gt",
            "gte",
            "lt",
            "lte",
            "startswith",
            "endswith",
            "istartswith",
            "iendswith",
        ],
        "%s",
    )

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        self.transaction: Transaction | None = None
        self._savepoints: dict[str, Transaction] = {}
        self.service = Client(
            alias, settings_dict["NAME"], settings_dict.get("OPTIONS", {}), self._observe
        )

    def get_connection_params(self) -> dict[str, Any]:
        if not self.settings_dict["NAME"]:
            raise ImproperlyConfigured("Set NAME of the database to the DynamoDB table's name.")
        return {}

    def get_new_connection(self, conn_params: dict[str, Any]) -> "DatabaseWrapper":
        # All threads share the client; only the transaction belongs to a connection.
        self.service.table = self.settings_dict["NAME"]
        return self

    def create_cursor(self, name: Any = None) -> Any:
        return Cursor()

    def make_cursor(self, cursor: Any) -> Any:
        return cursor

    make_debug_cursor = make_cursor

    def prepare_database(self) -> None:
        """Create or update the DynamoDB table; `migrate` starts with this."""
        self.creation.ensure_table()  # type: ignore[attr-defined]

    def is_usable(self) -> bool:
        return True

    def get_database_version(self) -> tuple[int, ...]:
        return (2012, 8, 10)

    # Transactions

    def _set_autocommit(self, autocommit: bool) -> None:
        self.transaction = None if autocommit else Transaction()
        self._savepoints = {}

    def _commit(self) -> None:
        transaction, self.transaction = self.transaction, Transaction()
        self._savepoints = {}
        if transaction is not None:
            transaction.commit(self.service)

    def _rollback(self) -> None:
        if self.transaction is not None:
            self.transaction = Transaction()
        self._savepoints = {}

    def _close(self) -> None:
        self.transaction = None
        self._savepoints = {}

    def _savepoint(self, sid: str) -> None:
        if self.transaction is not None:
            self._savepoints[sid] = self.transaction.copy()

    def _savepoint_rollback(self, sid: str) -> None:
        self.transaction = self._savepoints[sid].copy()

    def _savepoint_commit(self, sid: str) -> None:
        self._savepoints.pop(sid, None)

    # Query log

    def _observe(self, operation: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        if not self.queries_logged:
            return call()
        start = time.monotonic()
        try:
            return call()
        finally:
            seconds = f"{time.monotonic() - start:.3f}"
            self.queries_log.append({"sql": _words(operation, arguments), "time": seconds})


def _words(operation: str, arguments: dict[str, Any]) -> str:
    """A call for the log, without values, because they may be prompts."""
    index = arguments.get("IndexName", "")
    count = len(arguments.get("TransactItems", ()))
    name = "".join(word.capitalize() for word in operation.split("_"))
    return " ".join(word for word in (name, index, f"of {count} items" if count else "") if word)
