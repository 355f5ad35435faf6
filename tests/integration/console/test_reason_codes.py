"""Stored reasons: translated by their code, or shown unchanged if they have none."""

import html
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from agents.errors import AGENT, HTTP_STATUS, QUOTED, TIMED_OUT, TRIED
from events.buses import BusError
from events.failures import BUS_THROTTLING
from events.models import EventSource
from executions.failures import A_RUN, BUSY, NO_MORE_TIME, PAUSED
from executions.models import TriggerExecution
from moca import audit, reasons
from moca.authentication.models import AuditEntry
from moca.sentences import Reason
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from triggers.failures import SCHEDULER_THROTTLING, SCHEDULER_UNREACHABLE
from triggers.models import RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]
EVENTS = "/console/events"
JAPANESE = {"accept-language": "ja"}
QUOTING = HTTP_STATUS(who=AGENT, answer="503").adding(QUOTED, quoted="busy")
REASONS = [
    (TIMED_OUT(seconds="600"), "600秒でタイムアウトしました"),
    (QUOTING.adding(TRIED, number=4), "エージェントの応答: 503: busy\uff084回試行\uff09"),
    (
        TIMED_OUT(seconds="890").adding(NO_MORE_TIME, number=900),
        "890秒でタイムアウトしました。"
        "トリガーは 900 秒まで許していますが、プロセスの時間が尽きました",
    ),
]


@pytest.fixture
def failed(make_trigger: MakeTrigger, make_execution: MakeExecution) -> Callable[..., str]:
    """Put a failed run on record; returns the address of its page."""

    def make(**fields: Any) -> str:
        run = make_execution(make_trigger(), status=RunStatus.FAILED, **fields)
        return f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}"

    return make


def read(client: Client, address: str, **headers: str) -> str:
    return html.unescape(client.get(address, headers=headers).content.decode())


@pytest.mark.parametrize(("reason", "said"), REASONS)
def test_run_says_why_in_the_language_of_the_reader(
    viewer: Client, failed: Callable[..., str], reason: Reason, said: str
) -> None:
    page = failed(**reasons.columns("error", reason))
    assert f"<strong>{said}</strong>" in read(viewer, page, **JAPANESE)


@pytest.mark.parametrize(("reason", "_said"), REASONS)
def test_run_says_why_in_english(
    viewer: Client, failed: Callable[..., str], reason: Reason, _said: str
) -> None:
    page = failed(**reasons.columns("error", reason))
    assert f"<strong>{reason[0].upper()}{reason[1:]}</strong>" in read(viewer, page)


@pytest.mark.parametrize(
    "stored",
    [
        {"error": "timed out after 600 s"},
        {"error": "No paper.", "error_code": "of_a_newer_edition", "error_params": {"x": 1}},
        {"error": "No paper.", "error_code": "timed_out"},
        {"error": "No paper.", "error_code": "timed_out", "error_params": ["odd"]},
    ],
)
def test_what_has_no_known_code_is_shown_as_it_is_stored(
    viewer: Client, failed: Callable[..., str], stored: dict[str, Any]
) -> None:
    shown = stored["error"][0].upper() + stored["error"][1:]
    assert f"<strong>{shown}</strong>" in read(viewer, failed(**stored), **JAPANESE)


def test_agent_that_speaks_of_time_gets_no_advice_about_time(
    viewer: Client, failed: Callable[..., str]
) -> None:
    page = failed(error="The database timed out after 3 s.", error_code="agent_failed")
    assert "is 600 seconds" not in read(viewer, page)


def test_what_stands_on_a_trigger(viewer: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(enabled=False)
    late = TIMED_OUT(seconds="600")
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
        sync_state="failed",
        consecutive_failures=1,
        skipped_runs=1,
        last_skipped_at=timezone.now(),
        **reasons.columns("paused_reason", PAUSED(runs=A_RUN(), error=late)),
        **reasons.columns("last_error", late),
        **reasons.columns("last_skip_reason", BUSY()),
        **reasons.columns("sync_error", SCHEDULER_UNREACHABLE(error="<down>")),
    )
    page = read(viewer, f"{TRIGGERS}/{trigger.pk}", **JAPANESE)
    said = [
        "実行が1回失敗したため一時停止しました。最後の失敗: 600秒でタイムアウトしました",
        ": 600秒でタイムアウトしました",
        "前の実行がまだ続いていました。",
        "EventBridge Schedulerに接続できません: <down>",
    ]
    assert [sentence for sentence in said if sentence not in page] == []


def test_why_a_trigger_was_changed(viewer: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    late = SCHEDULER_UNREACHABLE(error="down")
    audit.note(AuditEntry.Action.UPDATED, trigger, by=audit.system("reconciler"), why=late)
    page = read(viewer, f"{TRIGGERS}/{trigger.pk}", **JAPANESE)
    assert "EventBridge Schedulerに接続できません: down" in page


def test_pause_is_one_change_and_not_three(viewer: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    trigger.disable(PAUSED(runs=A_RUN(), error=BUS_THROTTLING()))
    audit.save(trigger, by="runner")
    changes = AuditEntry.objects.filter(object_id=trigger.pk).latest("id").changes
    assert sorted(changes) == ["enabled", "paused_reason"]


@pytest.mark.parametrize("address", ["edit", "secret", "delete"])
def test_what_a_bus_refuses(editor: Client, address: str) -> None:
    source = EventSource(id="shop", name="The shop", kind="webhook")
    source.save()
    entered = {"name": "Renamed", "opened_version": source.version}
    refusal = BusError(SCHEDULER_THROTTLING())
    with (
        patch("events.buses.local.LocalBus.keep", side_effect=refusal),
        patch("events.buses.local.LocalBus.drop", side_effect=refusal),
    ):
        answer = editor.post(f"{EVENTS}/shop/{address}", entered, headers=JAPANESE)
    assert "EventBridge Schedulerへのリクエストが制限されています。" in answer.content.decode()
