import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from alerts.models import Bundle, Channel, Delivery, Happened, Rule
from events import signing_keys
from events.models import EventSource, ReceivedEvent
from executions.agent_records.model import Agent
from executions.alarms import Alarm
from executions.backfill.model import Backfill
from executions.models import (
    CancelRequest,
    HandedOverRun,
    Line,
    MeasuredProcess,
    OutputPiece,
    PendingEvent,
    QueuedRun,
    RunWorker,
    TriggerExecution,
    Turn,
    WaitingRun,
    expiry,
)
from moca.authentication.models import APIToken, AuditEntry, FailedSignIns, Operator
from moca.copying import models as copied_models
from moca.copying import values_of
from moca.ids import new_id
from moca.management.commands.copy_database import connected
from tests.integration.import_export.conftest import Table, execution_item, trigger_item
from triggers.models import (
    IdempotencyKey,
    InstallationPause,
    LocalSchedule,
    Price,
    Process,
    Spending,
    Trigger,
    UserBudget,
)

STARTED = datetime(2026, 7, 1, 9, 0, 0, 123456, tzinfo=UTC)
on_dynamodb = pytest.mark.dynamodb


def copy(source: str, target: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("copy_database", source, target, *arguments, stdout=out)
    return out.getvalue()


def figures(report: str) -> dict[str, list[int]]:
    """The report's table: what became of each model's rows."""
    found = {}
    for line in report.splitlines():
        words = line.replace(",", "").split()
        numbers = [int(word) for word in words if word.isdecimal()]
        if len(numbers) == 6:
            found[" ".join(words[:-6])] = numbers
    return found


def contents(database: str) -> dict[str, list[dict[str, Any]]]:
    """All rows, by key."""
    with connected(database) as alias:
        return {
            model._meta.label: [values_of(row) for row in everything(model, alias)]
            for model in copied_models(alias)
        }


def everything(model: type[models.Model], alias: str) -> list[models.Model]:
    from moca.copying import store

    pages = store(alias).pages()
    rows = [row for of, page in pages if of is model for row in page]
    return sorted(rows, key=lambda row: str(row.pk))


@pytest.fixture(autouse=True)
def databases_by_url(db: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let databases be used that are none of the tests' own."""
    allowed = django_db_blocker._real_ensure_connection
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", allowed)


@pytest.fixture
def rows(make_trigger: Callable[..., Trigger]) -> dict[str, Any]:
    """A row or more of every model, with what is hard to carry."""
    operator = Operator.objects.create_operator("ann", password="secret-enough")
    Operator.objects.filter(pk=operator.pk).update(last_login=STARTED)
    first = make_trigger(tags=["ä"], description="Line\nline \U0001f600", enabled_tools=[])
    first.name = "Renamed"
    first.save()
    stopped = make_trigger(enabled=False, user_id="bob")
    runs = [
        TriggerExecution.objects.create(
            id=new_id(),
            trigger_id=trigger,
            user_id="alice",
            source="schedule",
            status=status,
            outcome=outcome,
            agent_id="clerk",
            started_at=STARTED,
            lease_until=STARTED,
            usage={"inputTokens": 10**15, "share": 0.1},
            output="x" * 70_000,
            ttl=4_000_000_000,
        )
        for trigger, status, outcome in [
            (first.pk, "completed", "interrupted"),
            (first.pk, "running", ""),
            ("gone", "failed", "refused"),
        ]
    ]
    QueuedRun.objects.create(**queued(runs[1]))
    HandedOverRun.objects.create(id=runs[1].pk, trigger_id=first.pk, lease_until=STARTED)
    RunWorker.objects.create(id=new_id(), seen_at=STARTED)
    IdempotencyKey.objects.create(
        id="k" * 64, trigger_id=first.pk, request_hash="h", ttl=expiry(STARTED)
    )
    EventSource(id="shop", name="Shop", secrets=signing_keys.seal("s", STARTED)).save()
    Agent(id="team/reporter", name="R", address="https://a.example", enabled_tools=["ä"]).save()
    event = {"envelope": "{}", "trigger_id": first.pk, "user_id": "alice", "execution_id": "e"}
    PendingEvent.objects.create(**event, first_at=STARTED, last_at=STARTED, due_at=STARTED)
    waiting = {"id": runs[0].pk, "trigger_id": first.pk, "user_id": "alice", "question": "Pay?"}
    Turn.objects.create(
        id=runs[0].pk,
        line_id="f" * 64,
        trigger_id=first.pk,
        user_id="alice",
        most=2,
        asked_at=STARTED,
    )
    MeasuredProcess.objects.create(
        id=new_id(), kind="web", series={"runs": 1}, seen_at=STARTED, ttl=1
    )
    holders = [[runs[0].pk, first.pk]]
    Line.objects.create(id="f" * 64, user_id="alice", holders=holders, stamp=new_id(), ttl=1)
    WaitingRun.objects.create(**waiting, asked_at=STARTED, due_at=STARTED)
    ReceivedEvent.objects.create(
        id="e" * 64, source_id="shop", signature="s", received_at=STARTED, envelope="{}", ttl=1
    )
    AuditEntry.objects.create(
        actor="ann",
        action="updated",
        object_type="triggers.trigger",
        object_id=first.pk,
        object_name="Renamed",
        changes={"name": ["Report", "Renamed"]},
    )
    APIToken.objects.create(user_id="alice", expires_at=STARTED, ttl=expiry(STARTED))
    FailedSignIns.objects.create(id="d" * 64, failures=1, ttl=expiry(STARTED))
    InstallationPause.objects.create(
        paused_at=STARTED, paused_until=STARTED, paused_by="olga", pause_note="Moving."
    )
    Backfill.objects.create(
        trigger_id=first.pk,
        user_id="alice",
        kind="missed",
        items=[1, 2],
        next_at=STARTED,
        pace_at=STARTED,
        created_at=STARTED,
        created_by="olga",
        ttl=expiry(STARTED),
    )
    CancelRequest.objects.create(
        id=new_id(),
        trigger_id=first.pk,
        user_id="alice",
        requested_by="olga",
        requested_at=STARTED,
        ttl=expiry(STARTED),
    )
    series = [["moca.runs", {"outcome": "success"}, [3.0]]]
    MeasuredProcess.objects.create(id=new_id(), kind="web", series=series, seen_at=STARTED, ttl=1)
    OutputPiece.objects.create(
        id=f"{new_id()}#00001#000000000000000",
        execution_id=new_id(),
        start=0,
        text="Hello",
        ttl=expiry(STARTED),
    )
    Process.of_this("scheduler").save()
    channel = Channel(name="Team", kind="email", recipients="team@example.com")
    channel.save()
    rule = Rule(name="Team", channel_id=channel.pk)
    rule.save()
    Happened.objects.create(id="h" * 64, kind="failed", at=STARTED, ttl=expiry(STARTED))
    Bundle.objects.create(rule_id=rule.pk, due_at=STARTED)
    named = {"rule_id": rule.pk, "rule_name": "Team", "channel_id": channel.pk}
    Delivery.objects.create(**named, channel_name="Team", ttl=expiry(STARTED))
    Price(id="vendor/large", input_price=0.1).save()
    UserBudget(user_id="alice", max_cost_per_day=2.5, used_up_until=STARTED).save()
    Spending.objects.create(
        id="user:alice#2027-01-01", owner="user:alice", cost=3, ttl=expiry(STARTED)
    )
    Alarm(id="process", kind="no_process", since=STARTED, raised_at=STARTED, reason="r").save()
    return {"operator": operator, "trigger": first, "stopped": stopped, "runs": runs}


def queued(run: TriggerExecution) -> dict[str, Any]:
    names = {field.attname for field in QueuedRun._meta.concrete_fields}
    known = {"id": run.pk, "trigger_id": run.trigger_id, "user_id": run.user_id}
    return {name: value for name, value in known.items() if name in names}


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'copy.sqlite3'}"


@pytest.fixture
def other_table() -> Iterator[str]:
    """The URL of a DynamoDB table that is not there yet."""
    name = f"copy-{new_id()}"
    yield f"dynamodb://{name}"
    client = boto3.client("dynamodb", region_name=settings.AWS_REGION)
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)


