"""`export` and `import`, in the format of the server's own commands."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.integration.client.conftest import CommandLine, code_and_error
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]
ENTRY = """\
triggers:
- name: Weekday report
  type: schedule
  agentId: reporter
  prompt: |
    Write a report.
    Leave out what is done.
  scheduleConfig:
    expression: cron(0 9 ? * MON-FRI *)
    timezone: Asia/Tokyo
"""


def exported_by_the_server(*options: str) -> str:
    out = StringIO()
    call_command("export_triggers", "--user", "alice", *options, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_export_is_what_the_server_exports(
    moca: CommandLine, make_trigger: MakeTrigger, kind: str
) -> None:
    make_trigger(
        prompt="First.\n\n\tSecond. \n",
        tags=["a", "b"],
        enabled_tools=[],
        output_checks={"contains": ["b", "a"], "notEmpty": True},
        max_cost_per_run=0.5,
        schedule_config={"expression": "rate(5 minutes)", "flexibleTimeWindowMinutes": 5},
    )
    make_trigger(
        name="Orders \u00e9",
        type="event",
        schedule_config=None,
        event_config={"eventPattern": {"source": ["b"], "detail": {"z": [1], "a": [None]}}},
    )
    make_trigger(user_id="bob")
    own = moca("export", "--format", kind).stdout
    theirs = exported_by_the_server("--format", kind)
    assert own.partition("triggers")[2] == theirs.partition("triggers")[2]


def test_export_writes_a_file(moca: CommandLine, make_trigger: MakeTrigger, tmp_path: Path) -> None:
    make_trigger()
    moca("export", "--output", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text().startswith('{\n  "triggers": [')


def test_export_names_a_file_that_cannot_be_written(moca: CommandLine) -> None:
    assert code_and_error(moca("export", "--output", "/nowhere/a.yaml")) == (
        2,
        "Error: /nowhere/a.yaml cannot be written: No such file or directory.",
    )


def test_export_of_a_tag(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger(name="With", tags=["daily"])
    make_trigger(name="Without")
    exported = moca("export", "--tag", "daily").stdout
    assert ("With\n" in exported, "Without" in exported) == (True, False)


def test_what_was_exported_changes_nothing(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger(tags=["a"], enabled_tools=[], description="Daily.")
    done = moca("import", "-", given=moca("export").stdout)
    assert code_and_error(done) == (0, "1 unchanged.")


def test_the_servers_export_changes_nothing(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert code_and_error(moca("import", "-", given=exported_by_the_server())) == (
        0,
        "1 unchanged.",
    )


def test_import_creates(moca: CommandLine) -> None:
    moca("import", "-", given=ENTRY)
    made = Trigger.objects.get()
    zone = made.schedule_config["timezone"]
    assert (made.user_id, made.name, zone) == ("alice", "Weekday report", "Asia/Tokyo")


def test_import_twice_creates_once(moca: CommandLine) -> None:
    moca("import", "-", given=ENTRY)
    moca("import", "-", given=ENTRY)
    assert Trigger.objects.count() == 1


def test_dry_run_prints_the_difference_alone(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="First.\nSecond.", max_retries=1)
    changed = moca("export").stdout.replace("Second.", "Third.").replace("Retries: 1", "Retries: 2")
    shown = moca("import", "--dry-run", "-", given=changed).stdout.splitlines()
    trigger.refresh_from_db()
    assert (shown, trigger.version) == (
        [
            f"update 'Report' ({trigger.pk})",
            "    prompt:",
            "      First.",
            "  -   Second.",
            "  +   Third.",
            "  - maxRetries: 1",
            "  + maxRetries: 2",
        ],
        1,
    )


def test_dry_run_has_the_server_read_schedules(moca: CommandLine) -> None:
    wrong = ENTRY.replace("MON-FRI", "MON-FUN")
    assert moca("import", "--dry-run", "-", given=wrong).returncode == 4


def test_import_clears_what_the_file_leaves_out(
    moca: CommandLine, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(
        description="Old.",
        schedule_config={"expression": "rate(5 minutes)", "flexibleTimeWindowMinutes": 5},
    )
    lines = moca("export").stdout.splitlines(keepends=True)
    kept = "".join(each for each in lines if "description" not in each and "flexible" not in each)
    moca("import", "-", given=kept)
    trigger.refresh_from_db()
    assert (trigger.description, trigger.schedule_config) == (
        "",
        {"expression": "rate(5 minutes)"},
    )


def test_import_by_name_changes_the_trigger_of_its_name(
    moca: CommandLine, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(name="Weekday report")
    moca("import", "--by-name", "-", given=ENTRY)
    trigger.refresh_from_db()
    assert trigger.prompt == "Write a report.\nLeave out what is done.\n"


def test_import_leaves_other_users_alone(moca: CommandLine, make_trigger: MakeTrigger) -> None:
    given = ENTRY.replace("- name", "- userId: bob\n  name")
    done = moca("import", "-", given=given)
    assert (done.returncode, "Pass --take-over" in done.stderr) == (2, True)


def test_import_takes_over_what_is_asked(moca: CommandLine) -> None:
    given = ENTRY.replace("- name", "- userId: bob\n  name")
    moca("import", "-", "--take-over", "--disabled", given=given)
    made = Trigger.objects.get()
    assert (made.user_id, made.enabled) == ("alice", False)


def test_import_goes_on_after_a_refusal(moca: CommandLine) -> None:
    wrong = ENTRY.replace("MON-FRI", "MON-FUN") + ENTRY.partition("\n")[2].replace("report", "list")
    done = moca("import", "-", given=wrong)
    assert (code_and_error(done), Trigger.objects.get().name) == (
        (4, "1 created, 1 refused, 0 unchanged."),
        "Weekday list",
    )


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("", "There is nothing to import: give triggers."),
        ("triggers: [1]", "Trigger 1 is no map of fields."),
        (
            "triggers: [{name: A, typ: b}]",
            "Trigger 1 'A': typ is no field of a trigger: leave it out.",
        ),
        ("triggers: [{name: A}]", "Trigger 1 'A': type is missing: give it."),
        ("a: &x 1\nb: *x", "Line 1: An alias refers to this: write the value out in each place."),
        ("name: A\nname: B", "Line 2: The key 'name' stands twice in one map."),
        ('{"name": "A", "name": "B"}', "A key stands twice in one map of the file: keep one"),
        (
            "a: !!python/object:os.system b",
            "The tag tag:yaml.org,2002:python/object:os.system is not",
        ),
        ("a: [", "The file is no YAML"),
    ],
)
def test_import_names_what_is_wrong_in_the_file(moca: CommandLine, given: str, error: str) -> None:
    done = moca("import", "-", given=given)
    assert (done.returncode, error in done.stderr) == (2, True)
