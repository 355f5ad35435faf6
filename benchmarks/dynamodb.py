"""Measures the API and deep pages on DynamoDB, compared with boto3 that makes the same calls.

python -m benchmarks.dynamodb [users] [triggers] [executions] [seconds to fill]

DynamoDB Local is a process of its own: the CPU time of this process is that of our code and of
boto3. Compare the figures with each other, not with AWS, since all run on one machine.
"""

import io
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from moca.dynamodb.local import DynamoDBLocal, UnavailableError

USERS, TRIGGERS, EXECUTIONS, SECONDS = 1_000, 100_000, 1_000_000, 180
# The calling user, who has enough triggers to change and delete.
CALLER = "caller"
REQUESTS = 150
WARM_UP = 20
DEEP = 500
PAGE, LIST_PAGE = 20, 100
FILLERS = 3
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
STARTED = datetime(2026, 7, 1, 9, tzinfo=UTC)
NEW = {
    "name": "New",
    "type": "schedule",
    "agentId": "agent",
    "prompt": "Report.",
    "scheduleConfig": {"expression": "0 9 * * ? *", "timezone": "Asia/Tokyo"},
}
# An operation of boto3's client and its arguments.
Call = tuple[str, dict[str, Any]]
# A method, a path and a body.
Request = tuple[str, str, Any]


