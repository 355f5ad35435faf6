import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from moca.dynamodb import adoption
from moca.dynamodb.layout import UNIQUE
from tests.integration.import_export.conftest import ALICE, Table, execution_item, trigger_item
from triggers.management.commands.adopt_table import DONE
from triggers.models import LocalSchedule, Trigger, TriggerCount, TriggerQuerySet

on_dynamodb = pytest.mark.dynamodb


def adopt(*arguments: str) -> str:
    out = io.StringIO()
    call_command("adopt_table", *arguments, stdout=out)
    return out.getvalue()


def figures(report: str) -> dict[str, int]:
    """The numbers of the report's table, by what they count."""
    found = {}
    for line in report.splitlines():
        name, _, number = line.strip().rpartition(" ")
        if number.replace(",", "").isdecimal():
            found[name.strip()] = int(number.replace(",", ""))
    return found


@pytest.fixture
def table(db: None) -> Table:
    return Table()


@pytest.fixture
def items(table: Table) -> list[dict[str, Any]]:
    """Two schedule triggers, an event trigger, and three runs, by the TypeScript service."""
    first, second = table.put(trigger_item()), table.put(trigger_item(enabled=False))
    event = table.put(trigger_item(type="event", userId="bob"))
    runs = [table.put(execution_item(first)) for _ in range(3)]
    return [first, second, event, *runs]


@pytest.mark.sqlite
@pytest.mark.django_db
def test_sqlite_has_nothing_to_adopt() -> None:
    with pytest.raises(CommandError, match=r"is SQLite.*TRIGGERS_TABLE_NAME"):
        adopt()


