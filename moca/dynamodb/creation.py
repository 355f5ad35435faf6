"""Creates and updates the DynamoDB table, for `migrate` and for tests."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from django.db import OperationalError
from django.db.backends.base.creation import BaseDatabaseCreation

from moca.dynamodb.layout import PK, SK, Index, indexes

logger = logging.getLogger(__name__)

TTL_ATTRIBUTE = "ttl"
POLL_SECONDS = 0.2
# DynamoDB may take hours to fill the index of a large table.
INDEX_SECONDS = 24 * 3600


class DatabaseCreation(BaseDatabaseCreation):
    connection: Any

    def table_exists(self) -> bool:
        """Whether the DynamoDB table exists."""
        return self._description() is not None

    def item_count(self) -> int:
        """The number of items; DynamoDB updates it every few hours."""
        return int((self._description() or {}).get("ItemCount", 0))

    def ensure_table(self) -> None:
        """Create the table, or add what it lacks: indexes, TTL, point-in-time recovery."""
        description = self._description()
        if description is None:
            self._create()
            description = self._when_active()
        _check_keys(self.connection.service.table, description)
        self._ensure_indexes(description)
        self._ensure_ttl()
        self._ensure_recovery()

    def _description(self) -> dict[str, Any] | None:
        client = self.connection.service
        try:
            return dict(client.call("describe_table", TableName=client.table)["Table"])
        except OperationalError as error:
            if isinstance(error.__cause__, client.raw.exceptions.ResourceNotFoundException):
                return None
            raise

    def _create(self) -> None:
        client = self.connection.service
        wanted = indexes()
        keys = [(PK, SK), *(index.keys for index in wanted.values())]
        try:
            client.raw.create_table(
                TableName=client.table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=_schema(PK, SK),
                AttributeDefinitions=_definitions(keys),
                **({"GlobalSecondaryIndexes": [*map(_index, wanted.values())]} if wanted else {}),
            )
        except client.raw.exceptions.ResourceInUseException:
            # Another process created it at the same time.
            logger.info("The table %s exists already", client.table)

    def _when_active(self) -> dict[str, Any]:
        """Wait until the table and all its indexes are active; returns the description."""
        end = time.monotonic() + INDEX_SECONDS
        while time.monotonic() < end:
            description = self._description() or {}
            states = [description, *description.get("GlobalSecondaryIndexes", [])]
            if all((s.get("TableStatus") or s.get("IndexStatus")) == "ACTIVE" for s in states):
                return description
            time.sleep(POLL_SECONDS)
        raise OperationalError(f"The table {self.connection.service.table} does not become active.")

    def _ensure_indexes(self, description: dict[str, Any]) -> None:
        client = self.connection.service
        present = {
            each["IndexName"]: each for each in description.get("GlobalSecondaryIndexes", [])
        }
        for name, index in indexes().items():
            if name in present:
                _check_index(client.table, index, present[name])
                continue
            logger.info("Creating the index %s of the table %s", name, client.table)
            client.raw.update_table(
                TableName=client.table,
                AttributeDefinitions=_definitions([(PK, SK), index.keys]),
                GlobalSecondaryIndexUpdates=[{"Create": _index(index)}],
            )
            # DynamoDB creates one index at a time.
            self._when_active()

    def _ensure_ttl(self) -> None:
        client = self.connection.service
        described = client.raw.describe_time_to_live(TableName=client.table)
        if described["TimeToLiveDescription"]["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
            return
        client.call(
            "update_time_to_live",
            TableName=client.table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
        )

    def _ensure_recovery(self) -> None:
        client = self.connection.service
        try:
            described = client.raw.describe_continuous_backups(TableName=client.table)
            recovery = described["ContinuousBackupsDescription"].get(
                "PointInTimeRecoveryDescription", {}
            )
            if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
                client.raw.update_continuous_backups(
                    TableName=client.table,
                    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                )
        except client.raw.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "UnknownOperationException":
                raise
            logger.info("This DynamoDB has no point-in-time recovery")

    # For tests

    def _test_name(self) -> str:
        return str(super()._get_test_db_name())  # type: ignore[misc]

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._test_name()
        self.connection.service.table = name
        if not keepdb:
            self._destroy_test_db(name, verbosity)
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        client = self.connection.service
        try:
            client.raw.delete_table(TableName=test_database_name)
        except client.raw.exceptions.ResourceNotFoundException:
            return
        client.raw.get_waiter("table_not_exists").wait(
            TableName=test_database_name, WaiterConfig={"Delay": 1}
        )

    def test_db_signature(self) -> tuple[Any, ...]:
        settings = self.connection.settings_dict
        return (settings["ENGINE"], self._test_name())


def _schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]


def _definitions(keys: list[tuple[str, str]]) -> list[dict[str, str]]:
    names = sorted({name for pair in keys for name in pair})
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _index(index: Index) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": _schema(*index.keys),
        "Projection": {"ProjectionType": "ALL" if index.projects_all else "KEYS_ONLY"},
    }


def _check_keys(table: str, description: Mapping[str, Any]) -> None:
    names = [each["AttributeName"] for each in description["KeySchema"]]
    if names != [PK, SK]:
        raise OperationalError(
            f"The key of the table {table} is {' and '.join(names)}, but must be {PK} and {SK}: "
            "give the name of another table."
        )


def _check_index(table: str, index: Index, present: Mapping[str, Any]) -> None:
    keys = {each["KeyType"]: each["AttributeName"] for each in present["KeySchema"]}
    if (keys.get("HASH"), keys.get("RANGE")) != index.keys:
        raise OperationalError(
            f"The index {index.name} of the table {table} has the keys {keys}, but must have "
            f"{' and '.join(index.keys)}: delete that index, and run migrate again."
        )
