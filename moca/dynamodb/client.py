"""Calls DynamoDB: one client for each process, bounded retries with jitter, Django's errors."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

# Not boto3, whose loading a cold function would wait for.
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from django.db import DataError, NotSupportedError, OperationalError

from moca.dynamodb.errors import ConflictError
from moca.dynamodb.parser import ItemParserFactory

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2
READ_SECONDS = 5
# Attempts of botocore if DynamoDB throttles, fails or cannot be reached. All calls of a client
# share a retry quota. In an outage it is used up after about eight failing calls; from then on each
# call is made once. A caller that must succeed retries on its own.
ATTEMPTS = 5
# Attempts if others write the same items, or some items were not processed.
CONTENTION_ATTEMPTS = 8
LONGEST_PAUSE = 1.0
# The page size that a query with a limit grows to.
LARGEST_PAGE = 1000

THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottlingError",
    "Throttling",
}
REFUSED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}
CONTENTION = {"TransactionConflict", "TransactionConflictException", *THROTTLED}

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


class ConditionFailedError(Exception):
    """The condition of a write failed.

    Attributes:
        failures: for the position of each failed write, the item as it is now.
        retried: whether the answer to an earlier attempt may have been lost.
    """

    def __init__(self, failures: dict[int, dict[str, Any]], *, retried: bool = False) -> None:
        super().__init__("an item was not as expected")
        self.failures, self.retried = failures, retried


def client_for(options: Mapping[str, Any]) -> Any:
    """The client with these arguments of `boto3.client`; all threads of the process share it."""
    key = tuple(sorted(options.items()))
    with _lock:
        if key not in _clients:
            session = botocore.session.get_session()
            session.register_component("response_parser_factory", ItemParserFactory())
            _clients[key] = session.create_client(
                "dynamodb",
                config=Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    max_pool_connections=64,
                    # Validation is slow, and this package alone builds the requests.
                    parameter_validation=False,
                ),
                **options,
            )
        return _clients[key]


class Client:
    """Calls DynamoDB for a connection, on one table.

    Args:
        alias: the database's name in DATABASES, for messages.
        table: the table's name.
        options: arguments for `boto3.client`.
        observe: runs each call, and may log or count it. It gets the operation, the arguments and
            the call.
    """

    def __init__(
        self,
        alias: str,
        table: str,
        options: Mapping[str, Any],
        observe: Callable[[str, dict[str, Any], Callable[[], Any]], Any],
    ) -> None:
        self.alias, self.table = alias, table
        self._options = dict(options)
        self._observe = observe

    @property
    def raw(self) -> Any:
        """boto3's client."""
        with self._errors():
            return client_for(self._options)

    def load(self) -> None:
        """Make the client now instead of at the first call."""
        with self._errors():
            client_for(self._options)

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation such as `get_item`.

        Raises:
            ConditionFailedError: a condition failed.
            ConflictError: others kept writing the same items.
            OperationalError: DynamoDB throttles, cannot be reached or denies access, or the table
                is missing.
            DataError: DynamoDB rejects the data.
        """
        method = getattr(self.raw, operation)
        for attempt in range(CONTENTION_ATTEMPTS):
            try:
                with self._errors():
                    return dict(self._observe(operation, arguments, lambda: method(**arguments)))
            except _ContentionError:
                if attempt < CONTENTION_ATTEMPTS - 1:
                    pause(attempt)
        raise ConflictError("Others keep writing the same rows: try again in a moment.")

    def get(self, key: tuple[str, str], **projection: Any) -> dict[str, Any] | None:
        """An item by a consistent read, or None. `projection` selects attributes."""
        return self.call(
            "get_item", TableName=self.table, Key=key_of(key), ConsistentRead=True, **projection
        ).get("Item")

    def get_many(self, keys: list[tuple[str, str]], **projection: Any) -> list[dict[str, Any]]:
        """The existing items of at most 100 keys, in any order; otherwise like `get()`.

        `projection` may set ConsistentRead to False, which takes half the units.
        """
        named = [key_of(key) for key in keys]
        request: dict[str, Any] = {
            self.table: {"Keys": named, "ConsistentRead": True, **projection}
        }
        found: list[dict[str, Any]] = []
        for attempt in range(CONTENTION_ATTEMPTS):
            answer = self.call("batch_get_item", RequestItems=request)
            items = answer["Responses"].get(self.table, [])
            found += items
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return found
            if not items:
                pause(attempt)
        raise OperationalError("DynamoDB is throttling reads: try again in a moment.")

    def pages(self, operation: str, **arguments: Any) -> Iterator[list[dict[str, Any]]]:
        """The pages of a query or scan as lists of items; more may follow an empty page."""
        for answer in self.answers(operation, **arguments):
            yield answer.get("Items", [])

    def answers(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The answers to a query or scan, one for each page."""
        start: dict[str, Any] = {}
        while True:
            answer = self.call(operation, TableName=self.table, **arguments, **start)
            yield answer
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            if "Limit" in arguments:
                # The caller needs more items than expected, because it filters some out.
                arguments["Limit"] = min(2 * arguments["Limit"], LARGEST_PAGE)

    def delete_many(self, keys: list[tuple[str, str]]) -> None:
        """Delete items unconditionally, without a transaction."""
        for first in range(0, len(keys), 25):
            request: dict[str, Any] = {
                self.table: [
                    {"DeleteRequest": {"Key": key_of(key)}} for key in keys[first : first + 25]
                ]
            }
            for attempt in range(CONTENTION_ATTEMPTS):
                answer = self.call("batch_write_item", RequestItems=request)
                request = answer.get("UnprocessedItems") or {}
                if not request:
                    break
                pause(attempt)
            else:
                raise OperationalError("DynamoDB is throttling writes: try again in a moment.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            self._translate(error)
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
            raise OperationalError(
                "There are no credentials for DynamoDB: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or give the process a role."
            ) from error
        except BotoCoreError as error:
            raise OperationalError(f"DynamoDB cannot be reached: {error}") from error

    def _translate(self, error: ClientError) -> NoReturn:
        answer: Any = error.response
        code, message = answer["Error"]["Code"], answer["Error"].get("Message", "")
        retried = bool(answer.get("ResponseMetadata", {}).get("RetryAttempts"))
        if code == "ConditionalCheckFailedException":
            raise ConditionFailedError({0: answer.get("Item", {})}, retried=retried) from error
        if code == "TransactionCanceledException":
            self._translate_cancellation(answer, error)
        if code in ("TransactionConflictException", "TransactionInProgressException"):
            raise _ContentionError from error
        if code in THROTTLED:
            raise OperationalError("DynamoDB is throttling: try again in a moment.") from error
        if code == "ResourceNotFoundException":
            raise OperationalError(
                f"The table {self.table} is missing, or lacks an index: run manage.py migrate."
            ) from error
        if code in REFUSED:
            raise OperationalError(
                f"DynamoDB refuses our credentials ({code}): check the keys or the role, and that "
                f"it may use the table {self.table}."
            ) from error
        if code == "ValidationException":
            raise DataError(_explained(message)) from error
        raise OperationalError(f"DynamoDB failed ({code}): {message}") from error

    def _translate_cancellation(self, answer: Any, error: ClientError) -> None:
        reasons = answer.get("CancellationReasons", [])
        codes = {reason.get("Code") for reason in reasons} - {"None", None}
        failures = {
            place: reason.get("Item", {})
            for place, reason in enumerate(reasons)
            if reason.get("Code") == "ConditionalCheckFailed"
        }
        if failures:
            raise ConditionFailedError(failures) from error
        if codes and codes <= CONTENTION:
            raise _ContentionError from error
        messages = [r["Message"] for r in reasons if r.get("Code") == "ValidationError"]
        if messages:
            raise DataError(_explained(messages[0])) from error


class _ContentionError(Exception):
    """Somebody else was writing one of the items; this call wrote nothing."""


def pause(attempt: int) -> None:
    """Back off before the next attempt: exponentially, with full jitter, for at most 1 s."""
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2**attempt)))  # noqa: S311


def key_of(key: tuple[str, str]) -> dict[str, dict[str, str]]:
    """A key in DynamoDB's form."""
    return {"PK": {"S": key[0]}, "SK": {"S": key[1]}}


def _explained(message: str) -> str:
    if "size" in message.lower() and "exceed" in message.lower():
        return f"The row is larger than the 400 KB that DynamoDB takes: shorten it. ({message})"
    return f"DynamoDB does not take this: {message}"


def no_scan(table: str, missing: str) -> NotSupportedError:
    """The error for a query that would have to read the whole table."""
    return NotSupportedError(
        f"This query on {table} would need a Scan of the whole DynamoDB table. {missing}"
    )