@on_dynamodb
class TestAdoption:
    def test_runs_are_found_among_all_runs(self, items: list[dict[str, Any]]) -> None:
        assert TriggerExecution.objects.count() == 0
        adopt()
        assert TriggerExecution.objects.count() == 3

    def test_counts_and_schedules(self, items: list[dict[str, Any]]) -> None:
        adopt()
        assert TriggerCount.objects.get(user_id=ALICE).triggers == 2
        assert TriggerCount.objects.get(user_id="bob").triggers == 1
        enabled = LocalSchedule.objects.get(pk=items[0]["id"])
        assert enabled.due_at is not None
        assert LocalSchedule.objects.get(pk=items[1]["id"]).due_at is None
        assert not LocalSchedule.objects.filter(pk=items[2]["id"])

    def test_schedules_that_are_made_are_on_record(self, items: list[dict[str, Any]]) -> None:
        adopt()
        entry = AuditEntry.objects.get(object_id=items[0]["id"])
        assert (entry.actor, entry.reason) == ("system: adopt_table", "The schedule was missing.")

    def test_nothing_else_changes(self, table: Table, items: list[dict[str, Any]]) -> None:
        adopt()
        for item in items:
            now = table.get(item) or {}
            assert now.items() >= item.items()
            assert now.keys() - item.keys() <= {"GSI3PK", "GSI3SK"}

    def test_the_report(self, items: list[dict[str, Any]]) -> None:
        found = figures(adopt())
        assert found["triggers_trigger"] == 3
        assert found["executions_triggerexecution"] == 3
        assert found["rows in indexes entered"] == 3
        assert found["counts corrected"] == 2
        assert found["schedules made"] == 2
        assert found["faulty, left alone"] == 0

    def test_again_does_nothing(self, items: list[dict[str, Any]]) -> None:
        adopt()
        found = figures(adopt())
        assert {found[f"{what} {done}"] for what, done in DONE.items()} == {0}

    def test_a_dry_run_says_so_and_changes_nothing(
        self, table: Table, items: list[dict[str, Any]]
    ) -> None:
        found = figures(adopt("--dry-run"))
        assert found["rows in indexes to be entered"] == 3
        assert found["counts to be corrected"] == 2
        assert found["schedules to be made"] == 2
        assert [table.get(item) for item in items] == items
        assert not LocalSchedule.objects.filter(pk=items[0]["id"])
        assert not TriggerCount.objects.filter(user_id=ALICE)

    def test_our_own_rows_need_nothing(self, db: None) -> None:
        Operator.objects.create_operator("ann", password="secret-enough")
        Trigger.objects.create(
            user_id=ALICE, name="Ours", agent_id="a", prompt="p", schedule_config={}
        )
        found = figures(adopt("--dry-run"))
        assert found["rows in indexes to be entered"] == 0
        assert found["unique values to be entered"] == 0

    def test_keys_that_no_longer_fit_go(self, table: Table) -> None:
        item = table.put(trigger_item(GSI2PK="EVENTSOURCE#old", GSI2SK="x"))
        adopt()
        assert (table.get(item) or {}).keys() == item.keys() - {"GSI2PK", "GSI2SK"}

    def test_a_trigger_that_comes_and_goes_meanwhile_is_not_counted(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table.put(trigger_item())
        TriggerCount.objects.create(user_id=ALICE, triggers=7)
        count = TriggerQuerySet.count

        def counted(rows: Any) -> int:
            monkeypatch.undo()
            passing = Trigger(user_id=ALICE, name="Passing", schedule_config=None)
            passing.save()
            found: int = count(rows)
            passing.delete()
            return found

        monkeypatch.setattr(TriggerQuerySet, "count", counted)
        adopt()
        assert TriggerCount.objects.get(user_id=ALICE).triggers == 1

    def test_a_wrong_count_is_corrected(self, items: list[dict[str, Any]]) -> None:
        TriggerCount.objects.create(user_id=ALICE, triggers=7)
        TriggerCount.objects.create(user_id="gone", triggers=3)
        adopt()
        assert TriggerCount.objects.get(user_id=ALICE).triggers == 2
        assert TriggerCount.objects.get(user_id="gone").triggers == 0

    def test_unique_values_are_kept_from_being_used_again(self, table: Table) -> None:
        operator = Operator.objects.create_operator("ann", password="secret-enough")
        markers = [item for item in table.table.scan()["Items"] if item["SK"] == UNIQUE]
        for item in markers:
            table.table.delete_item(Key={"PK": item["PK"], "SK": item["SK"]})
        assert figures(adopt())["unique values entered"] == len(markers) == 2
        assert Operator.objects.get(username="ann") == operator

    def test_items_of_other_programs_are_left_alone(self, table: Table) -> None:
        item = table.put({"PK": "SESSION#1", "SK": "MESSAGE#1", "text": "Hello"})
        assert figures(adopt())["of other programs, left alone"] == 1
        assert table.get(item) == item


@on_dynamodb
class TestFaults:
    @pytest.mark.parametrize(
        ("attributes", "reason"),
        [
            ({"enabled": "yes"}, "enabled cannot be read"),
            ({"type": "cron"}, "type is 'cron', which is none of schedule, event"),
            ({"userId": "mallory", "PK": f"TRIGGER#{ALICE}"}, "do not agree with its key"),
            ({"scheduleConfig": {"expression": "soon"}}, "it cannot fire: "),
        ],
    )
    def test_a_malformed_item_is_named_and_left_alone(
        self, table: Table, attributes: dict[str, Any], reason: str
    ) -> None:
        item = table.put(trigger_item() | attributes)
        report = adopt()
        (line,) = [line for line in report.splitlines() if item["id"] in line]
        assert line.startswith(f"{item['PK']} / {item['SK']}: ")
        assert reason in line
        assert figures(report)["faulty, left alone"] == 1
        assert table.get(item) == item
        assert not LocalSchedule.objects.filter(pk=item["id"])

    def test_the_others_are_adopted(self, table: Table, items: list[dict[str, Any]]) -> None:
        table.put(trigger_item(enabled="yes"))
        adopt()
        assert TriggerExecution.objects.count() == 3


@on_dynamodb
class TestInterruption:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have each scan return two items at a time."""
        client = connection.service  # type: ignore[attr-defined]
        call = client.call

        def limited(operation: str, **arguments: Any) -> Any:
            if operation == "scan":
                arguments["Limit"] = 2
            return call(operation, **arguments)

        monkeypatch.setattr(client, "call", limited)

    def test_ctrl_c_leaves_it_to_be_gone_on_with(
        self, monkeypatch: pytest.MonkeyPatch, table: Table, items: list[dict[str, Any]]
    ) -> None:
        real, looked_at = adoption.adopt, []

        def interrupted(client: Any, item: Any, *, dry_run: bool) -> Any:
            looked_at.append(item["PK"]["S"])
            if len(looked_at) > 4:
                raise KeyboardInterrupt
            return real(client, item, dry_run=dry_run)

        monkeypatch.setattr(adoption, "adopt", interrupted)
        with pytest.raises(CommandError, match="Run the command again") as raised:
            adopt()
        assert raised.value.returncode == 130
        place = json.loads((connection.service.get(adoption.PLACE) or {})["start"]["S"])  # type: ignore[attr-defined]
        assert place.keys() == {"PK", "SK"}

        monkeypatch.setattr(adoption, "adopt", real)
        report = adopt()
        assert "Going on where the last run was broken off." in report
        assert TriggerExecution.objects.count() == 3
        assert connection.service.get(adoption.PLACE) is None  # type: ignore[attr-defined]
        assert "Going on" not in adopt()

    def test_a_change_meanwhile_is_not_undone(
        self, monkeypatch: pytest.MonkeyPatch, table: Table
    ) -> None:
        trigger = trigger_item()
        item = table.put(execution_item(trigger))
        real, calls = adoption.add_markers, []

        def overtaken(client: Any, found: Any) -> Any:
            if found.key[1] == item["SK"] and not calls:
                table.put({**item, "GSI3PK": "EXECUTION#x", "GSI3SK": "x", "sessionId": "theirs"})
            calls.extend([found] if found.key[1] == item["SK"] else [])
            return real(client, found)

        monkeypatch.setattr(adoption, "add_markers", overtaken)
        adopt()
        now = table.get(item) or {}
        assert now["sessionId"] == "theirs"
        assert now["GSI3SK"] == item["executionId"]
        assert len(calls) == 2
