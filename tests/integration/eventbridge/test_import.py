"""Imports whose schedules EventBridge Scheduler refuses."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.eventbridge.conftest import GROUP, Failing
from triggers.models import Trigger


def load(path: Path) -> str:
    out = io.StringIO()
    call_command("import_triggers", str(path), stdout=out)
    return out.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    entry = {
        "userId": "alice",
        "type": "schedule",
        "agentId": "reporter",
        "prompt": "Report.",
        "scheduleConfig": {"expression": "rate(1 hour)"},
    }
    path = tmp_path / "triggers.json"
    path.write_text(json.dumps([{**entry, "id": own, "name": own} for own in ("t-1", "t-2")]))
    return path


def test_what_is_refused_is_not_written(path: Path, failing: Failing) -> None:
    with (
        failing("CreateSchedule", "ServiceQuotaExceededException"),
        pytest.raises(CommandError, match="2 could not be written"),
    ):
        load(path)
    assert not Trigger.objects.of_user("alice").exists()


def test_another_run_finishes(path: Path, failing: Failing, eventbridge: Any) -> None:
    with failing("CreateSchedule", "ValidationException"), pytest.raises(CommandError):
        load(path)
    assert "2 created, 0 unchanged" in load(path)
    made = eventbridge.list_schedules(GroupName=GROUP)["Schedules"]
    assert sorted(each["Name"] for each in made) == ["trigger-t-1", "trigger-t-2"]
