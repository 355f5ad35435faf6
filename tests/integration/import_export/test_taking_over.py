"""Taking over from the TypeScript service and going back, by the steps of docs/deploy.md.

The table is DynamoDB Local's, with what each edition writes. Schedules and rules are moto's.
"""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.demo import DemoAgent
from events.sources import all_sources
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from moca.times import iso
from tests.integration.eventbridge.conftest import LAMBDA, ROLE, eventbridge
from tests.integration.eventbridge.test_rules import rules
from tests.integration.handler.test_dispatcher import Function, function
from tests.integration.handler.test_handler import Context, agent
from tests.integration.import_export.conftest import Item, Table
from tests.integration.import_export.other_service import (
    EDITIONS,
    FUNCTION,
    GROUP,
    RULE,
    SOURCE_ID,
    USER,
    Edition,
    read_event,
    read_trigger,
    rule_event,
    rule_target,
)
from tests.integration.import_export.other_service import ROLE as OLD_ROLE
from triggers.models import TriggerCount

__all__ = ["agent", "eventbridge", "function", "rules"]

PATTERN = {"source": ["aws.s3"], "detail-type": ["Object Created"]}


class Installation:
    """The other service's triggers, schedules and rule, in an account of ours.

    Attributes:
        rows: its triggers: a cron, a rate without parentheses, a disabled cron, an event trigger.
    """

    def __init__(self, edition: Edition, table: Table, scheduler: Any, events: Any) -> None:
        self.table, self.scheduler, self.events = table, scheduler, events
        self.edition = edition
        self.rows = [
            table.put(row)
            for row in (
                edition.trigger(),
                edition.trigger(scheduleConfig={"expression": "rate 5 minutes", "timezone": ""}),
                edition.trigger(
                    enabled=False, scheduleConfig={"expression": "0 10 * * ? *"}, name="Off"
                ),
                edition.trigger(type="event"),
            )
        ]
        for row in self.schedule_rows:
            scheduler.create_schedule(**edition.schedule(row))
        events.put_rule(Name=RULE, EventPattern=json.dumps(PATTERN))
        events.put_targets(Rule=RULE, Targets=[rule_target(FUNCTION)])

    @property
    def schedule_rows(self) -> list[Item]:
        return self.rows[:3]

    def schedules(self) -> dict[str, Item]:
        """The schedules in its group by their names, without what the service itself notes."""
        found = {}
        for each in self.scheduler.list_schedules(GroupName=GROUP)["Schedules"]:
            whole = self.scheduler.get_schedule(Name=each["Name"], GroupName=GROUP)
            noted = {"ResponseMetadata", "CreationDate", "LastModificationDate", "Arn"}
            found[each["Name"]] = {name: whole[name] for name in whole.keys() - noted}
        return found

    def functions(self) -> set[str]:
        """The functions that the schedules invoke."""
        return {each["Target"]["Arn"] for each in self.schedules().values()}

    def event(self, row: Item) -> Item:
        """What EventBridge sends for the present schedule of a trigger."""
        text: str = self.schedules()[f"trigger-{row['id']}"]["Target"]["Input"]
        filled = {
            "<aws.scheduler.execution-id>": "d8a6a2b1",
            "<aws.scheduler.scheduled-time>": iso(timezone.now()),
            "<aws.scheduler.schedule-arn>": "arn:aws:scheduler:::schedule/default/x",
            "<aws.scheduler.attempt-number>": "1",
        }
        for name, value in filled.items():
            text = text.replace(name, value)
        event: Item = json.loads(text)
        return event

    def point_rule_at(self, arn: str) -> None:
        self.events.put_targets(Rule=RULE, Targets=[rule_target(arn)])


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def actions(*arguments: str) -> list[Item]:
    found: list[Item] = json.loads(run("sync_schedules", "--format", "json", *arguments))
    return found


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.name)
def old(
    request: pytest.FixtureRequest,
    transactional_db: None,
    table: Table,
    eventbridge: Any,
    rules: Any,
    settings: Any,
) -> Installation:
    settings.SCHEDULE_GROUP_NAME = GROUP
    settings.EVENT_SOURCES_CONFIG = json.dumps([{"id": SOURCE_ID, "name": "Uploads"}])
    return Installation(request.param, table, eventbridge, rules)


