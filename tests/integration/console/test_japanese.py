"""The pages in Japanese contain no English, in any state."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from agents.errors import AGENT, HTTP_STATUS, QUOTED, TIMED_OUT, TRIED
from executions.failures import BUSY, LOST, NOT_PICKED_UP, PAUSED, RUNS_IN_A_ROW
from executions.models import Source, TriggerExecution
from moca import audit, reasons
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Operator, Role
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from tests.integration.console.english import words_in
from tests.integration.console.test_form import ENTERED, NEW, PREVIEW
from tests.integration.events.conftest import ORDER, MakeSource, Send, make_source, send
from triggers.failures import SCHEDULER_THROTTLING
from triggers.models import RunStatus, Trigger
from triggers.schedulers import SchedulerError
from triggers.schedules import parse
from triggers.statistics import PastRun, Statistics

__all__ = ["make_source", "send"]

JAPANESE = {"accept-language": "ja"}
REFUSED = SCHEDULER_THROTTLING()
BUSY_AGENT = HTTP_STATUS(who=AGENT, answer="503").adding(QUOTED, quoted="混雑")
# Fields of the form, and what is wrong in each.
WRONG: list[dict[str, Any]] = [
    {"name": "", "agent_id": "", "prompt": "", "timeout_seconds": "", "max_retries": ""},
    {"name": "羊" * 201, "agent_id": "羊" * 201, "description": "羊" * 2001},
    {"type": "羊", "overlap_policy": "羊", "user_id": ""},
    {"tags": "?", "enabled_tools": "羊" * 129, "session_id": "羊", "model_id": "羊" * 201},
    {"working_directory": "羊" * 1001, "session_id": "羊" * 257, "prompt": "羊" * 50_001},
    {"timeout_seconds": "1", "max_retries": "186", "pause_after_failures": "0"},
    {"timeout_seconds": "羊", "max_retries": "-1", "pause_after_failures": "1001"},
    {"window_minutes": "1441", "start_date": "羊", "end_date": "羊"},
    {"start_date": "2090-01-02T09:00", "end_date": "2090-01-01T09:00"},
    {"start_date": "0001-01-01T00:00", "end_date": "0001-01-01T00:00"},
    {"expression": "", "timezone": "Tokio"},
    {"expression": "cron(0 9 * * MON *)", "timezone": "羊"},
    {"expression": "at(2020-01-01T09:00:00)"},
    {"expression": "cron(0 9 * * ? *)" * 20},
]
SURPRISING = [
    "at(2020-01-01T09:00:00)",
    "at(2027-03-14T02:30:00)",
    "at(2090-11-05T01:30:00)",
    "rate(1 day)",
    "rate(5 minutes)",
    "cron(30 2 14 3 ? 2027)",
    "cron(0 9 1 1 ? 2020)",
    "cron(0 9 1 1 ? 2027)",
    "cron(0 9 29 2 ? *)",
    "cron(0 9 29,30,31 * ? *)",
    "cron(0 9 ? * MON#5 *)",
    "cron(0 9 ? * 1-5 *)",
    "cron(0/45 0/7 * * ? *)",
    "cron(0 20-2 ? * MON-FRI *)",
    "cron(30 1,2 * * ? *)",
    "cron(0/15 1,2 * * ? *)",
]
MISTAKEN = [
    *("", "羊", "x" * 257, "'rate(1 day)'", "cron(0 9 * * ? *", "@DAILY", "0 9 * *", "0"),
    *("0 0 9 * * MON", "0 9 * * *", "0 9 ? * ?", "0 9 1 * *", "0 9 * * MON", "0 9 * * 0"),
    *("0 9 1 * MON ?", "0 9 1 * MON *", "60 9 * * ? *", "0 9 * 13 ? *", "0 9 ,1 * ? *"),
    *("*/0 9 * * ? *", "30-10 9 * * ? *", "0 9 20-10 * ? *", "? 9 * * ? *", "0 9 ? * ?1 *"),
    *("0 9 ? * MONDAY *", "0 x * * ? *", "0 9#1 * * ? *", "0 15W * * ? *", "0 9 x * ? *"),
    *("0 9 ? * x *", "0 9 ? * 0 *", "0 9 L-31 * ? *", "0 9 ? * MON#6 *", "0 9 ? * 2#1,3#1 *"),
    *("0 9 30 2 ? *", "0 9 ? 2 MON#5 2027", "0 9 29 2 ? 2027", f"0 {'0,' * 120}0 1 * MON *"),
    *(f"0 9 {','.join(map(str, range(1, 32)))},{'1,' * 75}1 * ? *",),
    *("rate(0 days)", "rate(99999999 days)", "rate()", "rate(5)", "rate(1.5 hours)"),
    *("rate(5 sheep)", "every 5 minutes", "9am", "at(2027)", "at(2027-01-01)"),
    *("at(2027-01-01T09:00:00Z)", "at(2027-02-30T09:00:00)", "at(1900-01-01T09:00:00)"),
    *("2027-01-01 09:00", "0 0 0 0 0 0 0 0"),
]


def signed_in(role: Role) -> Client:
    operator = Operator.objects.create_operator("羊飼い", role=role)
    client = Client(raise_request_exception=False, headers={"host": "localhost", **JAPANESE})
    client.force_login(operator)
    return client


@pytest.fixture
def admin(db: None) -> Client:
    return signed_in(Role.ADMIN)


def english(**answers: Any) -> dict[str, list[str]]:
    """The English words of each page that has any."""
    found = {name: words_in(answer.content.decode()) for name, answer in answers.items()}
    return {name: words for name, words in found.items() if words}


@pytest.fixture
def some(make_trigger: MakeTrigger, make_execution: Callable[..., Any]) -> list[Trigger]:
    """Triggers and runs in all states."""
    now = timezone.now()
    schedule = {"expression": "cron(0 9 31 * ? *)", "timezone": "America/New_York"}
    made = [
        make_trigger(**{"user_id": "羊飼い", "agent_id": "記録係", "name": "羊"} | fields)
        for fields in (
            {"schedule_config": schedule, "tags": ["牧場"], "pause_after_failures": 3},
            {"schedule_config": {"expression": "rate(5 minutes)"}, "enabled": False},
            {"skipped_runs": 2, "last_skipped_at": now, "running_since": now},
            {"type": "event", "event_config": {"eventPattern": {"source": ["a"]}}},
        )
    ]
    failed, last = BUSY_AGENT.adding(TRIED, number=4), {"last_executed_at": now}
    paused = PAUSED(runs=RUNS_IN_A_ROW(number=3), error=failed)
    runs = [PastRun(f"r{place}", now, 4000, place == 1) for place in range(2)]
    statistics = Statistics()
    for run in runs:
        statistics.add(run, tokens=5)
    Trigger.objects.filter(pk=made[1].pk).update(
        consecutive_failures=3,
        **reasons.columns("paused_reason", paused),
        **reasons.columns("last_error", failed),
        last_status=RunStatus.FAILED,
        statistics=statistics.text(),
        **last,
    )
    Trigger.objects.filter(pk=made[2].pk).update(
        running_until=now + timedelta(hours=1),
        **reasons.columns("last_skip_reason", BUSY()),
        schedule_config={"expression": "cron(0 9 * * MON *)"},
        sync_state="failed",
        **reasons.columns("sync_error", REFUSED),
    )
    for error in ("", LOST(), NOT_PICKED_UP(), failed, TIMED_OUT(seconds="600")):
        status = RunStatus.FAILED if error else RunStatus.COMPLETED
        make_execution(
            made[0],
            status=status,
            output="",
            source=Source.EVENT,
            **reasons.columns("error", error),
        )
    for attempt in (0, 1):
        make_execution(
            made[0],
            status=RunStatus.RUNNING,
            attempt=attempt,
            lease_until=now + timedelta(hours=1),
            completed_at=None,
            output="",
            source=Source.REPLAY,
            replay_of="0",
        )
    return made


@pytest.mark.parametrize("has_some", [False, True])
def test_lists(admin: Client, request: pytest.FixtureRequest, has_some: bool) -> None:
    if has_some:
        request.getfixturevalue("some")
    pages = [
        *("", "triggers", "triggers?sort=next", "triggers?p=z", "triggers/new"),
        "triggers?state=failing&type=event&tag=牧場&agent=記録係&user=羊飼い&q=羊",
        *("runs", "runs?status=failed&source=manual"),
    ]
    assert english(**{page: admin.get(f"/console/{page}") for page in pages}) == {}


@pytest.mark.parametrize("address", ["{}", "{}/edit", "new?copy={}"])
def test_triggers(admin: Client, some: list[Trigger], address: str) -> None:
    pages = [f"{TRIGGERS}/{address.format(trigger.pk)}" for trigger in some]
    assert english(**{page: admin.get(page) for page in pages}) == {}


def test_changes(admin: Client, some: list[Trigger]) -> None:
    trigger = Trigger.objects.get(pk=some[1].pk)
    trigger.enable()
    trigger.prompt, trigger.event_config = "羊を数えて", {"eventSourceId": "牧場"}
    trigger.overlap_policy, trigger.model_id = "allow", "羊"
    audit.save(trigger, by="羊飼い")
    assert english(page=admin.get(f"{TRIGGERS}/{trigger.pk}")) == {}


def test_runs(admin: Client, some: list[Trigger]) -> None:
    runs = TriggerExecution.objects.all()
    pages = [f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}" for run in runs]
    assert english(**{page: admin.get(page) for page in pages}) == {}


def test_versions_of_a_prompt(admin: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(name="羊", prompt="羊を探して")
    trigger.prompt = "羊を数えて"
    audit.save(trigger, by="羊飼い")
    assert english(page=admin.get(f"{TRIGGERS}/{trigger.pk}/prompts")) == {}


def test_limits_of_a_run(admin: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(max_tokens_per_run=5000, max_cost_per_run=Decimal("2.50"))
    page = admin.get(f"{TRIGGERS}/{trigger.pk}").content.decode()
    assert re.search("<dd>[^<]*トークン、[^<]*2[.]50", page)


def test_keys(admin: Client) -> None:
    services.make(APIKey(name="羊", user_id="羊飼い", scopes=["read"]), by="羊飼い")
    shown = words_in(admin.get("/console/api-keys").content.decode())
    assert shown == ["read"]


def test_masked_headers(admin: Client, make_source: MakeSource, send: Send) -> None:
    make_source("github", name="牧場", listening_until=timezone.now() + timedelta(minutes=5))
    send(ORDER, "github")
    page = admin.get("/console/events/shop/listen").content.decode()
    assert ("sha256=••• (71" in page, "characters" in page) == (True, False)


def test_source_that_listens(admin: Client, make_source: MakeSource, send: Send) -> None:
    make_source(name="牧場", listening_until=timezone.now() + timedelta(minutes=5))
    send(ORDER)
    page = admin.get("/console/events/shop/listen").content.decode()
    assert "署名付きWebhook、GitLab" in page


@pytest.mark.parametrize("action", ["enable", "disable", "run", "delete", "synchronize", ""])
def test_after_actions(admin: Client, some: list[Trigger], action: str) -> None:
    data = {"action": action, "id": [each.pk for each in some], "next": TRIGGERS}
    ways: dict[str, dict[str, Any]] = {
        "asked": {},
        "sure": {"sure": "yes"},
        "again": {"sure": "yes"},
        "none ticked": {"id": []},
        "gone": {"id": ["0"]},
    }
    refusal = SchedulerError(REFUSED)
    with patch("triggers.schedulers.local.LocalScheduler.update", side_effect=refusal):
        answers = {
            way: admin.post(f"{TRIGGERS}/act", {**data, **more}, follow=True)
            for way, more in ways.items()
        }
    assert english(**answers) == {}


class TestForm:
    def test_errors(self, admin: Client) -> None:
        answers = {str(wrong): admin.post(NEW, {**ENTERED, **wrong}) for wrong in WRONG}
        assert english(**answers) == {}

    def test_change_of_another_meanwhile(self, admin: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(name="羊")
        stale = {**ENTERED, "name": "山羊", "opened_version": 0}
        assert english(page=admin.post(f"{TRIGGERS}/{trigger.pk}/edit", stale)) == {}

    def test_refusal_of_the_scheduler(self, admin: Client) -> None:
        refusal = SchedulerError(REFUSED)
        with patch("triggers.schedulers.local.LocalScheduler.create", side_effect=refusal):
            assert english(page=admin.post(NEW, {**ENTERED, "name": "羊"})) == {}

    def test_error_reads_well(self, admin: Client) -> None:
        form = admin.post(NEW, {**ENTERED, "timeout_seconds": "1"}).context["form"]
        assert form.errors["timeout_seconds"] == ["この値は 10 以上でなければなりません。"]

    def test_correction_reads_well(self, admin: Client) -> None:
        form = admin.post(NEW, {**ENTERED, "expression": "0 9 * * MON *"}).context["form"]
        said = "「曜日」で日が指定されているため、「日」を ? にしてください: 0 9 ? * MON *"
        assert form.errors["expression"] == [said]


class TestPreview:
    def test_warnings(self, admin: Client) -> None:
        entered = {"timezone": "America/New_York", "timeout_seconds": "600"}
        answers = {
            parse(expression).canonical: admin.post(PREVIEW, {**entered, "expression": expression})
            for expression in SURPRISING
        }
        assert english(**answers) == {}

    def test_errors(self, admin: Client) -> None:
        answers = {each: admin.post(PREVIEW, {"expression": each}) for each in MISTAKEN}
        assert english(**answers) == {}

    def test_each_reading_is_said(self, admin: Client) -> None:
        page = admin.post(PREVIEW, {"expression": "0 0 9 * * *"}).content.decode()
        assert ("毎月9日 00:00" in page, "毎日 09:00" in page) == (True, True)

    def test_zones(self, admin: Client) -> None:
        zones = ["羊", "jst", "asia/tokyo"]
        assert english(**{zone: admin.post(PREVIEW, {"timezone": zone}) for zone in zones}) == {}

    def test_warning_reads_well(self, admin: Client) -> None:
        entered = {"expression": "cron(30 2 * * ? *)", "timezone": "America/New_York"}
        page = admin.post(PREVIEW, entered).content.decode()
        said = (
            "年3月[0-9]+日に時計が02:00から03:00に切り替わるため、02:30の実行はスキップされます。"
        )
        assert re.search(said, page)


def test_nothing_at_an_address(admin: Client) -> None:
    pages = ["0", "triggers/0", "triggers/0/edit", "triggers/0/runs/0"]
    assert english(**{page: admin.get(f"/console/{page}") for page in pages}) == {}


def test_not_allowed(db: None) -> None:
    assert english(page=signed_in(Role.VIEWER).get(NEW)) == {}


def test_error_of_ours(admin: Client) -> None:
    with patch("console.dashboard.overview_of", side_effect=ZeroDivisionError):
        assert english(page=admin.get("/console/")) == {}


@pytest.mark.parametrize("entered", [{}, {"username": "羊", "password": "羊"}])
def test_sign_in(client: Client, db: None, entered: dict[str, str]) -> None:
    assert english(page=client.post("/admin/login/", entered, headers=JAPANESE)) == {}


def test_sign_out(admin: Client) -> None:
    assert english(page=admin.post("/admin/logout/")) == {}


def test_sign_in_that_came_to_nothing(client: Client, db: None) -> None:
    assert english(page=client.get("/sign-in/cognito/callback", headers=JAPANESE)) == {}


def test_form_of_another_site(db: None) -> None:
    client = Client(enforce_csrf_checks=True, headers=JAPANESE)
    assert english(page=client.post("/admin/login/")) == {}
