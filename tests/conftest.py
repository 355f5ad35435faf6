"""Options, hooks and fixtures of all tests. No test connects to another machine."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase
from django.utils import translation
from whitenoise.middleware import WhiteNoiseMiddleware

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from alerts import rules as alert_rules
from events import sources
from executions.agent_records import clients, lookup
from executions.scheduler import LocalSchedulerProcess
from moca.dynamodb.layout import all_tables
from moca.dynamodb.local import DynamoDBLocal, UnavailableError
from tests.progress import Progress
from triggers import budgets, chains, pauses
from triggers.models import Trigger


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["sqlite", "dynamodb", "moto"],
        default="sqlite",
        help="dynamodb: DynamoDB Local, as a process; moto: its imitation in this process",
    )


def pytest_configure(config: pytest.Config) -> None:
    if settings.TEST_DATABASE == "moto":
        from moto import mock_aws

        mocked = mock_aws()
        mocked.start()
        config.add_cleanup(mocked.stop)
    if settings.TEST_DATABASE == "dynamodb" and not hasattr(config, "workerinput"):
        local = DynamoDBLocal()
        try:
            local.__enter__()
        except UnavailableError as error:
            pytest.exit(f"Nothing was tested. {error}", returncode=1 if os.environ.get("CI") else 0)
        config.add_cleanup(local.__exit__)
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = local.endpoint


def pytest_sessionstart(session: pytest.Session) -> None:
    plugins = session.config.pluginmanager
    reporter = plugins.get_plugin("terminalreporter")
    if reporter and session.config.get_verbosity() <= 0:
        plugins.register(Progress(reporter))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the tests for the chosen database. Tests without a database run on SQLite's pass."""
    chosen = [item for item in items if _is_for(settings.TEST_DATABASE, item)]
    if others := [item for item in items if item not in set(chosen)]:
        config.hook.pytest_deselected(items=others)
    items[:] = chosen
    if settings.TEST_DATABASE == "sqlite":
        return
    for item in chosen:
        # A rollback at the end of a test would keep writes from the table.
        if _touches_the_database(item):
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)


def _is_for(database: str, item: pytest.Item) -> bool:
    if item.get_closest_marker("each_database"):
        return True
    about = {name for name in ("sqlite", "dynamodb") if item.get_closest_marker(name)}
    if about:
        return database in about
    return database == "sqlite" or _touches_the_database(item)


def _touches_the_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


def database_url() -> str:
    """The DATABASE_URL of the tests' database, for processes that tests start."""
    scheme = "sqlite:///" if connection.vendor == "sqlite" else "dynamodb://"
    return f"{scheme}{connection.settings_dict['NAME']}"


def patient(seconds: float) -> float:
    """How long a test waits in place of some seconds: in CI, where passes share the machine, four
    times as long.
    """
    return seconds * 4 if os.environ.get("CI") else seconds


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Call `condition` until its result is true, and return the result.

    Raises:
        AssertionError: the result is still false after `seconds`, as `patient()` counts them.
    """
    seconds = patient(seconds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def make_many(number: int, **fields: Any) -> None:
    """Create many triggers in bulk, named T0000, T0001 and so on."""
    values = {"user_id": "ann", "schedule_config": {"expression": "rate(1 hour)"}, **fields}
    made = [Trigger(name=f"T{each:04}", **values) for each in range(number)]
    # A transaction of DynamoDB takes a hundred items; a trigger is one or more.
    for start in range(0, number, 50):
        Trigger.objects.bulk_create(made[start : start + 50])


@pytest.fixture(scope="session", autouse=True)
def _what_stays_the_same_is_read_once() -> Iterator[None]:
    """Read static files and the descriptions of AWS services once, instead of once per test.

    Each test client creates all middleware again, and each moto a session of its own.
    """
    look_up, read = WhiteNoiseMiddleware.add_files_from_finders, cache(JSONFileLoader().load_file)
    found: dict[str, dict[str, Any]] = {}

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        if middleware.static_prefix not in found:
            look_up(middleware)
            found[middleware.static_prefix] = middleware.files
        middleware.files |= found[middleware.static_prefix]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files)
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.fixture(scope="session", autouse=True)
def _table_is_emptied_at_once() -> Iterator[None]:
    """Replace Django's slow `flush`, which lists the tables before each test and migrates after."""
    with pytest.MonkeyPatch.context() as patch:
        if settings.TEST_DATABASE != "sqlite":
            patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: _empty_table())
        yield


def _empty_table() -> None:
    connection.ops.execute_sql_flush([table.name for table in all_tables()])


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Reset the language after each test, since a request leaves its own active in the thread."""
    yield
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True)
def _rows_are_forgotten() -> Iterator[None]:
    """Empty what this process remembers of rows: no signal tells of a rollback."""
    yield
    lookup.forget()
    clients.close_all()
    pauses.forget()
    sources.forget_all()


@pytest.fixture(autouse=True)
def _alert_rules_are_forgotten() -> None:
    """Have this process know no rules of alerts before each test; a new rule has them read."""
    alert_rules.know_none()


@pytest.fixture(autouse=True)
def _budgets_are_forgotten() -> None:
    """Have this process know no prices and no users' budgets before each test."""
    budgets.know_none()


@pytest.fixture(autouse=True)
def _listeners_to_runs_are_forgotten() -> None:
    """Have this process know nobody who hears of the ends of runs before each test."""
    chains.know_none()


@pytest.fixture
def make_trigger(db: None) -> Callable[..., Trigger]:
    """Create a valid schedule trigger; keyword arguments are its fields."""

    def make(**fields: Any) -> Trigger:
        values: dict[str, Any] = {
            "user_id": "alice",
            "name": "Report",
            "agent_id": "reporter",
            "prompt": "Report.",
            "schedule_config": {"expression": "cron(0 9 * * ? *)"},
        }
        trigger = Trigger(**{**values, **fields})
        trigger.full_clean(validate_unique=False)
        trigger.save()
        return trigger

    return make


@pytest.fixture
def demo_agent() -> Iterator[DemoAgent]:
    """A demo agent on a free port, which answers without pauses."""
    with DemoAgent(pause=0) as agent:
        yield agent


@pytest.fixture
def scheduler(
    demo_agent: DemoAgent, transactional_db: None
) -> Callable[..., AbstractContextManager[LocalSchedulerProcess]]:
    """Run a scheduler in a thread of this process inside `with scheduler():`."""

    @contextmanager
    def running(protocol: str = "invocations") -> Iterator[LocalSchedulerProcess]:
        tokens = FixedToken(demo_agent.issue_token())
        process = LocalSchedulerProcess(
            AgentClient(demo_agent.url, tokens, protocol=PROTOCOLS[protocol])
        )

        def run() -> None:
            process.run()
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield process
        finally:
            process.stop()
            thread.join(30)
            process.client.close()

    return running
