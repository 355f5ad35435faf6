from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from moca.authentication.models import AuditEntry, Operator
from moca.concurrency import ConflictError
from tests.integration.admin.conftest import TRIGGERS, errors_of, form_data, overtaken
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers import SchedulerError
from triggers.schedulers.local import LocalScheduler

Make = Callable[..., Trigger]
DAILY = {"expression": "cron(0 9 * * ? *)"}


def add(client: Client, **fields: Any) -> Any:
    return client.post(f"{TRIGGERS}add/", form_data(**{"expression": "rate(1 hour)", **fields}))


def change(client: Client, trigger: Trigger, **fields: Any) -> Any:
    return client.post(f"{TRIGGERS}{trigger.pk}/change/", form_data(trigger, **fields))


class TestAdding:
    def test_makes_a_trigger_and_its_schedule(self, editor: Client) -> None:
        add(editor, name="Hourly")
        made = Trigger.objects.get(name="Hourly")
        assert LocalSchedule.objects.filter(pk=made.pk).exists()

    def test_has_a_reasoning_effort(self, editor: Client) -> None:
        add(editor, reasoning_effort="low")
        assert Trigger.objects.get().reasoning_effort == "low"

    def test_is_on_record(self, editor: Client) -> None:
        add(editor)
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action, entry.object_name) == (
            "editor-operator",
            "created",
            "Report",
        )

    def test_the_trigger_of_an_editor_is_the_editors(self, editor: Client) -> None:
        add(editor, user_id="somebody-else")
        assert Trigger.objects.get().user_id == Operator.objects.get().subject

    def test_an_admin_may_choose_whose_it_is(self, administrator: Client) -> None:
        add(administrator, user_id="somebody-else")
        assert Trigger.objects.get().user_id == "somebody-else"

    def test_the_form_proposes_the_admins_own_subject(self, administrator: Client) -> None:
        page = administrator.get(f"{TRIGGERS}add/").content.decode()
        assert f'value="{Operator.objects.get().subject}"' in page

    def test_a_viewer_may_not(self, viewer: Client) -> None:
        assert add(viewer).status_code == 403

    def test_all_parts_of_a_schedule_are_kept(self, editor: Client) -> None:
        add(
            editor,
            expression="cron(0 9 * * ? *)",
            timezone="Asia/Tokyo",
            start_date="2027-01-31T09:00",
            end_date="2027-02-28T09:00:30",
            window_minutes="15",
        )
        assert Trigger.objects.get().schedule_config == {
            "expression": "cron(0 9 * * ? *)",
            "timezone": "Asia/Tokyo",
            "startDate": "2027-01-31T00:00:00.000Z",
            "endDate": "2027-02-28T00:00:30.000Z",
            "flexibleTimeWindowMinutes": 15,
        }

    def test_an_event_trigger_listens_to_its_pattern(self, editor: Client) -> None:
        add(editor, type="event", expression="", event_pattern='{"source": ["my.app"]}')
        assert Trigger.objects.get().event_config == {"eventPattern": {"source": ["my.app"]}}

    def test_names_are_separated_by_commas_or_lines(self, editor: Client) -> None:
        add(editor, tags="a, b\nc\r\n", enabled_tools="search,\n mail")
        trigger = Trigger.objects.get()
        assert (trigger.tags, trigger.enabled_tools) == (["a", "b", "c"], ["search", "mail"])


