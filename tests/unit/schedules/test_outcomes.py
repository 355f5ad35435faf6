"""Random expressions, valid and not, have the outcomes that earlier versions gave.

outcomes.json holds what the parser gave before single numbers and names were looked up in tables. A
change of the grammar or of a text changes it on purpose.
"""

import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.schedules.test_schedule_parse import error_of
from triggers.schedules import Cron, describe, find_warnings, parse

OUTCOMES = json.loads((Path(__file__).parent / "outcomes.json").read_text())
RULES = [
    *("1", "28", "29", "31", "29,31", "L", "L-27", "L-28", "L-30", "LW", "1W", "28W", "31W"),
    *("31,L-30", "29,30W", "29-31", "*/7", "30,LW", "10-31/7"),
]
WEEKDAYS = ["FRI", "2-4", "FRI#1", "FRI#4", "FRI#5", "FRIL", "SAT#5,MON", "*", "1L,3#5"]


def text_of(row: dict[str, Any]) -> str:
    return str(row["text"])


@pytest.mark.parametrize("row", OUTCOMES["valid"], ids=text_of)
def test_valid_expression_is_read_as_before(row: dict[str, Any]) -> None:
    zone, after = ZoneInfo(row["zone"]), datetime.fromisoformat(row["after"])
    expression = parse(row["text"], zone)
    previous = expression.previous_run(after, zone, anchor=after - timedelta(days=3))
    assert {
        **row,
        "canonical": expression.canonical,
        "words": describe(expression),
        "warnings": find_warnings(expression, zone, after),
        "runs": [run.isoformat() for run in expression.next_runs(after, zone, 3)],
        "previous": str(previous),
    } == row


@pytest.mark.parametrize("row", OUTCOMES["invalid"], ids=text_of)
def test_invalid_expression_is_explained_as_before(row: dict[str, Any]) -> None:
    error = error_of(row["text"], partial(parse, zone=ZoneInfo(row["zone"])))
    found = error.field, error.reason, [repr(each) for each in error.corrections]
    assert found == (row["field"], row["reason"], row["corrections"])


@pytest.mark.parametrize("text", [f"0 9 {rule} * ? *" for rule in RULES])
def test_rule_of_days_says_whether_each_month_has_one(text: str) -> None:
    cron = parse(text)
    assert isinstance(cron, Cron)
    assert cron.rule.is_in_every_month == all(cron.days)


@pytest.mark.parametrize("text", [f"0 9 ? * {rule} *" for rule in WEEKDAYS])
def test_rule_of_weekdays_says_whether_each_month_has_one(text: str) -> None:
    cron = parse(text)
    assert isinstance(cron, Cron)
    assert cron.rule.is_in_every_month == all(cron.days)
