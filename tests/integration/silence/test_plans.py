"""Late, missed and caught-up runs of schedules beyond one expression."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from executions.backfill.plan import Wanted, make_plan
from executions.models import TriggerExecution
from executions.runner.missed import record_missed
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]
CREATED = datetime(2026, 12, 1, tzinfo=UTC)
FORTNIGHT = {"expression": "0 9 ? * MON *", "every": {"weeks": 2, "from": "2026-12-07"}}


def at(month: int, day: int, hour: int = 9, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


@pytest.fixture
def fortnight(make_trigger: MakeTrigger) -> Trigger:
    return make_trigger(schedule_config=FORTNIGHT, created_at=CREATED)


def test_a_day_that_is_left_out_is_not_overdue(fortnight: Trigger) -> None:
    assert fortnight.overdue(at(12, 13), at(12, 15), 10) == []


def test_a_day_that_is_meant_is_overdue(fortnight: Trigger) -> None:
    assert fortnight.overdue(at(12, 20), at(12, 22), 10) == [at(12, 21)]


def test_the_grace_follows_from_the_next_run_that_is_meant(make_trigger: MakeTrigger) -> None:
    config = {"expression": "0 * * * ? *", "daysOff": {"dates": ["2026-12-08"]}}
    trigger = make_trigger(schedule_config=config, created_at=CREATED)
    wanted = at(12, 7, 23) + timedelta(minutes=30)
    assert trigger.expected_by(at(12, 7, 23)) == wanted


def test_missed_runs_are_those_that_are_meant(fortnight: Trigger) -> None:
    record_missed(fortnight, at(12, 7), at(1, 10, year=2027))
    records = TriggerExecution.objects.of_trigger(fortnight)
    dues = sorted(records.values_list("scheduled_at", flat=True))
    assert dues == [at(12, 7), at(12, 21), at(1, 4, year=2027)]


def test_a_backfill_has_the_runs_that_are_meant(fortnight: Trigger) -> None:
    wanted = Wanted(since=at(12, 2), until=at(1, 1, year=2027), with_left_out=True)
    plan = make_plan(fortnight, wanted, at(1, 10, year=2027))
    assert [item.due for item in plan.items] == [at(12, 7), at(12, 21)]


def test_a_file_brings_the_parts_back(fortnight: Trigger) -> None:
    out = StringIO()
    call_command("export_triggers", stdout=out)
    (entry,) = yaml.safe_load(out.getvalue())["triggers"]
    assert entry["scheduleConfig"] == FORTNIGHT


def test_an_import_changes_nothing_that_is_equal(fortnight: Trigger, tmp_path: Path) -> None:
    path, out = tmp_path / "triggers.yaml", StringIO()
    call_command("export_triggers", stdout=out)
    path.write_text(out.getvalue())
    call_command("import_triggers", str(path), stdout=StringIO())
    again = Trigger.objects.get(user_id="alice", pk=fortnight.pk)
    assert again.version == fortnight.version


def test_equal_maps_share_a_schedule(make_trigger: MakeTrigger) -> None:
    first, second = (make_trigger(schedule_config=dict(FORTNIGHT)) for _each in range(2))
    assert first.schedule is second.schedule


def test_a_rate_among_the_expressions_counts_from_each_trigger(make_trigger: MakeTrigger) -> None:
    config: dict[str, Any] = {"expression": "0 9 * * ? *", "moreExpressions": ["rate(7 hours)"]}
    triggers = [
        make_trigger(schedule_config=config, created_at=CREATED + timedelta(hours=hours))
        for hours in (0, 1)
    ]
    assert [each.next_runs(CREATED, 1) for each in triggers] == [[at(12, 1, 7)], [at(12, 1, 8)]]