@pytest.fixture
def taken_over(old: Installation) -> Installation:
    """After the steps 1 to 4."""
    run("adopt_table")
    run("sync_schedules")
    old.point_rule_at(LAMBDA)
    return old


@pytest.fixture
def gone_back(taken_over: Installation, settings: Any) -> Iterator[Installation]:
    """After all steps, and those of going back."""
    settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULER_ROLE_ARN = FUNCTION, OLD_ROLE
    settings.SCHEDULE_DLQ_ARN = ""
    run("sync_schedules", "--group", GROUP)
    taken_over.point_rule_at(FUNCTION)
    return taken_over


class TestPrepare:
    def test_adoption_changes_nothing_of_theirs(self, old: Installation) -> None:
        before = old.schedules()
        run("adopt_table")
        for row in old.rows:
            assert (old.table.get(row) or {}).items() >= row.items()
        assert old.schedules() == before

    def test_adoption_finds_no_fault(self, old: Installation) -> None:
        report = run("adopt_table").split()
        assert report[-1] == "0"
        assert TriggerCount.objects.get(user_id=USER).triggers == len(old.rows)

    def test_the_dry_run_lists_what_will_change(self, old: Installation) -> None:
        run("adopt_table")
        found = {each["id"]: each for each in actions("--dry-run")}
        assert found.keys() == {row["id"] for row in old.schedule_rows}
        assert [found[row["id"]]["reason"] for row in old.schedule_rows] == [
            "differs in ActionAfterCompletion, Target",
            "differs in StartDate, ActionAfterCompletion, Target",
            "differs in ActionAfterCompletion, Target",
        ]

    def test_the_dry_run_changes_nothing(self, old: Installation) -> None:
        before = old.schedules()
        actions("--dry-run")
        assert old.schedules() == before


class TestSwitch:
    def test_only_the_function_changes(self, old: Installation) -> None:
        before = old.schedules()
        run("adopt_table")
        run("sync_schedules")
        now = old.schedules()
        assert old.functions() == {LAMBDA}
        for name in ("ScheduleExpression", "ScheduleExpressionTimezone", "State"):
            assert {key: each[name] for key, each in now.items()} == {
                key: each[name] for key, each in before.items()
            }

    def test_again_finds_no_differences(self, taken_over: Installation) -> None:
        parts = [each for each in actions() if "ActionAfterCompletion" not in each["reason"]]
        # moto forgets ActionAfterCompletion at each UpdateSchedule.
        assert parts == []

    def test_a_row_that_came_meanwhile_is_taken_too(self, taken_over: Installation) -> None:
        late = taken_over.table.put(taken_over.edition.trigger())
        taken_over.scheduler.create_schedule(**taken_over.edition.schedule(late))
        run("adopt_table")
        run("sync_schedules")
        assert taken_over.functions() == {LAMBDA}

    def test_its_schedule_fires_here(self, taken_over: Installation, agent: DemoAgent) -> None:
        said = handler(taken_over.event(taken_over.rows[0]), Context())
        assert said["status"] == "completed"

    def test_a_schedule_that_it_wrote_fires_here(
        self, taken_over: Installation, agent: DemoAgent
    ) -> None:
        """As where its backend has the new function in TRIGGER_LAMBDA_ARN."""
        row = taken_over.rows[0]
        sent = taken_over.edition.event(row)
        said = [handler(sent, Context(request))["status"] for request in ("monday", "tuesday")]
        assert said == ["completed", "completed"]

    def test_the_disabled_one_does_not(self, taken_over: Installation, agent: DemoAgent) -> None:
        said = handler(taken_over.event(taken_over.rows[2]), Context())
        assert said["status"] == "skipped"


