"""The form of a trigger, and its preview of a schedule."""

import re
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from moca.authentication.models import AuditEntry, Operator
from moca.times import iso
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from triggers.models import Trigger
from triggers.schedulers import SchedulerError

NEW = f"{TRIGGERS}/new"
PREVIEW = "/console/schedule-preview"
ENTERED = {
    "name": "Sheep",
    "type": "schedule",
    "enabled": "on",
    "agent_id": "shepherd",
    "prompt": "Count them.",
    "expression": "cron(0 9 ? * MON-FRI *)",
    "timezone": "Asia/Tokyo",
    "timeout_seconds": "600",
    "overlap_policy": "skip",
    "max_retries": "3",
    "answer_within_hours": "72",
}


def previewed(client: Client, **entered: Any) -> str:
    return client.post(PREVIEW, entered).content.decode()


PLAN_ERRORS = [
    ({"every_number": "2", "every_unit": "weeks"}, "Counted from: Give the date", "Give the date"),
    ({"holidays": "Narnia"}, "Not on public holidays of: Give the code of", "Give the code of"),
    ({"holidays": "Japan"}, "Not on public holidays of: Give the code JP", "Give the code JP"),
    ({"holidays": "jp"}, "Not on public holidays of: Give the code JP", "Give the code JP"),
    ({"more_expressions": "nonsense"}, "Further times: ", "A cron expression"),
]


class TestErrorsBesideTheExpression:
    """They are named by the labels of the form, and not by the names of the API."""

    @pytest.mark.parametrize(("entered", "shown", "_saved"), PLAN_ERRORS)
    def test_preview(self, viewer: Client, entered: Any, shown: str, _saved: str) -> None:
        page = previewed(viewer, **{**ENTERED, **entered})
        assert f'<div class="message error">{shown}' in page

    @pytest.mark.parametrize(("entered", "_shown", "saved"), PLAN_ERRORS)
    def test_save(self, editor: Client, entered: Any, _shown: str, saved: str) -> None:
        form = editor.post(NEW, {**ENTERED, **entered}).context["form"]
        (message,) = (each for errors in form.errors.values() for each in errors)
        assert message.startswith(saved)