class TestErrors:
    @pytest.mark.parametrize(
        ("fields", "field", "message"),
        [
            ({"expression": ""}, "expression", "Give a schedule"),
            ({"expression": "0 9 * * 1-5"}, "expression", "0 9 ? * MON-FRI *"),
            ({"expression": "rate(5 minuets)"}, "expression", "rate(5 minutes)"),
            ({"expression": "at(2020-01-01T00:00:00)"}, "expression", "never fires again"),
            ({"expression": "cron(5% * * * ? *)"}, "expression", "%"),
            ({"timezone": "Asia/Tokio"}, "timezone", "Asia/Tokyo"),
            ({"start_date": "tomorrow"}, "start_date", "2027-01-31T09:00"),
            ({"start_date": "2027-01-31T09:00Z"}, "start_date", "without an offset"),
            ({"end_date": "0001-01-01T00:00", "timezone": "Asia/Tokyo"}, "end_date", "calendar"),
            (
                {"start_date": "2027-02-01T00:00", "end_date": "2027-01-01T00:00"},
                "end_date",
                "not after the start date",
            ),
            ({"window_minutes": "1441"}, "window_minutes", "1440"),
            ({"type": "event"}, "event_source_id", "Name the event source"),
            ({"type": "event", "event_pattern": "[1]"}, "event_pattern", "event pattern"),
            ({"event_pattern": "{"}, "event_pattern", "JSON"),
            ({"event_pattern": '{"a": 1e999}'}, "event_pattern", "JSON"),
            ({"event_pattern": '{"a": ' + "9" * 5000 + "}"}, "event_pattern", "JSON"),
            ({"event_pattern": '{"a": ' + "[" * 40 + "]" * 40 + "}"}, "event_pattern", "JSON"),
            ({"event_pattern": "[" * 100_000}, "event_pattern", "JSON"),
            ({"tags": "!!"}, "tags", "20 different tags"),
            ({"enabled_tools": "x" * 129}, "enabled_tools", "50 tool names"),
            ({"name": ""}, "name", "required"),
            ({"session_id": "short"}, "session_id", "33"),
            ({"timeout_seconds": "1"}, "timeout_seconds", "10"),
        ],
    )
    def test_stand_at_their_field_with_the_way_out(
        self, editor: Client, fields: Any, field: str, message: str
    ) -> None:
        errors = errors_of(add(editor, **fields))
        assert message in " ".join(errors[field])

    def test_save_nothing(self, editor: Client) -> None:
        add(editor, timezone="Asia/Tokio")
        assert not Trigger.objects.exists()

    def test_too_many_triggers_of_a_user_are_an_error_of_the_whole(
        self, administrator: Client, make_trigger: Make, settings: Any
    ) -> None:
        settings.MAX_TRIGGERS_PER_USER = 1
        make_trigger(user_id="alice")
        assert "You have 1 triggers" in errors_of(add(administrator, user_id="alice"))["__all__"][0]

    def test_stand_at_the_top_of_the_page(self, editor: Client, make_trigger: Make) -> None:
        page = change(editor, make_trigger(), timezone="Mars").content.decode()
        assert ("Please correct the error" in page, "Next runs" in page) == (True, False)