class TestEvents:
    def test_the_rule_stays(self, taken_over: Installation) -> None:
        run("sync_schedules")
        [target] = taken_over.events.list_targets_by_rule(Rule=RULE)["Targets"]
        assert target == rule_target(LAMBDA)

    def test_its_events_run_the_triggers(
        self, taken_over: Installation, agent: DemoAgent, function: Function
    ) -> None:
        handler(rule_event(), Context())
        sent = [json.loads(request.body) for request in function.requests]
        assert [each["detail"]["triggerId"] for each in sent] == [taken_over.rows[3]["id"]]
        assert handler(sent[0], Context())["status"] == "completed"

    def test_an_event_of_both_rules_runs_once(
        self, taken_over: Installation, agent: DemoAgent, function: Function
    ) -> None:
        sent = rule_event(time=iso(timezone.now()))
        handler(sent, Context())
        event = {name: value for name, value in sent.items() if name != "_eventSourceId"}
        handler({"_eventSourceId": SOURCE_ID, "event": event}, Context())
        assert TriggerExecution.objects.filter(trigger_id=taken_over.rows[3]["id"]).count() == 1

    def test_the_source_is_listed(self, taken_over: Installation) -> None:
        assert [source.pk for source in all_sources()] == [SOURCE_ID]

    def test_its_pattern_is_refused_as_the_cdk_spells_it(
        self, taken_over: Installation, settings: Any
    ) -> None:
        pattern = {"source": ["aws.s3"], "detailType": ["Object Created"]}
        entry = {"id": SOURCE_ID, "name": "Uploads", "eventPattern": pattern}
        settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
        with pytest.raises(Exception, match="detail-type"):
            all_sources()


class TestReconciler:
    def test_its_first_pass_does_nothing_more(self, taken_over: Installation) -> None:
        before = taken_over.schedules()
        said = handler({"detail-type": "Reconcile Schedules"}, Context())
        assert (said["failures"], taken_over.schedules()) == (0, before)


class TestGoingBack:
    def test_schedules_invoke_the_old_function(self, gone_back: Installation) -> None:
        assert gone_back.functions() == {FUNCTION}
        assert {each["Target"]["RoleArn"] for each in gone_back.schedules().values()} == {OLD_ROLE}

    def test_it_reads_the_events(self, gone_back: Installation) -> None:
        for row in gone_back.schedule_rows:
            detail = read_event(gone_back.event(row))
            given = gone_back.edition.event(row)["detail"]
            assert {name: detail.get(name) for name in given} == given

    def test_it_reads_the_rows(self, gone_back: Installation) -> None:
        for row in gone_back.rows:
            assert read_trigger(gone_back.table.get(row) or {}) == read_trigger(row)

    def test_it_reads_what_ran_here(self, taken_over: Installation, agent: DemoAgent) -> None:
        row = taken_over.rows[0]
        handler(taken_over.event(row), Context())
        now = read_trigger(taken_over.table.get(row) or {})
        run = TriggerExecution.objects.get(trigger_id=row["id"])
        assert now["lastExecutedAt"][:19] == iso(run.started_at)[:19]

    def test_rules_are_not_touched(self, gone_back: Installation) -> None:
        [target] = gone_back.events.list_targets_by_rule(Rule=RULE)["Targets"]
        assert target == rule_target(FUNCTION)

    def test_a_rule_of_ours_does_not_hinder_it(
        self, taken_over: Installation, settings: Any
    ) -> None:
        """Without `--group` the command would not accept that rules invoke another function."""
        source = {"id": "orders", "name": "Orders", "eventPattern": {"source": ["my.shop"]}}
        settings.EVENT_SOURCES_CONFIG = json.dumps([source])
        run("sync_schedules")
        settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULER_ROLE_ARN = FUNCTION, OLD_ROLE
        with pytest.raises(CommandError, match="Not all could be synced"):
            run("sync_schedules")
        run("sync_schedules", "--group", GROUP)
        assert taken_over.functions() == {FUNCTION}

    def test_and_forward_again(self, gone_back: Installation, settings: Any) -> None:
        settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULER_ROLE_ARN = LAMBDA, ROLE
        run("sync_schedules")
        assert gone_back.functions() == {LAMBDA}