class TestSave:
    def test_new_trigger(self, editor: Client) -> None:
        editor.post(NEW, ENTERED)
        made = Trigger.objects.get()
        assert made.schedule_description == "At 09:00 on weekdays, Tokyo time"

    def test_new_trigger_is_the_operators_own(self, editor: Client) -> None:
        editor.post(NEW, {**ENTERED, "user_id": "somebody-else"})
        assert Trigger.objects.get().user_id == Operator.objects.get().subject

    def test_admins_may_make_it_for_others(self, administrator: Client) -> None:
        administrator.post(NEW, {**ENTERED, "user_id": "bob"})
        assert Trigger.objects.get().user_id == "bob"

    def test_agents_that_others_ask_are_offered(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(agent_id="goatherd")
        assert '<option value="goatherd">' in editor.get("/console/triggers/new").content.decode()

    @pytest.mark.parametrize(("owner", "is_open"), [("somebody else", True), ("own", False)])
    def test_owner_is_shown_where_it_is_another(
        self, administrator: Client, make_trigger: MakeTrigger, owner: str, is_open: bool
    ) -> None:
        own = Operator.objects.get().subject
        trigger = make_trigger(user_id=own if owner == "own" else owner)
        sections = administrator.get(f"/console/triggers/{trigger.pk}/edit").context["sections"]
        assert sections[-1].is_folded is not is_open

    def test_goes_to_the_trigger(self, editor: Client) -> None:
        answer = editor.post(NEW, ENTERED)
        assert answer["Location"] == f"{TRIGGERS}/{Trigger.objects.get().pk}"

    def test_change(self, editor: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        entered = {**ENTERED, "opened_version": trigger.version}
        editor.post(f"{TRIGGERS}/{trigger.pk}/edit", entered)
        changed = Trigger.objects.get()
        assert (changed.name, changed.user_id) == ("Sheep", "alice")

    def test_reasoning_effort_is_on_the_page(self, editor: Client) -> None:
        editor.post(NEW, {**ENTERED, "reasoning_effort": "max"})
        made = Trigger.objects.get()
        page = editor.get(f"{TRIGGERS}/{made.pk}").content.decode()
        assert "<dt>Reasoning effort</dt><dd>Maximum</dd>" in page

    def test_change_is_on_record(self, editor: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        entered = {**ENTERED, "opened_version": trigger.version}
        editor.post(f"{TRIGGERS}/{trigger.pk}/edit", entered)
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.changes["name"]) == ("editor-operator", ["Report", "Sheep"])

    def test_form_of_a_copy_is_filled_and_disabled(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        source = make_trigger(name="Wool", prompt="Shear.")
        form = editor.get(f"{NEW}?copy={source.pk}").context["form"]
        values = [form[name].value() for name in ("name", "prompt", "expression", "enabled")]
        assert values == ["Copy of Wool", "Shear.", "cron(0 9 * * ? *)", False]

    def test_copy_has_what_the_form_does_not_ask_for(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        config = {"note": "another program's", "eventSourceId": "orders"}
        source = make_trigger(type="event", event_config=config, enabled_tools=[])
        entered = {**ENTERED, "type": "event", "expression": "", "event_source_id": "orders"}
        editor.post(f"{NEW}?copy={source.pk}", entered)
        made = Trigger.objects.exclude(pk=source.pk).get()
        assert (made.event_config, made.enabled_tools) == (config, [])

    def test_copy_is_the_operators_own(self, editor: Client, make_trigger: MakeTrigger) -> None:
        source = make_trigger()
        editor.post(f"{NEW}?copy={source.pk}", ENTERED)
        made = Trigger.objects.exclude(pk=source.pk).get()
        assert made.user_id == Operator.objects.get().subject


class TestRefused:
    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"name": ""}, "name", "required"),
            ({"expression": "cron(0 9 * * MON *)"}, "expression", "cron(0 9 ? * MON *)"),
            ({"timezone": "Tokio"}, "timezone", "Asia/Tokyo"),
            ({"start_date": "tomorrow"}, "start_date", "without an offset"),
            ({"timeout_seconds": "1"}, "timeout_seconds", "greater than or equal to 10"),
        ],
    )
    def test_error_stands_at_its_field(
        self, editor: Client, wrong: dict[str, str], field: str, message: str
    ) -> None:
        form = editor.post(NEW, {**ENTERED, **wrong}).context["form"]
        assert message in str(form.errors[field])

    def test_error_is_led_to_from_above(self, editor: Client) -> None:
        page = editor.post(NEW, {**ENTERED, "timeout_seconds": "1"}).content.decode()
        assert '<a href="#id_timeout_seconds">Timeout (seconds)</a>' in page

    def test_nothing_is_saved(self, editor: Client) -> None:
        editor.post(NEW, {**ENTERED, "expression": "cron(x)"})
        assert not Trigger.objects.exists()

    def test_what_was_entered_stays(self, editor: Client) -> None:
        page = editor.post(NEW, {**ENTERED, "expression": "cron(x)"}).content.decode()
        assert "Count them." in page

    def test_refusal_of_the_scheduler_is_said(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        entered = {**ENTERED, "opened_version": trigger.version}
        refusal = SchedulerError("The role may not be passed.")
        with patch("triggers.schedulers.local.LocalScheduler.update", side_effect=refusal):
            page = editor.post(f"{TRIGGERS}/{trigger.pk}/edit", entered)
        assert (
            "The role may not be passed." in page.content.decode(),
            Trigger.objects.get().name,
        ) == (True, "Report")

    def test_change_of_another_meanwhile(self, editor: Client, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        stale = {**ENTERED, "opened_version": trigger.version}
        trigger.name = "Theirs"
        trigger.save()
        page = editor.post(f"{TRIGGERS}/{trigger.pk}/edit", stale).content.decode()
        assert "Somebody else changed this trigger" in page


class TestWithoutJavaScript:
    def test_next_runs_are_shown_and_nothing_saved(self, editor: Client) -> None:
        page = editor.post(NEW, {**ENTERED, "check": "yes"}).content.decode()
        assert ("At 09:00 on weekdays" in page, Trigger.objects.exists()) == (True, False)


class TestPreview:
    def test_words(self, viewer: Client) -> None:
        assert "Every 5 minutes" in previewed(viewer, expression="rate(5 minutes)")

    def test_ten_runs_on_the_zones_clock(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="cron(0 9 * * ? *)", timezone="Asia/Tokyo")
        assert shown.count("09:00 +09:00") == 10

    def test_correction_is_offered(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="cron(0 9 * * MON *)")
        assert 'data-use="cron(0 9 ? * MON *)" data-for="expression"' in shown

    def test_each_reading_is_offered_in_words(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="0 0 9 * * *")
        offered = re.findall(
            r'data-use="([^"]+)" data-for="expression">[^<]+</button> (.+?)</p>', shown
        )
        assert offered == [
            ("0 0 9 * ? *", "At 00:00 on the 9th of the month"),
            ("0 9 * * ? *", "At 09:00 every day"),
        ]

    def test_what_an_offer_leaves_out_is_told(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="30 0 9 * * ?")
        assert "It leaves out the seconds (30)" in shown

    def test_saving_tells_each_reading(self, editor: Client) -> None:
        form = editor.post(NEW, {**ENTERED, "expression": "0 0 9 * * *"}).context["form"]
        assert form.errors["expression"][0].endswith(
            "Try 0 0 9 * ? * (At 00:00 on the 9th of the month) or 0 9 * * ? * (At 09:00 every day)"
        )

    def test_zone_is_corrected(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="rate(1 hour)", timezone="Tokyo")
        assert 'data-use="Asia/Tokyo" data-for="timezone"' in shown

    @pytest.mark.parametrize("meant", ["America/Chicago", "Asia/Shanghai", "America/Havana"])
    def test_each_zone_that_may_be_meant_is_offered(self, viewer: Client, meant: str) -> None:
        shown = previewed(viewer, expression="rate(1 hour)", timezone="CST")
        assert f'data-use="{meant}" data-for="timezone"' in shown

    def test_zone_that_is_not_what_it_seems(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="cron(0 9 * * ? *)", timezone="Etc/GMT+9")
        assert "The sign of Etc/GMT+9 is reversed" in shown

    def test_refused_form_names_all_zones(self, editor: Client) -> None:
        page = editor.post(NEW, {**ENTERED, "timezone": "BST"}).content.decode()
        assert "Did you mean Europe/London or Asia/Dhaka?" in page

    def test_short_months(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="cron(0 9 31 * ? *)")
        assert "It skips months without a 31st" in shown

    def test_more_often_than_the_timeout(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="rate(5 minutes)", timeout_seconds="600")
        assert "Two runs can be only 5 min apart, and a run may take 10 min" in shown

    def test_rarer_than_the_timeout(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="rate(10 minutes)", timeout_seconds="600")
        assert "at times" not in shown

    def test_end_date(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="rate(1 day)", end_date="2020-01-01T00:00")
        assert "It never runs between its start date and end date." in shown

    @pytest.mark.parametrize(
        ("expression", "days"),
        [("rate(1 minute)", 365), ("cron(0 9 25 12 ? *)", 1), ("cron(0 9 ? * MON *)", 52)],
    )
    def test_days_of_the_year(self, viewer: Client, expression: str, days: int) -> None:
        assert f"Fires on {days} day" in previewed(viewer, expression=expression)

    @pytest.mark.parametrize(
        ("expression", "levels"),
        [
            ("cron(0 9 25 12 ? *)", "1 on 1 day"),
            ("cron(0 9,21 25 12 ? *)", "2 to 5 on 1 day"),
            ("cron(0 9-13 ? * 2#1 *)", "2 to 5 on 12 days"),
            ("cron(0 9-14 ? * 2#1 *)", "6 to 24 on 12 days"),
            ("cron(0 * ? * 2#1 *)", "6 to 24 on 12 days"),
            ("cron(0/30 * ? * 2#1 *)", "25 or more on 12 days"),
            ("cron(x)", None),
        ],
    )
    def test_runs_a_day(self, viewer: Client, expression: str, levels: str | None) -> None:
        shown = previewed(viewer, expression=expression)
        found = re.search(r'aria-label="Runs per day: (.*?)"', shown)
        assert (found and found[1]) == levels

    def test_days_after_those_that_are_counted(self, viewer: Client) -> None:
        shown = previewed(viewer, expression="cron(0/5 * * * ? *)", start_date="2090-01-01T00:00")
        assert "Runs per day: 25 or more on 365 days" in shown

    def test_a_rate_goes_on_from_its_last_run(self, viewer: Client) -> None:
        start = "2090-01-01T12:00"
        shown = previewed(viewer, expression="rate(36 hours)", start_date=start)
        assert "Runs per day: 1 on 243 days" in shown

    def test_a_rate_with_a_start_runs_at_its_start(self, viewer: Client) -> None:
        start = "2090-01-01T12:00"
        shown = previewed(viewer, expression="rate(36 hours)", start_date=start)
        assert shown.count("2090-01-01 12:00") == 1

    def test_a_rate_that_is_there_counts_from_its_creation(self, viewer: Client) -> None:
        made = (timezone.now() - timedelta(minutes=90)).replace(microsecond=0)
        shown = previewed(viewer, expression="rate(1 hour)", counted_from=iso(made))
        assert f'datetime="{iso(made + timedelta(hours=2))}"' in shown

    def test_page_shows_a_rate_as_it_will_run(
        self, editor: Client, make_trigger: MakeTrigger
    ) -> None:
        ago = timezone.now() - timedelta(minutes=90)
        made = make_trigger(schedule_config={"expression": "rate(5 hours)"}, created_at=ago)
        page = editor.get(f"{TRIGGERS}/{made.pk}/edit").content.decode()
        assert f'datetime="{iso(made.next_runs(timezone.now(), 1)[0])}"' in page

    @pytest.mark.parametrize(
        ("arn", "seconds", "is_warned"),
        [
            ("arn:aws:lambda:x", "1791", True),
            ("arn:aws:lambda:x", "1790", False),
            ("", "1791", False),
        ],
    )
    def test_time_out_that_lambda_does_not_reach(
        self, viewer: Client, settings: Any, arn: str, seconds: str, is_warned: bool
    ) -> None:
        settings.TRIGGER_LAMBDA_ARN = arn
        shown = previewed(viewer, expression="rate(1 day)", timeout_seconds=seconds)
        assert ("waits for 29 min 50 s at the most" in shown) is is_warned

    def test_a_time_out_of_thousands_of_digits_does_not_break_the_preview(
        self, viewer: Client, settings: Any
    ) -> None:
        settings.TRIGGER_LAMBDA_ARN = "arn:aws:lambda:x"
        shown = previewed(viewer, expression="rate(1 day)", timeout_seconds="9" * 5000)
        assert "Every day" in shown

    @pytest.mark.parametrize(
        "entered",
        [
            {},
            {"expression": "x" * 5000},
            {"expression": "rate(1 hour)", "counted_from": "9999-12-31T23:59:59+00:00"},
            {"expression": "rate(1 hour)", "start_date": "9999-12-31T23:59"},
            {"expression": "rate(1 hour)", "start_date": "0001-01-01T00:00"},
            {"expression": "rate(1 hour)", "timeout_seconds": "9" * 400},
            {"expression": "at(9999-12-31T23:59:59)", "timezone": "Pacific/Kiritimati"},
        ],
    )
    def test_odd_input_is_answered(self, viewer: Client, entered: dict[str, str]) -> None:
        assert viewer.post(PREVIEW, entered).status_code == 200
