"""A DynamoDB of these tests, whatever the database of the other tests is."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper

from moca.dynamodb.base import DatabaseWrapper
from moca.dynamodb.local import DynamoDBLocal, UnavailableError
from moca.dynamodb.reader import key_in
from tests.dynamodb import models

DEFAULTS: dict[str, Any] = {
    "ATOMIC_REQUESTS": False,
    "AUTOCOMMIT": True,
    "CONN_HEALTH_CHECKS": False,
    "CONN_MAX_AGE": None,
    "HOST": "",
    "PASSWORD": "",
    "PORT": "",
    "TEST": {"MIRROR": None},
    "TIME_ZONE": None,
    "USER": "",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.dynamodb)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of a DynamoDB Local."""
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "TEST_DYNAMODB_ENDPOINT"):
        if given := os.environ.get(name):
            yield given
            return
    try:
        with DynamoDBLocal() as local:
            yield local.endpoint
    except UnavailableError as error:
        pytest.skip(str(error))


@contextmanager
def as_default(wrapper: Any) -> Iterator[Any]:
    """Let a connection be the default one of this thread."""
    before = connections["default"]
    connections["default"] = wrapper
    try:
        yield wrapper
    finally:
        connections["default"] = before


@pytest.fixture(scope="session")
def table_name() -> str:
    return f"test-{uuid.uuid4()}"


@pytest.fixture
def connect(
    endpoint: str, table_name: str, django_db_blocker: Any
) -> Iterator[Callable[..., DatabaseWrapper]]:
    """Make a connection, by `connect()`.

    Its arguments are the table's name, else that of all these tests, and those of boto3.
    """
    models.declare()

    def make(name: str = table_name, **options: Any) -> DatabaseWrapper:
        given = {
            "endpoint_url": endpoint,
            "region_name": "eu-central-1",
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
        }
        settings = {"ENGINE": "moca.dynamodb", "NAME": name, "OPTIONS": {**given, **options}}
        return DatabaseWrapper({**DEFAULTS, **settings}, "default")

    with django_db_blocker.unblock():
        yield make


@pytest.fixture(scope="session")
def tables() -> list[str]:
    """The names of the tables that these tests have made."""
    return []


@pytest.fixture
def dynamodb(
    connect: Callable[..., DatabaseWrapper], tables: list[str]
) -> Iterator[DatabaseWrapper]:
    """A connection to an empty table, which is the default one in this thread."""
    wrapper = connect()
    wrapper.ensure_connection()
    if not tables:
        wrapper.creation.ensure_table()
        tables.append(wrapper.service.table)
    empty(wrapper)
    with as_default(wrapper):
        yield wrapper


def empty(wrapper: DatabaseWrapper) -> None:
    """Delete all items."""
    for items in wrapper.service.pages("scan", ProjectionExpression="PK, SK"):
        wrapper.service.delete_many([key_in(item) for item in items])


@contextmanager
def sqlite(*tables: Any) -> Iterator[SqliteWrapper]:
    """A connection to a new SQLite database in memory with the tables of some models."""
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
    wrapper = SqliteWrapper({**DEFAULTS, **settings}, "default")
    try:
        with as_default(wrapper), wrapper.schema_editor() as editor:
            for model in tables:
                editor.create_model(model)
        yield wrapper
    finally:
        wrapper.close()
        if wrapper.connection is not None:
            wrapper.connection.close()


@pytest.fixture
def calls(dynamodb: DatabaseWrapper) -> Iterator[list[str]]:
    """The names of the operations that boto3 sends, as they are sent."""
    sent: list[str] = []

    def note(model: Any, **_: Any) -> None:
        sent.append(model.name)

    events = dynamodb.service.raw.meta.events
    events.register("before-call.dynamodb", note)
    yield sent
    events.unregister("before-call.dynamodb", note)


@pytest.fixture
def other(connect: Callable[..., DatabaseWrapper]) -> Callable[[], Any]:
    """Do things by another connection to the table, by `with other():`."""

    @contextmanager
    def by_another() -> Iterator[Any]:
        with as_default(connect()) as wrapper:
            yield wrapper

    return by_another


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 5, 1, 12, tzinfo=UTC)
