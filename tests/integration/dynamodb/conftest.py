"""What the application asks of DynamoDB, counted where requests leave the process."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from moca.authentication import access
from tests.integration.api.conftest import alice, bob, make_execution
from triggers import pauses

__all__ = ["alice", "bob", "make_execution"]

Counting = Callable[[], AbstractContextManager[list[str]]]
Measuring = Callable[[], AbstractContextManager[list[float]]]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.dynamodb)


@pytest.fixture(autouse=True)
def known_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a process knows of callers and pauses, which slow tests would read in between."""
    cache.clear()
    cache.set(pauses.CACHE_KEY, False, 3600)
    monkeypatch.setattr(access, "STATE_SECONDS", 3600)


@pytest.fixture
def requests_made(db: None) -> Counting:
    """Collect the names of the requests to DynamoDB, by `with requests_made() as names:`."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        names: list[str] = []

        def count(request: Any, **_: Any) -> None:
            names.append(request.headers["X-Amz-Target"].decode().partition(".")[2])

        events = connection.service.raw.meta.events  # type: ignore[attr-defined]
        events.register("before-send.dynamodb", count)
        try:
            yield names
        finally:
            events.unregister("before-send.dynamodb", count)

    return counting


@pytest.fixture
def units_read(db: None) -> Measuring:
    """Collect the capacity units of requests to DynamoDB, by `with units_read() as units:`."""
    return _measuring()


@pytest.fixture
def units_written(db: None) -> Measuring:
    """Collect the capacity units of the writes among them."""
    return _measuring(("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"))


def _measuring(operations: Collection[str] = ()) -> Measuring:
    if settings.TEST_DATABASE != "dynamodb":
        pytest.skip("only DynamoDB Local measures them")

    @contextmanager
    def measuring() -> Iterator[list[float]]:
        units: list[float] = []

        def ask(params: dict[str, Any], **_: Any) -> None:
            # For "TOTAL", DynamoDB Local leaves out indexes of some transactions.
            asked = "INDEXES" if operations else "TOTAL"
            body = {**json.loads(params["body"]), "ReturnConsumedCapacity": asked}
            params["body"] = json.dumps(body).encode()

        def note(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            if operations and model.name not in operations:
                return
            found = parsed.get("ConsumedCapacity", [])
            all_of_it = found if isinstance(found, list) else [found]
            units.extend(each["CapacityUnits"] for each in all_of_it)

        events = connection.service.raw.meta.events  # type: ignore[attr-defined]
        events.register("before-call.dynamodb", ask)
        events.register("after-call.dynamodb", note)
        try:
            yield units
        finally:
            events.unregister("before-call.dynamodb", ask)
            events.unregister("after-call.dynamodb", note)

    return measuring
