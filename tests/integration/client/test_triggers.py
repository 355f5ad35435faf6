"""`list`, `show`, `create`, `delete`, `enable`, `disable`, `pause`, `resume` and `schedule`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import make_many
from tests.integration.client.conftest import CommandLine, code_and_error
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]
NEVER = "00000000-0000-7000-8000-000000000000"


def test_list_shows_what_fires_when(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger(schedule_config={"expression": "0 9 ? * MON-FRI *", "timezone": "Asia/Tokyo"})
    columns = moca("list").stdout.splitlines()[1].split("  ")
    assert [each.strip() for each in columns if each][1:4] == [
        "Report",
        "on",
        "At 09:00 on weekdays, Tokyo time",
    ]


def test_list_has_no_colours_in_a_pipe(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert "\x1b" not in moca("list", FORCE_COLOR="", TERM="xterm-256color").stdout


def test_list_reads_all_pages(moca: CommandLine, db: None) -> None:
    make_many(130, user_id="alice")
    assert len(json.loads(moca("list", "--json").stdout)) == 130


def test_list_is_of_ones_own(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger(user_id="bob")
    assert json.loads(moca("list", "--json").stdout) == []


def test_list_stops_at_its_limit(moca: CommandLine, db: None) -> None:
    make_many(5, user_id="alice")
    assert len(json.loads(moca("list", "--json", "--limit", 2).stdout)) == 2


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--search", "weekly"], ["Weekly"]),
        (["--disabled"], ["Off"]),
        (["--type", "event"], []),
    ],
)
def test_list_filters(
    moca: CommandLine, make_trigger: MakeTrigger, options: list[str], names: list[str]
) -> None:
    make_trigger(name="Weekly")
    make_trigger(name="Off", enabled=False)
    found = json.loads(moca("list", "--json", *options).stdout)
    assert [each["name"] for each in found] == names


def test_show_finds_a_trigger_by_its_name(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(name="Morning report")
    assert json.loads(moca("show", "morning report", "--json").stdout)["id"] == trigger.pk


def test_show_tells_the_prompt(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count the orders.")
    assert "prompt     Count the orders." in moca("show", trigger.pk).stdout.replace(
        "  " * 3, "     "
    )


def test_show_makes_control_characters_visible(
    moca: CommandLine, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(prompt="Count\x9b31m the orders.")
    assert "Count\ufffd31m the orders." in moca("show", trigger.pk).stdout


@pytest.mark.parametrize("name", ["nothing", NEVER, "a/../b", "?"])
def test_an_unknown_trigger_is_refused(moca: CommandLine, name: str) -> None:
    assert code_and_error(moca("show", name)) == (
        4,
        f"Error: You have no trigger with the id or the name {name!r}: see `moca-triggers list`.",
    )


def test_another_users_trigger_is_unknown(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    assert moca("show", make_trigger(user_id="bob").pk).returncode == 4


def test_a_name_of_two_triggers_is_no_name(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger()
    make_trigger()
    code, error = code_and_error(moca("run", "Report"))
    assert (code, error[:45]) == (2, "Error: 2 triggers have the name 'Report': nam")


def test_create_makes_a_trigger(moca: CommandLine) -> None:
    moca(
        *("create", "--name", "Daily", "--agent", "demo", "--prompt-file", "-", "--tag", "a"),
        *("--schedule", "cron(0 9 * * ? *)", "--timezone", "Asia/Tokyo", "--disabled"),
        given="Report.\n",
    )
    made = Trigger.objects.get(name="Daily")
    assert (
        made.user_id,
        made.prompt,
        made.enabled,
        made.tags,
        made.schedule_config["timezone"],
    ) == (
        "alice",
        "Report.\n",
        False,
        ["a"],
        "Asia/Tokyo",
    )


def test_create_names_the_field_and_what_is_meant(moca: CommandLine) -> None:
    done = moca(
        *("create", "--name", "Daily", "--agent", "demo", "--prompt", "Report."),
        *("--schedule", "0 9 * * ?", "--timezone", "Tokyo"),
    )
    assert code_and_error(done) == (
        4,
        "Error: scheduleConfig.timezone: This is not an IANA timezone name. Did you mean "
        "Asia/Tokyo?",
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "Error: Give either --schedule or --source."),
        (["--schedule", "a", "--source", "b"], "Error: Give either --schedule or --source."),
        (["--source", "b", "--timezone", "UTC"], "Error: Only a schedule has a --timezone."),
        (["--source", "b", "--prompt-file", "-"], "Error: Give either --prompt or --prompt-file."),
    ],
)
def test_create_refuses_options_that_contradict(
    moca: CommandLine, options: list[str], error: str
) -> None:
    done = moca("create", "--name", "A", "--agent", "a", "--prompt", "Do.", *options)
    assert code_and_error(done) == (2, error)


def test_delete_asks_first(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    done = moca("delete", trigger.pk)
    assert (code_and_error(done), Trigger.objects.count()) == (
        (2, "Error: Nobody can be asked here: confirm with --yes."),
        1,
    )


def test_delete_deletes(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    moca("delete", make_trigger().pk, "--yes")
    assert Trigger.objects.count() == 0


@pytest.mark.parametrize(
    ("command", "before", "said"),
    [
        ("enable", False, "'Report' is on."),
        ("disable", True, "'Report' is off."),
        ("pause", True, "'Report' is paused."),
        ("resume", True, "'Report' is on."),
    ],
)
def test_state_of_a_trigger_changes(
    moca: CommandLine, make_trigger: MakeTrigger, command: str, before: bool, said: str
) -> None:
    trigger = make_trigger(enabled=before)
    assert code_and_error(moca(command, trigger.pk)) == (0, said)


def test_pause_has_an_end_and_a_note(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    made = moca("pause", make_trigger().pk, "--until", "2h", "--note", "Moving.", "--json")
    found: dict[str, Any] = json.loads(made.stdout)
    assert (found["pauseNote"], "pausedUntil" in found) == ("Moving.", True)


def test_pause_refuses_a_moment_that_it_cannot_read(
    moca: CommandLine, make_trigger: MakeTrigger
) -> None:
    code, error = code_and_error(moca("pause", make_trigger().pk, "--until", "soon"))
    assert (code, error[:13]) == (4, "Error: until:")


def test_schedule_reads_english_with_its_place(moca: CommandLine) -> None:
    found = json.loads(moca("schedule", "--json", "every weekday at 9 in Tokyo").stdout)
    assert [(each["expression"], each["timezone"], each["description"]) for each in found] == [
        ("cron(0 9 ? * MON-FRI *)", "Asia/Tokyo", "At 09:00 on weekdays, Tokyo time")
    ]


def test_schedule_shows_the_next_runs_by_the_zones_clock(moca: CommandLine) -> None:
    shown = moca("schedule", "cron(0 9 * * ? *)", "--timezone", "Asia/Tokyo", "--count", 3).stdout
    assert shown.count(" 09:00:00+09:00") == 3


def test_schedule_shows_all_that_is_meant(moca: CommandLine) -> None:
    assert "'0 9 1 * MON' may mean 2 schedules:" in moca("schedule", "0 9 1 * MON").stderr


def test_schedule_refuses_what_means_nothing(moca: CommandLine) -> None:
    code, error = code_and_error(moca("schedule", "whenever"))
    assert (code, error[:18]) == (4, "Error: expression:")
