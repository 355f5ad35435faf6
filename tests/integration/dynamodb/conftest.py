"""What the application asks of DynamoDB, counted where requests leave the process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.integration.api.conftest import alice, bob, make_execution

__all__ = ["alice", "bob", "make_execution"]

Counting = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture(autouse=True)
def _on_dynamodb() -> None:
    if settings.TEST_DATABASE == "sqlite":
        pytest.skip("about DynamoDB")


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