class TestChanging:
    def test_without_changes_writes_nothing(self, editor: Client, make_trigger: Make) -> None:
        config = {
            "expression": " cron(0 9 * * ? *)",
            "startDate": "2026-01-01T00:00:00+09:00",
            "endDate": "2099-01-01T00:00:00.123Z",
            "timezone": "Asia/Tokyo",
            "schedulerArn": "arn:aws:scheduler:...",
        }
        trigger = make_trigger(schedule_config=config, tags=["a"], enabled_tools=["b"])
        change(editor, trigger, expression=config["expression"].strip())
        trigger.refresh_from_db()
        assert trigger.schedule_config == {**config, "expression": config["expression"].strip()}

    def test_keeps_what_the_form_does_not_know(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger(schedule_config={**DAILY, "scheduleGroupName": "default"})
        change(editor, trigger, expression="rate(2 hours)")
        trigger.refresh_from_db()
        assert trigger.schedule_config == {
            "expression": "rate(2 hours)",
            "scheduleGroupName": "default",
        }

    def test_clearing_a_part_removes_it(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger(
            schedule_config={**DAILY, "timezone": "Asia/Tokyo", "endDate": "2099-01-01T00:00:00Z"}
        )
        change(editor, trigger, timezone="", end_date="")
        trigger.refresh_from_db()
        assert trigger.schedule_config == DAILY

    def test_dates_show_the_clock_of_the_zone(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger(
            schedule_config={**DAILY, "timezone": "Asia/Tokyo", "endDate": "2099-01-01T00:00:00Z"}
        )
        page = editor.get(f"{TRIGGERS}{trigger.pk}/change/").content.decode()
        assert 'value="2099-01-01T09:00:00"' in page

    @pytest.mark.parametrize(
        ("zone", "date"),
        [
            # The clock shows 01:30 twice on that day.
            ("Europe/London", "2099-10-25T01:30:00Z"),
            ("Asia/Tokyo", "9999-12-31T23:59:59Z"),
            ("America/New_York", "0001-01-01T00:00:00Z"),
        ],
    )
    def test_dates_that_a_clock_tells_badly_stay(
        self, editor: Client, make_trigger: Make, zone: str, date: str
    ) -> None:
        name = "endDate" if date > "2" else "startDate"
        config = {**DAILY, "timezone": zone, name: date}
        trigger = make_trigger(schedule_config=config)
        change(editor, trigger, name="Other")
        trigger.refresh_from_db()
        assert (trigger.name, trigger.schedule_config) == ("Other", config)

    @pytest.mark.parametrize("prompt", ["One.\nTwo.", "One.\r\nTwo.", "\nOne.\nTwo. \n"])
    def test_text_stays_though_browsers_send_other_line_ends(
        self, editor: Client, make_trigger: Make, prompt: str
    ) -> None:
        trigger = make_trigger(prompt=prompt)
        change(editor, trigger, name="Other", prompt="One.\r\nTwo.")
        trigger.refresh_from_db()
        assert (trigger.name, trigger.prompt) == ("Other", prompt)

    def test_new_text_has_lines_as_the_api_has_them(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        change(editor, trigger, prompt="One.\r\nTwo.")
        trigger.refresh_from_db()
        assert trigger.prompt == "One.\nTwo."

    def test_no_tools_at_all_is_not_the_agents_own(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger(enabled_tools=[])
        change(editor, trigger, name="Other")
        trigger.refresh_from_db()
        assert (trigger.name, trigger.enabled_tools) == ("Other", [])

    def test_what_cannot_be_read_can_be_mended(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        broken = {"expression": "cron(at(x))", "timezone": 7, "startDate": "soon"}
        Trigger.objects.update(schedule_config=broken)
        trigger.refresh_from_db()
        change(editor, trigger, expression="rate(1 hour)", timezone="")
        trigger.refresh_from_db()
        assert trigger.schedule_config == {"expression": "rate(1 hour)"}

    def test_what_has_ended_can_be_renamed(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        Trigger.objects.update(schedule_config={"expression": "at(2020-01-01T00:00:00)"})
        trigger.refresh_from_db()
        change(editor, trigger, name="Over")
        trigger.refresh_from_db()
        assert trigger.name == "Over"

    def test_enabling_forgives_the_failures(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger(enabled=False)
        Trigger.objects.update(consecutive_failures=3, paused_reason="Paused.")
        trigger.refresh_from_db()
        change(editor, trigger, enabled="on")
        trigger.refresh_from_db()
        assert (trigger.enabled, trigger.paused_reason) == (True, "")

    def test_its_own_form_makes_none(self, editor: Client, make_trigger: Make) -> None:
        page = editor.get(f"{TRIGGERS}{make_trigger().pk}/change/").content.decode()
        assert "_saveasnew" not in page

    @pytest.mark.parametrize(
        ("tools", "words"),
        [(None, "Empty: the agent's own."), ([], "Empty: none, as another program set it.")],
    )
    def test_what_no_tools_mean(
        self, editor: Client, make_trigger: Make, tools: Any, words: str
    ) -> None:
        trigger = make_trigger(enabled_tools=tools)
        assert words in editor.get(f"{TRIGGERS}{trigger.pk}/change/").content.decode()

    def test_a_viewer_may_not(self, viewer: Client, make_trigger: Make) -> None:
        assert change(viewer, make_trigger(), name="Other").status_code == 403


class TestConcurrency:
    def test_a_change_meanwhile_refuses_the_save(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine.")
        trigger.prompt = "Theirs."
        trigger.save()
        response = editor.post(f"{TRIGGERS}{trigger.pk}/change/", data)
        assert "differ in: Prompt." in errors_of(response)["__all__"][0]

    def test_the_input_is_still_there(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine, all mine.")
        trigger.name = "Theirs"
        trigger.save()
        response = editor.post(f"{TRIGGERS}{trigger.pk}/change/", data)
        assert "Mine, all mine." in response.content.decode()

    def test_a_second_save_overwrites(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine.")
        trigger.prompt = "Theirs."
        trigger.save()
        form = editor.post(f"{TRIGGERS}{trigger.pk}/change/", data).context["adminform"].form
        editor.post(f"{TRIGGERS}{trigger.pk}/change/", {**data, **form.data.dict()})
        trigger.refresh_from_db()
        assert trigger.prompt == "Mine."

    def test_a_save_that_came_too_late_goes_through_the_check_again(
        self, editor: Client, make_trigger: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine.")
        save = Trigger.save

        def late(self: Trigger, **options: Any) -> None:
            monkeypatch.undo()
            self.version -= 1
            save(self, **options)

        monkeypatch.setattr(Trigger, "save", late)
        Trigger.objects.update(version=2)
        data["opened_version"] = 2
        editor.post(f"{TRIGGERS}{trigger.pk}/change/", data)
        trigger.refresh_from_db()
        assert trigger.prompt == "Mine."

    @pytest.mark.sqlite
    def test_a_save_that_another_overtook_is_done_again(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        with overtaken("UPDATE", trigger.pk, times=1):
            editor.post(f"{TRIGGERS}{trigger.pk}/change/", form_data(trigger, prompt="Mine."))
        trigger.refresh_from_db()
        assert trigger.prompt == "Mine."

    @pytest.mark.sqlite
    def test_a_save_that_others_keep_overtaking_says_so(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine.")
        with overtaken("UPDATE", trigger.pk):
            shown = editor.post(f"{TRIGGERS}{trigger.pk}/change/", data, follow=True)
        assert "Nothing was saved: others are changing" in shown.content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_a_save_that_fails_at_its_end_claims_no_success(
        self, editor: Client, make_trigger: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse() -> None:
            raise ConflictError("TransactionCanceledException")

        trigger = make_trigger()
        data = form_data(trigger, prompt="Mine.")
        monkeypatch.setattr(connection, "commit", refuse)
        shown = editor.post(f"{TRIGGERS}{trigger.pk}/change/", data, follow=True)
        told = [message.level_tag for message in shown.context["messages"]]
        assert told == ["error"]

    def test_what_the_runner_notes_makes_no_form_stale(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        data = form_data(trigger, name="Other")
        Trigger.objects.update(consecutive_failures=1, last_status="failed")
        assert editor.post(f"{TRIGGERS}{trigger.pk}/change/", data).status_code == 302


class TestSchedulerRefusal:
    @pytest.fixture(autouse=True)
    def refusing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise SchedulerError("The quota of schedules is used up.")

        monkeypatch.setattr(LocalScheduler, "update", refuse)
        monkeypatch.setattr(LocalScheduler, "delete", refuse)

    def test_is_an_error_of_the_form(self, editor: Client, make_trigger: Make) -> None:
        response = change(editor, make_trigger(), expression="rate(2 hours)", name="Other")
        assert errors_of(response) == {"__all__": ["The quota of schedules is used up."]}

    def test_saves_nothing(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        change(editor, trigger, expression="rate(2 hours)", name="Other")
        trigger.refresh_from_db()
        assert (trigger.name, AuditEntry.objects.count()) == ("Report", 0)

    def test_of_a_deletion_deletes_nothing(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        url = f"{TRIGGERS}{trigger.pk}/delete/"
        assert (
            "Nothing was deleted" in editor.post(url, {"post": "yes"}, follow=True).content.decode()
        )

    def test_of_one_deletion_of_several_deletes_nothing(
        self, editor: Client, make_trigger: Make
    ) -> None:
        triggers = [make_trigger(), make_trigger()]
        data = {"action": "delete_selected", "post": "yes"}
        editor.post(TRIGGERS, {**data, "_selected_action": [each.pk for each in triggers]})
        assert Trigger.objects.count() == 2

    def test_of_an_action_is_told(self, editor: Client, make_trigger: Make) -> None:
        data = {"action": "disable", "_selected_action": make_trigger().pk}
        page = editor.post(TRIGGERS, data, follow=True).content.decode()
        assert "0 disabled, 1 could not be: Report: The quota of schedules is used up." in page