def set_up(endpoint: str) -> None:
    os.environ |= {
        "MOCA_DATA_DIR": tempfile.mkdtemp(prefix="moca-bench-"),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "DATABASE_URL": "dynamodb://moca-bench",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "MAX_TRIGGERS_PER_USER": "100000",
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


# Filling


def fill(rows: Iterable[Any], seconds: float) -> int:
    """Write rows until there are no more or the time is up; returns how many were written."""
    from django.db import connection

    end = time.monotonic() + seconds
    client, name = connection.service.raw, connection.service.table  # type: ignore[attr-defined]
    written = itertools.count()

    def write(items: list[dict[str, Any]]) -> None:
        request = {name: [{"PutRequest": {"Item": item}} for item in items]}
        while request:
            request = client.batch_write_item(RequestItems=request)["UnprocessedItems"]

    def batches() -> Iterator[list[dict[str, Any]]]:
        items = (item_of(row) for row in rows)
        while time.monotonic() < end and (batch := list(itertools.islice(items, 25))):
            yield batch
            next(written)

    with ThreadPoolExecutor(FILLERS) as pool:
        running: set[Any] = set()
        for batch in batches():
            running.add(pool.submit(write, batch))
            while len(running) > 2 * FILLERS:
                running = {each for each in running if not each.done()}
                time.sleep(0.001)
    return next(written) * 25


def item_of(row: Any) -> dict[str, Any]:
    from moca.dynamodb.layout import table_of

    table = table_of(type(row))
    return table.item({name: getattr(row, name) for name in table.fields})


def triggers(users: int, count: int) -> Iterator[Any]:
    from triggers.models import Trigger

    for number in range(count):
        yield Trigger(
            user_id=f"user-{number % users}",
            name=f"Trigger {number}",
            agent_id="agent",
            prompt="Report what happened since yesterday.",
            schedule_config={"expression": "cron(0 9 * * ? *)"},
        )


def executions(trigger_ids: Iterable[str]) -> Iterator[Any]:
    from executions.models import TriggerExecution, expiry
    from moca.ids import new_id

    for trigger_id in trigger_ids:
        yield TriggerExecution(
            id=new_id(),
            trigger_id=trigger_id,
            user_id=CALLER,
            status="completed",
            source="schedule",
            attempt=1,
            started_at=STARTED,
            completed_at=STARTED + timedelta(seconds=3),
            duration_ms=3000,
            output="All is well. " * 10,
            ttl=expiry(datetime.now(UTC)),
        )


def own_triggers(count: int) -> list[str]:
    """Make equal triggers of the caller, with their schedules in sync; returns their ids."""
    from triggers.models import Trigger

    made = []
    for _ in range(count):
        trigger = Trigger(
            user_id=CALLER,
            name="Report",
            agent_id="agent",
            prompt="Report.",
            schedule_config={"expression": "cron(0 9 * * ? *)"},
        )
        trigger.save()
        made.append(trigger.pk)
    return made


# Measuring


@dataclass
class Figures:
    """The cost of requests: milliseconds of CPU for each, seconds for all."""

    cpu: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def rate(self) -> float:
        return len(self.cpu) / self.seconds


def measure(*ways: Iterable[Callable[[], Any]]) -> list[Figures]:
    """Time the calls of each side in turn: other work on the machine affects all sides alike."""
    found = [Figures() for _ in ways]
    for number, calls in enumerate(zip(*ways, strict=True)):
        for figures, call in zip(found, calls, strict=True):
            clock, cpu = time.perf_counter(), time.process_time()
            call()
            if number >= WARM_UP:
                figures.cpu.append(1000 * (time.process_time() - cpu))
                figures.seconds += time.perf_counter() - clock
    return found


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Record the calls to DynamoDB."""
    from django.db import connection

    service: Any = connection.service  # type: ignore[attr-defined]
    calls: list[Call] = []
    observe = service._observe

    def note(operation: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        calls.append((operation, arguments))
        return observe(operation, arguments, call)

    service._observe = note
    try:
        yield calls
    finally:
        service._observe = observe


class API:
    """Calls the WSGI application like its web server, with a real token."""

    def __init__(self) -> None:
        from moca.authentication.tokens import issue
        from moca.wsgi import application

        self.application: Any = application
        token = issue(CALLER, lasting=timedelta(hours=1), now=datetime.now(UTC))
        self.environ = {
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "CONTENT_TYPE": "application/json",
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
        }

    def __call__(self, method: str, address: str, body: Any = None) -> dict[str, Any]:
        path, _, query = address.partition("?")
        data = b"" if body is None else json.dumps(body).encode()
        status = ""

        def start(line: str, headers: Any, error: Any = None) -> None:
            nonlocal status
            status = line

        response = self.application(
            self.environ
            | {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_LENGTH": str(len(data)),
                "wsgi.input": io.BytesIO(data),
            },
            start,
        )
        text = b"".join(response)
        response.close()
        if not status.startswith("2"):
            raise RuntimeError(f"{method} {address}: {status} {text[:300]!r}")
        found: dict[str, Any] = json.loads(text)
        return found


def renamed(calls: list[Call], known: str, spare: str) -> list[Call]:
    """The same calls for another trigger; other rows that they create get new ids."""
    from moca.ids import new_id

    text = json.dumps(calls)
    text = text.replace(known, spare)
    made = "put_item" in text or "transact_write_items" in text
    for name in set(UUID.findall(text)) - {spare} if made else ():
        text = text.replace(name, new_id())
    return [(operation, arguments) for operation, arguments in json.loads(text)]


def replay(client: Any, calls: list[Call]) -> None:
    for operation, arguments in calls:
        # A token identifies one request; this is another one.
        own = {name: value for name, value in arguments.items() if name != "ClientRequestToken"}
        getattr(client, operation)(**own)


# The figures


def compare(api: API, busy: str) -> None:
    """Compare each request of the API with boto3 (default settings) that makes the same calls."""
    import boto3

    from moca.ids import new_id

    bare = boto3.client("dynamodb", region_name="us-east-1")
    count = REQUESTS + WARM_UP
    first, *mine = own_triggers(count + 1)
    spare = own_triggers(count)
    fresh = [new_id() for _ in range(count)]
    print(
        f"{'':16}{'API':>12}{'':>12}{'bare boto3':>14}{'':>12}{'above it':>12}\n{'':16}"
        f"{'requests/s':>12}{'ms CPU':>12}{'requests/s':>14}{'ms CPU':>12}{'ms CPU':>12}  calls"
    )
    # Each has the ids of the triggers that bare boto3 reads, changes or creates.
    compared: list[tuple[str, Callable[[str], Request], list[str]]] = [
        ("get", lambda key: ("GET", f"/triggers/{key}", None), spare),
        ("list 100", lambda key: ("GET", "/triggers?limit=100", None), spare),
        ("list executions", lambda key: ("GET", f"/triggers/{busy}/executions", None), spare),
        ("create", lambda key: ("POST", "/triggers", NEW), fresh),
        ("update", lambda key: ("PATCH", f"/triggers/{key}", {"prompt": "Report it."}), spare),
        ("delete", lambda key: ("DELETE", f"/triggers/{key}", None), spare),
    ]
    for name, request, keys in compared:
        with recorded() as calls:
            answer = api(*request(first))
        known = answer["trigger"]["id"] if name == "create" else first
        copies = [renamed(calls, known, key) for key in keys]
        ours, theirs = measure(
            [partial(api, *request(key)) for key in mine],
            [partial(replay, bare, copy) for copy in copies],
        )
        show(name, ours, theirs, calls)


def show(name: str, ours: Figures, theirs: Figures, calls: list[Call]) -> None:
    words = ", ".join(operation for operation, _ in calls)
    print(
        f"{name:16}{ours.rate:12.0f}{ours.median:12.2f}{theirs.rate:14.0f}{theirs.median:12.2f}"
        f"{ours.median - theirs.median:12.2f}  {words}"
    )


def deep_pages(api: API, busy: str, ids: list[str]) -> None:
    """Compare the first page of long lists with one far down."""
    from triggers.models import Trigger

    address = f"/triggers/{busy}/executions?limit={PAGE}"
    token, last = "", 1
    # Stop earlier if the list is shorter.
    while last < DEEP and (
        following := api("GET", f"{address}&nextToken={token}").get("nextToken")
    ):
        token, last = following, last + 1
    deep = min(DEEP, len(ids) // LIST_PAGE - 1)
    key = sorted(ids, reverse=True)[(deep - 1) * LIST_PAGE - 1]
    everything = Trigger.objects.order_by("-pk")
    pages: dict[str, Callable[[], Any]] = {
        f"executions of a trigger, {PAGE} a page, page 1": lambda: api("GET", address),
        f"executions of a trigger, {PAGE} a page, page {last}": lambda: api(
            "GET", f"{address}&nextToken={token}"
        ),
        f"all triggers, {LIST_PAGE} a page, page 1": lambda: list(everything[: LIST_PAGE + 1]),
        f"all triggers, {LIST_PAGE} a page, page {deep}": lambda: list(
            everything.filter(pk__lt=key)[: LIST_PAGE + 1]
        ),
    }
    figures = measure(*(itertools.repeat(read, REQUESTS + WARM_UP) for read in pages.values()))
    for (name, read), found in zip(pages.items(), figures, strict=True):
        with recorded() as calls:
            read()
        words = ", ".join(operation for operation, _ in calls)
        print(f"{name:48}{len(calls):3} calls {found.median:6.2f} ms CPU  {words}")


def filled(users: int, trigger_count: int, execution_count: int, seconds: float) -> list[str]:
    """Fill the table; returns the ids of the triggers, first the one with many executions."""
    made: list[str] = []

    def noted(rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            made.append(row.pk)
            yield row

    start = time.monotonic()
    fill(noted(triggers(users, trigger_count)), seconds / 3)
    busy = own_triggers(1)[0]
    # First many executions of one trigger, then those of all in turn.
    order = itertools.chain([busy] * PAGE * (DEEP + 1), itertools.cycle(made))
    left = seconds - (time.monotonic() - start)
    executed = fill(executions(itertools.islice(order, execution_count)), left)
    took = time.monotonic() - start
    print(
        f"{len(made):,} of {trigger_count:,} triggers of {users:,} users, "
        f"{executed:,} of {execution_count:,} executions, filled in {took:.0f} s"
    )
    if len(made) < trigger_count or executed < execution_count:
        print(f"scaled down to what fits into {seconds:.0f} s; give more as the last argument")
    return [busy, *made]


def main() -> None:
    defaults = [USERS, TRIGGERS, EXECUTIONS, SECONDS]
    given = [int(text) for text in sys.argv[1:]]
    users, trigger_count, execution_count, seconds = [*given, *defaults[len(given) :]]
    try:
        with DynamoDBLocal() as local:
            set_up(local.endpoint)
            busy, *made = filled(users, trigger_count, execution_count, seconds)
            api = API()
            compare(api, busy)
            deep_pages(api, busy, made)
    except UnavailableError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