class TestCopy:
    def test_rows_are_the_same_there(self, rows: dict[str, Any], file: str) -> None:
        before = contents("default")
        assert all(before.values()), before
        copy("default", file)
        assert contents(file) == before
        assert contents("default") == before

    def test_the_report(self, rows: dict[str, Any], file: str) -> None:
        found = figures(copy("default", file))
        # copied, equal, overwritten, failed, source, target
        assert found["executions"] == [3, 0, 0, 0, 3, 3]
        assert found["triggers"] == [2, 0, 0, 0, 2, 2]
        assert found["operators"] == [1, 0, 0, 0, 1, 1]

    def test_again_copies_what_is_new(self, rows: dict[str, Any], file: str) -> None:
        copy("default", file)
        make_run = {"user_id": "alice", "source": "manual", "started_at": STARTED, "ttl": 1}
        TriggerExecution.objects.create(id=new_id(), trigger_id="gone", **make_run)
        assert figures(copy("default", file))["executions"] == [1, 3, 0, 0, 4, 4]

    def test_back_again(self, rows: dict[str, Any], file: str) -> None:
        before = contents("default")
        copy("default", file)
        call_command("flush", interactive=False, verbosity=0)
        assert not any(contents("default").values())
        copy(file, "default")
        assert contents("default") == before

    def test_no_signals_are_sent(
        self, rows: dict[str, Any], file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(**_: Any) -> None:
            raise AssertionError("a signal")

        for signal in (models.signals.pre_save, models.signals.post_save):
            signal.connect(fail, sender=Trigger, weak=False)
        try:
            copy("default", file)
        finally:
            for signal in (models.signals.pre_save, models.signals.post_save):
                signal.disconnect(fail, sender=Trigger)

    def test_a_dry_run_makes_nothing(self, rows: dict[str, Any], file: str) -> None:
        report = copy("default", file, "--dry-run")
        assert figures(report)["triggers"] == [2, 0, 0, 0, 2, 0]
        assert "Nothing was written." in report
        assert not Path(file.removeprefix("sqlite:///")).exists()

    def test_a_dry_run_tells_what_differs(self, rows: dict[str, Any], file: str) -> None:
        copy("default", file)
        Trigger.objects.filter(user_id="alice").update(prompt="Other.")
        with pytest.raises(CommandError, match="1 rows were not copied"):
            copy("default", file, "--dry-run")


class TestDifferences:
    @pytest.fixture(autouse=True)
    def differ(self, rows: dict[str, Any], file: str) -> None:
        copy("default", file)
        Trigger.objects.filter(user_id="alice").update(prompt="Other.", tags=[1])

    def test_a_differing_row_is_named_and_kept(
        self, rows: dict[str, Any], file: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = io.StringIO()
        with pytest.raises(CommandError) as raised:
            call_command("copy_database", "default", file, stdout=out)
        assert raised.value.returncode == 1
        key = rows["trigger"].pk
        assert f"trigger {key}: the target has another prompt, tags" in out.getvalue()
        assert figures(out.getvalue())["triggers"] == [0, 1, 0, 1, 2, 2]
        with connected(file) as alias:
            assert Trigger.objects.using(alias).get(pk=key).prompt == "Report."

    def test_it_is_overwritten_on_demand(self, rows: dict[str, Any], file: str) -> None:
        assert figures(copy("default", file, "--overwrite"))["triggers"] == [0, 1, 1, 0, 2, 2]
        assert contents(file) == contents("default")

    def test_a_row_too_many_is_told(self, rows: dict[str, Any], file: str) -> None:
        QueuedRun.objects.all().delete()
        with pytest.raises(CommandError, match="do not have the same number of rows"):
            copy("default", file, "--overwrite")


class TestMistakes:
    @pytest.mark.parametrize(
        ("source", "target", "message"),
        [
            ("nowhere", "default", "neither an alias"),
            ("elsewhere://table", "default", "neither an alias"),
            ("default", "default", "the same database"),
            ("sqlite:////nowhere/x.sqlite3", "default", "There is no file"),
        ],
    )
    def test_are_told(self, db: None, source: str, target: str, message: str) -> None:
        with pytest.raises(CommandError, match=message):
            copy(source, target)
        assert set(connections) == {"default"}

    def test_an_old_source_is_refused(self, db: None, file: str) -> None:
        Path(file.removeprefix("sqlite:///")).touch()
        with pytest.raises(CommandError, match=r"run manage\.py migrate on it first"):
            copy(file, "default")


@on_dynamodb
class TestDynamoDB:
    def test_from_table_to_table(self, rows: dict[str, Any], other_table: str) -> None:
        before = contents("default")
        copy("default", other_table)
        assert contents(other_table) == before
        assert figures(copy("default", other_table))["executions"] == [0, 3, 0, 0, 3, 3]

    def test_unique_values_stay_unique(self, rows: dict[str, Any], other_table: str) -> None:
        copy("default", other_table)
        with connected(other_table) as alias:
            found = Operator.objects.using(alias).get(username="ann")
        assert found == rows["operator"]

    def test_rows_of_the_other_service(self, db: None, file: str) -> None:
        table = Table()
        trigger = table.put(trigger_item())
        table.put(execution_item(trigger))
        table.put(execution_item({"id": "gone"}, errorMessage="The agent was away."))
        table.put({"PK": "SESSION#1", "SK": "MESSAGE#1"})
        report = copy("default", file)
        assert figures(report)["executions"] == [2, 0, 0, 0, 2, 2]
        assert "the attribute legacyFlag of 1 rows" in report
        assert "1 items of other programs" in report
        with connected(file) as alias:
            found = Trigger.objects.using(alias).get(pk=trigger["id"])
            old = TriggerExecution.objects.using(alias).get(trigger_id="gone")
        assert found.schedule_config == trigger["scheduleConfig"]
        assert old.status == "failed"

    def test_a_row_that_cannot_be_read_is_named(self, db: None, file: str) -> None:
        item = Table().put(trigger_item(enabled="yes"))
        out = io.StringIO()
        with pytest.raises(CommandError, match="1 rows were not copied"):
            call_command("copy_database", "default", file, stdout=out)
        assert f"{item['PK']} / {item['SK']}: enabled cannot be read" in out.getvalue()

    def test_more_than_a_transaction_holds(self, db: None, file: str, other_table: str) -> None:
        call_command("migrate", verbosity=0)
        run = {"user_id": "alice", "source": "manual", "started_at": STARTED, "ttl": 4_000_000_000}
        with connected(file) as alias:
            call_command("migrate", database=alias, verbosity=0)
            TriggerExecution.objects.using(alias).bulk_create(
                TriggerExecution(id=new_id(), trigger_id="t", output="x" * 100_000, **run)
                for _ in range(150)
            )
            TriggerExecution.objects.using(alias).create(
                id="too-long", trigger_id="t", output="x" * 500_000, **run
            )
        out = io.StringIO()
        with pytest.raises(CommandError, match="1 rows were not copied"):
            call_command("copy_database", file, other_table, stdout=out)
        assert figures(out.getvalue())["executions"] == [150, 0, 0, 1, 151, 150]
        assert "execution too-long: The row is larger than the 400 KB" in out.getvalue()


def test_local_schedules_that_are_not_due_come_too(rows: dict[str, Any], file: str) -> None:
    copy("default", file)
    assert connection.alias == "default"
    with connected(file) as alias:
        assert LocalSchedule.objects.using(alias).get(pk=rows["stopped"].pk).due_at is None
