"""Schedules beyond one expression in the API: what is stored, answered, previewed and refused."""

from typing import Any

import pytest

from tests.integration.api.conftest import API
from triggers.models import Trigger

PLAN = {
    "expression": "0 9 ? * MON-FRI *",
    "timezone": "Europe/Berlin",
    "moreExpressions": ["cron(30 11 ? * SAT *)"],
    "every": {"weeks": 2, "from": "2026-12-07"},
    "daysOff": {
        "dates": ["2026-12-28"],
        "ranges": [{"from": "2027-08-01", "to": "2027-08-20"}],
        "holidays": "DE-BY",
        "weekends": False,
    },
    "moveTo": "next",
}


def test_the_answer_has_what_was_sent(alice: API) -> None:
    made = alice.create(scheduleConfig=PLAN)
    assert {part: made["scheduleConfig"][part] for part in PLAN} == PLAN


def test_a_client_that_knows_the_expression_alone_changes_it_alone(alice: API) -> None:
    made = alice.create(scheduleConfig=PLAN)
    old = {"scheduleConfig": {"expression": "0 8 ? * MON-FRI *", "timezone": "Europe/Berlin"}}
    alice.patch(f"/triggers/{made['id']}", old)
    stored = Trigger.objects.get(user_id="alice", pk=made["id"]).schedule_config
    assert stored == PLAN | {"expression": "0 8 ? * MON-FRI *"}


def test_null_clears_a_part(alice: API) -> None:
    made = alice.create(scheduleConfig=PLAN)
    body = {"scheduleConfig": {"every": None}}
    answer = alice.patch(f"/triggers/{made['id']}", body).json()["trigger"]
    assert "every" not in answer["scheduleConfig"]


def test_the_answer_has_words(alice: API) -> None:
    config = {"expression": "0 9 * * ? *", "workingDays": [1, -1]}
    made = alice.create(scheduleConfig=config)
    wanted = "At 09:00 every day, only on the 1st and last working day of the month, UTC"
    assert made["scheduleDescription"] == wanted


@pytest.mark.parametrize(
    ("part", "value", "field", "remedy"),
    [
        ("moreExpressions", "0 9 * * ? *", "moreExpressions", "Give a list of at most 9"),
        ("moreExpressions", ["0 9 * * ? *"] * 10, "moreExpressions", "at most 9"),
        ("moreExpressions", ["0 9 * * *"], "moreExpressions", "Try 0 9 * * ? *"),
        ("moreExpressions", [7], "moreExpressions", "moreExpressions[0]: Give a text"),
        ("moreExpressions", ["0 9 ? * MON-FRI *"], "moreExpressions", "there already"),
        ("every", {"weeks": 2}, "every", "every.from: Give the date"),
        ("every", {"weeks": 2, "from": "7.12.2026"}, "every", "such as 2026-12-24"),
        ("every", {"weeks": 0, "from": "2026-12-07"}, "every", "every.weeks: Give a whole"),
        ("every", {"weeks": 2, "days": 1, "from": "2026-12-07"}, "every", "Give one of days"),
        ("every", {"years": 2, "from": "2026-12-07"}, "every", "every.years: There is no such"),
        ("daysOff", {"dates": ["2026-02-30"]}, "daysOff", "daysOff.dates[0]: Give a date"),
        ("daysOff", {"ranges": [{"from": "2027-01-02"}]}, "daysOff", "daysOff.ranges[0].to"),
        (
            "daysOff",
            {"ranges": [{"from": "2027-01-02", "to": "2027-01-01"}]},
            "daysOff",
            "exchange the two",
        ),
        ("daysOff", {"holidays": "Germany"}, "daysOff", "Give the code DE"),
        ("daysOff", {"holidays": "DE-XX"}, "daysOff", "DE has the parts BB, BE"),
        ("daysOff", {"holidays": "VA-1"}, "daysOff", "VA has no parts"),
        ("daysOff", {"holidays": ["DE"]}, "daysOff", "such as DE"),
        ("daysOff", {"weekends": 2}, "daysOff", "Give true or false"),
        ("daysOff", {"dates": "2026-12-24"}, "daysOff", "Give a list"),
        ("moveTo", "later", "moveTo", "Give previous or next"),
        ("moveTo", "next", "moveTo", "nothing to move"),
        ("workingDays", [0], "workingDays", "such as [1, -1]"),
        ("workingDays", [True], "workingDays", "such as [1, -1]"),
        ("workingDays", [1, 1], "workingDays", "different numbers"),
    ],
)
def test_an_error_names_the_part_and_the_remedy(
    alice: API, part: str, value: Any, field: str, remedy: str
) -> None:
    body = {"name": "x", "type": "schedule", "agentId": "a", "prompt": "p"}
    config = {"expression": "0 9 ? * MON-FRI *", part: value}
    (found,) = alice.post("/triggers", body | {"scheduleConfig": config}).json()["details"]
    assert (found["field"], remedy in found["message"]) == (f"scheduleConfig.{field}", True)


def test_moves_need_cron(alice: API) -> None:
    body = {"name": "x", "type": "schedule", "agentId": "a", "prompt": "p"}
    config = {"expression": "rate(1 hour)", "daysOff": {"weekends": True}, "moveTo": "next"}
    (found,) = alice.post("/triggers", body | {"scheduleConfig": config}).json()["details"]
    assert "cron(...)" in found["message"]


def test_days_that_leave_no_run_are_an_error(alice: API) -> None:
    body = {"name": "x", "type": "schedule", "agentId": "a", "prompt": "p"}
    config = {"expression": "0 9 ? * SAT *", "daysOff": {"weekends": True}}
    (found,) = alice.post("/triggers", body | {"scheduleConfig": config}).json()["details"]
    assert found["code"] == "never"


class TestPreview:
    def test_it_lists_the_runs(self, alice: API) -> None:
        body = {"expression": "0 9 ? * MON *", "every": {"weeks": 2, "from": "2199-01-07"}}
        found = alice.post("/schedules/preview", body | {"count": 2}).json()["nextRuns"]
        assert [each["local"][:10] for each in found] == ["2199-01-07", "2199-01-21"]

    def test_it_lists_the_days_that_are_moved(self, alice: API) -> None:
        body = {
            "expression": "0 9 25 12 ? *",
            "daysOff": {"holidays": "US", "weekends": True},
            "moveTo": "next",
        }
        found = alice.post("/schedules/preview", body).json()["daysOff"]
        assert [(each["date"][5:], each["reason"]) for each in found] == [
            ("12-25", "Christmas Day")
        ]

    def test_it_warns_of_a_country_without_holidays(self, alice: API) -> None:
        body = {"expression": "0 9 * * ? *", "daysOff": {"holidays": "BV"}}
        (warning,) = alice.post("/schedules/preview", body).json()["warnings"]
        assert warning.startswith("No public holidays of BV are known for 20")

    def test_an_error_names_the_part(self, alice: API) -> None:
        body = {"expression": "0 9 25 12 ? *", "daysOff": {"holidays": "XX"}}
        (found,) = alice.post("/schedules/preview", body).json()["details"]
        assert found["field"] == "daysOff"

    def test_a_recurrence_rule_is_offered_as_parts(self, alice: API) -> None:
        rule = "DTSTART:20261207T090000 RRULE:FREQ=WEEKLY;INTERVAL=2"
        (found,) = alice.post("/schedules/preview", {"expression": rule}).json()["details"]
        parts = found["suggestions"][0]["parts"]
        assert parts["every"] == {"weeks": 2, "from": "2026-12-07"}
