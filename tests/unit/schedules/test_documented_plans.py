"""The examples of docs/schedules.md for schedules beyond one expression."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from triggers.schedules import describe, japanese, parse
from triggers.schedules.days_off import countries, country_names
from triggers.schedules.plan_parts import PLAN_PARTS, read_plan

TEXT = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
ROWS = re.findall(r"^\| `(\{.*\})` \| ([0-9T:, -]+) \|$", TEXT, re.MULTILINE)
SINCE = datetime(2026, 12, 1, tzinfo=UTC) - timedelta(seconds=1)
UTC_ZONE = ZoneInfo("UTC")


def plan_of(config: dict[str, Any]) -> Any:
    def fail(part: str, error: Exception) -> None:
        raise AssertionError(f"{part}: {error}")

    return read_plan(parse(config["expression"]), config, parse, fail)


@pytest.mark.parametrize(("config", "runs"), ROWS)
def test_the_documented_runs(config: str, runs: str) -> None:
    wanted = runs.split(", ")
    found = plan_of(json.loads(config)).next_runs(SINCE, UTC_ZONE, len(wanted))
    assert [f"{run:%Y-%m-%dT%H:%M}" for run in found] == wanted


def test_each_part_has_an_example() -> None:
    assert set(PLAN_PARTS) <= {part for config, _runs in ROWS for part in json.loads(config)}


@pytest.mark.parametrize(
    ("config", "english", "japanese_words"),
    [
        (
            {"moreExpressions": ["30 11 ? * SAT *"]},
            "At 09:00 on Mondays and at 11:30 on Saturdays",
            "毎週月曜日 09:00、毎週土曜日 11:30",
        ),
        (
            {"every": {"weeks": 2, "from": "2026-12-07"}},
            "At 09:00 on Mondays, every 2 weeks from 7 December 2026",
            "毎週月曜日 09:00、2026年12月7日から2週間ごと",
        ),
        (
            {"daysOff": {"holidays": "JP", "dates": ["2026-12-28"]}},
            "At 09:00 on Mondays, except on public holidays of JP and 28 December 2026",
            "毎週月曜日 09:00、祝日(JP)・2026年12月28日を除く",
        ),
        (
            {"daysOff": {"holidays": "JP"}, "moveTo": "previous"},
            "At 09:00 on Mondays, moved from public holidays of JP to the working day before",
            "毎週月曜日 09:00、祝日(JP)は前営業日に移動",
        ),
        (
            {"workingDays": [2, -1, -3], "daysOff": {"holidays": "JP"}},
            "At 09:00 on Mondays, only on the 2nd, 3rd to last and last working day of the month, "
            "with public holidays of JP as days off",
            "毎週月曜日 09:00、毎月第2・最後から3番目の・最終営業日のみ、休業日は祝日(JP)",
        ),
        (
            {"daysOff": {"dates": [f"2026-12-{day}" for day in range(10, 15)]}},
            "At 09:00 on Mondays, except on 10 December 2026, 11 December 2026, 12 December 2026 "
            "and 2 more dates or ranges",
            "毎週月曜日 09:00、2026年12月10日・2026年12月11日・2026年12月12日・ほか2件を除く",
        ),
    ],
)
def test_the_words(config: dict[str, Any], english: str, japanese_words: str) -> None:
    plan = plan_of({"expression": "0 9 ? * MON *", **config})
    assert (describe(plan), japanese.describe(plan)) == (english, japanese_words)


def test_a_plain_expression_stays_what_it_is() -> None:
    assert plan_of({"expression": "0 9 ? * MON *", "daysOff": {}}) is parse("0 9 ? * MON *")


def test_the_form_offers_the_countries_that_can_be_read() -> None:
    assert set(countries()) == set(country_names())
