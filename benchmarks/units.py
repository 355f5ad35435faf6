"""Measures what a run costs in DynamoDB's write units and calls, on DynamoDB Local.

python -m benchmarks.units [seconds of a long run]

DynamoDB Local counts an index twice in a transaction. It sums up a transaction correctly only if it
is asked for the units of each index.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moca.dynamodb.local import DynamoDBLocal, UnavailableError

SECONDS = 60
# The long run says 4 KB in so many pieces.
PIECES, PIECE = 120, "Thirty-four characters of the text"
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}
DAYS, RUNS_A_DAY = 30, 4


def set_up(endpoint: str) -> None:
    os.environ |= {
        "MOCA_DATA_DIR": tempfile.mkdtemp(prefix="moca-bench-"),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "DATABASE_URL": "dynamodb://moca-bench",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


class Agent:
    """Stands in for `AgentClient`: it says a text over some seconds."""

    def __init__(self, seconds: float, pieces: int) -> None:
        self.seconds, self.pieces = seconds, pieces

    def invoke(self, *_: Any, on_transcript: Any, **__: Any) -> Any:
        from agents.replies import Transcript

        transcript = Transcript()
        for _number in range(self.pieces):
            time.sleep(self.seconds / self.pieces)
            transcript.say(PIECE)
            transcript.flush()
            on_transcript(transcript)
        return transcript.reply()


@dataclass
class Cost:
    """The calls that were made, and the write units of each write."""

    calls: list[str] = field(default_factory=list)
    units: list[float] = field(default_factory=list)


@contextmanager
def measured() -> Iterator[Cost]:
    from django.db import connection

    cost = Cost()

    def ask(params: dict[str, Any], **_: Any) -> None:
        body = {**json.loads(params["body"]), "ReturnConsumedCapacity": "INDEXES"}
        params["body"] = json.dumps(body).encode()

    def note(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "Query":
            # Looking for runs to cancel: one for all runs of a process.
            return
        cost.calls.append(model.name)
        found = parsed.get("ConsumedCapacity", [])
        if model.name in WRITES:
            every = found if isinstance(found, list) else [found]
            cost.units.append(sum(each["CapacityUnits"] for each in every))

    events = connection.service.raw.meta.events  # type: ignore[attr-defined]
    events.register("before-call.dynamodb", ask)
    events.register("after-call.dynamodb", note)
    try:
        yield cost
    finally:
        events.unregister("before-call.dynamodb", ask)
        events.unregister("after-call.dynamodb", note)


def new_trigger(name: str) -> Any:
    from triggers.models import Trigger

    trigger = Trigger(
        user_id="caller",
        name=name,
        agent_id="agent",
        prompt="Report what happened since yesterday.",
        schedule_config={"expression": "cron(0 9 * * ? *)"},
    )
    trigger.save()
    return trigger


def with_history(trigger: Any) -> Any:
    """Give a trigger the statistics of a month with several runs a day."""
    from moca.ids import new_id
    from triggers.models import Trigger
    from triggers.statistics import PastRun, Statistics

    statistics, now = Statistics(), datetime.now(UTC)
    for number in range(DAYS * RUNS_A_DAY):
        started = now - timedelta(hours=24 / RUNS_A_DAY * (DAYS * RUNS_A_DAY - number))
        length = 20_000 + 997 * number % 40_000
        statistics.add(PastRun(new_id(), started, length, failed=number % 9 == 0), tokens=1234)
    row = Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk)
    row.update(statistics=statistics.text())
    return trigger


def run(trigger: Any, number: int, agent: Agent) -> Cost:
    from executions import runner
    from executions.runner import Occurrence

    due = datetime(2027, 1, 4, 9, tzinfo=UTC) + timedelta(hours=number)
    with measured() as cost:
        begun = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
        assert begun is not None
        runner.execute(begun, agent)  # type: ignore[arg-type]
    return cost


def show(name: str, cost: Cost) -> None:
    calls = ", ".join(f"{cost.calls.count(each)} {each}" for each in dict.fromkeys(cost.calls))
    print(f"{name}: {sum(cost.units):g} write units ({calls})", flush=True)


def measure(seconds: float) -> None:
    for name, trigger in (
        ("new trigger", new_trigger("New")),
        ("trigger with a month of runs", with_history(new_trigger("Old"))),
    ):
        # The first run looks the record of the agent up.
        run(trigger, 0, Agent(0, 1))
        show(f"a firing with a short answer, {name}", run(trigger, 1, Agent(0, 1)))
        show(f"a run of {seconds:g} s and 4 KB, {name}", run(trigger, 2, Agent(seconds, PIECES)))


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    try:
        with DynamoDBLocal() as local:
            set_up(local.endpoint)
            measure(seconds)
    except UnavailableError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
