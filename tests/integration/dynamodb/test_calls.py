"""How many requests each operation makes: what a deployment pays for and waits for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import runner
from executions.agent_records.lookup import record_of
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca.authentication.models import AuditEntry, Operator, Role
from tests.integration.api.conftest import API, VALID
from tests.integration.dynamodb.conftest import Counting
from triggers import pauses
from triggers.budgets import budget_of
from triggers.models import LocalSchedule, Trigger, UserBudget

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Page = tuple[str, str, Any, list[str]]

# One request each, and what it may be.
READ, WRITE = "GetItem", "TransactWriteItems"
# A run begins with its record and the hold of its trigger, and ends with both: plain writes, since
# a transaction would cost twice as much.
BEGIN, END = ["GetItem", "PutItem", "UpdateItem"], ["UpdateItem", "UpdateItem"]
# A page that looks again begins with its version: changes, running runs, four partitions of runs.
VERSION = ["Query"] * 6


@pytest.fixture
def trigger(alice: API) -> dict[str, Any]:
    return alice.create()


API_CALLS: dict[str, tuple[str, str, Any, list[str]]] = {
    "get": ("GET", "/triggers/{id}", None, [READ]),
    "list": ("GET", "/triggers", None, ["Query"]),
    "list of a type": ("GET", "/triggers?type=schedule&limit=5", None, ["Query"]),
    "rename": ("PATCH", "/triggers/{id}", {"name": "Other"}, [READ, WRITE]),
    "reschedule": (
        "PATCH",
        "/triggers/{id}",
        {"scheduleConfig": {"expression": "rate(1 hour)"}},
        [READ, WRITE],
    ),
    "change nothing": ("PATCH", "/triggers/{id}", {"name": VALID["name"]}, [READ]),
    "disable": ("POST", "/triggers/{id}/disable", None, [READ, WRITE]),
    "enable what is enabled": ("POST", "/triggers/{id}/enable", None, [READ]),
    "delete": ("DELETE", "/triggers/{id}", None, [READ, WRITE]),
    "list executions": ("GET", "/triggers/{id}/executions", None, [READ, "Query"]),
    "run now": ("POST", "/triggers/{id}/run", None, [READ, READ, WRITE]),
}


@pytest.mark.parametrize("name", API_CALLS)
def test_requests_of_the_api(
    alice: API, trigger: dict[str, Any], requests_made: Counting, name: str
) -> None:
    method, path, body, expected = API_CALLS[name]
    with requests_made() as made:
        response = alice(method, path.format(id=trigger["id"]), body)
    assert (response.status_code < 300, made) == (True, expected)


def test_a_process_reads_whether_all_is_paused_once_in_seconds(
    make_trigger: MakeTrigger, requests_made: Counting
) -> None:
    row = make_trigger(overlap_policy="allow")
    pauses.forget()
    made = []
    for hour in range(2):
        with requests_made() as names:
            due = NINE + timedelta(hours=hour)
            runner.start(Occurrence.scheduled(row.user_id, row.pk, due))
        made.append(names)
    assert made == [[READ, READ, "PutItem"], [READ, "PutItem"]]


def test_create_is_one_write(alice: API, requests_made: Counting) -> None:
    with requests_made() as made:
        alice.create()
    assert made == [WRITE]


def test_enable_is_one_read_and_one_write(
    alice: API, trigger: dict[str, Any], requests_made: Counting
) -> None:
    alice.post(f"/triggers/{trigger['id']}/disable")
    with requests_made() as made:
        alice.post(f"/triggers/{trigger['id']}/enable")
    assert made == [READ, WRITE]


def test_create_with_an_idempotency_key_reads_the_key_first(
    alice: API, requests_made: Counting
) -> None:
    with requests_made() as made:
        alice.post("/triggers", VALID, Idempotency_Key="k")
    assert made == [READ, WRITE]


def test_execution_is_one_read(
    alice: API,
    trigger: dict[str, Any],
    make_execution: Callable[..., TriggerExecution],
    requests_made: Counting,
) -> None:
    row = Trigger.objects.get(user_id="alice", pk=trigger["id"])
    execution = make_execution(row)
    with requests_made() as made:
        alice.get(f"/triggers/{row.pk}/executions/{execution.pk}")
    assert made == [READ]


@pytest.fixture
def client(demo_agent: DemoAgent) -> Iterator[AgentClient]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as agent:
        yield agent


def test_one_firing_is_a_read_and_four_plain_writes(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger()
    # A process looks the record of an agent up once a minute. Here it has just done so.
    record_of(trigger.agent_id)
    with requests_made() as made:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        runner.execute(run, client)
    assert made == [*BEGIN, *END]


def test_record_of_an_agent_is_one_read_a_minute(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger()
    with requests_made() as made:
        for hour in range(2):
            due = NINE + timedelta(hours=hour)
            run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
            assert run is not None
            runner.execute(run, client)
    assert made == [*BEGIN, READ, *END, *BEGIN, *END]


def test_a_budget_is_one_addition_and_one_query_more(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger(max_tokens_per_day=10**6, max_tokens_per_month=10**7)
    record_of(trigger.agent_id)
    with requests_made() as made:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        runner.execute(run, client)
    assert made == [*BEGIN, *END, "UpdateItem", "Query"]


def test_budgets_of_users_are_one_addition_and_one_query_more(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger()
    UserBudget(user_id=trigger.user_id, max_tokens_per_day=10**6).save()
    record_of(trigger.agent_id)
    budget_of(trigger.user_id)
    with requests_made() as made:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        runner.execute(run, client)
    assert made == [*BEGIN, *END, "UpdateItem", "Query"]


def test_pause_after_a_failure_is_one_transaction_with_the_result(
    make_trigger: MakeTrigger, client: AgentClient, requests_made: Counting
) -> None:
    trigger = make_trigger(prompt="x\ndemo: fail", pause_after_failures=1)
    record_of(trigger.agent_id)
    with requests_made() as made:
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert run is not None
        runner.execute(run, client)
    expected = [*BEGIN, "UpdateItem", READ, WRITE]
    assert (made, AuditEntry.objects.count()) == (expected, 1)


def test_idle_poll_of_the_scheduler_is_one_query(
    make_trigger: MakeTrigger, requests_made: Counting
) -> None:
    make_trigger()
    now = timezone.now()
    with requests_made() as made:
        list(LocalSchedule.objects.upcoming(now + timedelta(seconds=1))[:50])
    assert made == ["Query"]


PAGES = {
    "triggers": "/admin/triggers/trigger/",
    "triggers of a type": "/admin/triggers/trigger/?type__exact=schedule",
    "executions": "/admin/executions/triggerexecution/",
    "audit": "/admin/authentication/auditentry/",
}


@pytest.mark.parametrize("name", PAGES)
def test_admin_lists_cost_the_same_whatever_they_hold(
    alice: API, requests_made: Counting, name: str
) -> None:
    client = Client()
    client.force_login(Operator.objects.create_operator("root", password=None, role=Role.ADMIN))
    counts = []
    for _ in range(2):
        for _ in range(30):
            alice.create()
        with requests_made() as made:
            assert client.get(PAGES[name]).status_code == 200
        counts.append(made)
    assert counts[0] == counts[1]


@pytest.fixture
def olga(db: None) -> Client:
    """An operator who may do everything."""
    client = Client()
    client.force_login(Operator.objects.create_operator("olga", password=None, role=Role.ADMIN))
    return client


def test_ticked_triggers_are_found_in_one_read(
    make_trigger: MakeTrigger, olga: Client, requests_made: Counting
) -> None:
    made = [make_trigger(user_id=f"user {number}") for number in range(3)]
    ticked = [f"{trigger.user_id}:{trigger.pk}" for trigger in (made[0], made[2])]
    with requests_made() as requests:
        olga.post("/console/triggers/act", {"action": "delete", "id": ticked})
    # The operator, and the triggers.
    assert requests == [READ, "BatchGetItem"]


def test_runs_of_deleted_triggers_read_none_between_them(
    make_trigger: MakeTrigger,
    make_execution: Callable[..., TriggerExecution],
    olga: Client,
    requests_made: Counting,
) -> None:
    made = [make_trigger() for _ in range(5)]
    for trigger in (made[0], made[4]):
        make_execution(trigger)
        trigger.delete()
    with requests_made() as requests:
        olga.get("/console/runs")
    # Four partitions of runs and the runs; the triggers by their keys; then two types for each.
    of_runs = [READ, *VERSION, *["Query"] * 4, "BatchGetItem", "BatchGetItem", *["Query"] * 4]
    # The names that the filters offer are read when somebody is about to enter one.
    assert requests == of_runs


def test_names_of_users_are_read_at_once(
    make_trigger: MakeTrigger, olga: Client, requests_made: Counting
) -> None:
    for number in range(3):
        operator = Operator.objects.create_operator(f"operator {number}")
        make_trigger(user_id=operator.subject)
        make_trigger(user_id=f"user {number}")
    with requests_made() as requests:
        olga.get("/console/triggers")
    # The operator; two types of triggers and the triggers; who has which subject, and those; how
    # many triggers of each type; the agents of the newest triggers, to choose from.
    triggers = ["Query", "Query", "BatchGetItem"]
    assert requests == [
        READ,
        *VERSION,
        *triggers,
        "BatchGetItem",
        "BatchGetItem",
        "Query",
        "Query",
        *triggers,
    ]
