"""What the application asks of DynamoDB, counted where requests leave the process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.integration.api.conftest import alice, bob, make_execution

__all__ = ["alice", "bob", "make_execution"]

Counting = Callable[[], AbstractContextManager[list[str]]]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.dynamodb)


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
