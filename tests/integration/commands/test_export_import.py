"""Triggers and event sources as files: exported, reviewed, moved, imported."""

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import signing_keys
from events.buses import BusError, Rule
from events.buses.local import LocalBus
from events.models import EventSource
from moca.authentication.models import AuditEntry, Operator, Role
from moca.validation import ONE_LINE
from tests.integration.admin.conftest import signed_in
from tests.integration.api.conftest import API
from tests.integration.import_export.conftest import Table, trigger_item
from triggers.import_export.files import MAX_FILE_BYTES
from triggers.models import LocalSchedule, Trigger

MakeTrigger = Callable[..., Trigger]
on_dynamodb = pytest.mark.dynamodb


NOON = datetime(2026, 7, 1, 12, 0, 0, 123000, tzinfo=UTC)

# Texts that YAML may take for something else.
TRICKY = [
    *(
        "yes",
        "Off",
        "null",
        "~",
        "1e3",
        "0x1f",
        "1_000",
        "08",
        ".5",
        "12:30",
        "2027-01-31",
        "=",
        "<<",
    ),
    *(
        "- a",
        "a: b",
        "a:",
        "? a",
        "# a",
        "a #b",
        " a",
        "a ",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
    ),
    *(
        "'",
        '"',
        "\\",
        "{a}",
        "[a",
        "...",
        "---",
        "a\n---\nb",
        "a\n...\nb",
        "\ufeffa",
        "a\tb",
        "\ta",
    ),
    *("a\nb", "a\nb\n", "a\nb\n\n", "\na", " a\nb", "a \nb", "a\n b", "a\n  \nb", "a\r\nb", "a\rb"),
    *(
        "a\x85b",
        "a\n\x85b",
        "a\u2028b",
        "a\nb\u2029",
        "\n a",
        "\n",
        " \n ",
        "a\n\tb",
        "\U0001f600\nb",
        "\x7f",
    ),
]
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(
    st.sampled_from(TRICKY),
    st.text(ANY, max_size=30),
    st.lists(st.sampled_from([*TRICKY, " ", "\n", "word"]), max_size=6).map("".join),
)
FILLED = TEXTS.filter(lambda text: bool(text.strip()))
LINES = TEXTS.filter(lambda text: bool(ONE_LINE.match(text)))
NAMES = LINES.map(lambda text: text[:200]).filter(lambda text: bool(text.strip()))
PATTERNS = st.dictionaries(
    st.sampled_from(["yes", "on", "1", "1e3", "null", "~", "a b", "\u00e9", "detail-type", "a\nb"]),
    st.lists(st.one_of(TEXTS, st.integers(-1000, 1000), st.none(), st.booleans()), min_size=1),
    min_size=1,
    max_size=3,
)
COMMON: dict[str, Any] = {
    "name": NAMES,
    "agent_id": NAMES,
    "prompt": FILLED.filter(lambda text: "{{" not in text),
    "description": TEXTS,
    "model_id": LINES.map(lambda text: text[:200]),
    "reasoning_effort": st.sampled_from(["", "off", "max"]),
    "enabled": st.booleans(),
    "include_context": st.booleans(),
    "enabled_tools": st.none() | st.lists(LINES.filter(bool), max_size=3),
    "timeout_seconds": st.integers(10, 86_400),
    "overlap_policy": st.sampled_from(["skip", "allow"]),
    "max_retries": st.integers(0, 185),
    "pause_after_failures": st.none() | st.integers(1, 1000),
    "tags": st.lists(st.sampled_from(["yes", "1e3", "a: b", "\u00e9"]), unique=True),
    "created_at": st.integers(0, 2**40).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)),
}
SCHEDULES = st.fixed_dictionaries(
    {
        "expression": st.sampled_from(
            ["rate(1 hour)", "cron(0 9 * * ? *)", "at(2019-01-01T00:00:00)"]
        )
    },
    optional={
        "timezone": st.sampled_from(["UTC", "Asia/Tokyo"]),
        "endDate": st.just("2999-01-31T09:00:00Z"),
        "flexibleTimeWindowMinutes": st.integers(0, 1440),
    },
)
SUBSCRIPTIONS = st.fixed_dictionaries(
    {"eventPattern": PATTERNS},
    optional={"eventSourceId": st.just("orders"), "debounceSeconds": st.integers(0, 3600)},
)
TRIGGERS = st.one_of(
    st.fixed_dictionaries({**COMMON, "schedule_config": SCHEDULES}),
    st.fixed_dictionaries({**COMMON, "type": st.just("event"), "event_config": SUBSCRIPTIONS}),
)
SOURCES = st.fixed_dictionaries(
    {
        "name": COMMON["name"],
        "description": TEXTS,
        "icon": LINES.map(lambda text: text[:100]),
        "kind": st.sampled_from(["bus", "github"]),
        "pattern": PATTERNS,
    }
)


class File:
    """A file to export to and import from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = ""

    def export(self, *arguments: str) -> str:
        out, told = io.StringIO(), io.StringIO()
        call_command("export_triggers", *arguments, stdout=out, stderr=told)
        self.told = told.getvalue()
        self.path.write_text(out.getvalue(), encoding="utf-8", newline="\n")
        return out.getvalue()

    def load(self, *arguments: str) -> str:
        out, told = io.StringIO(), io.StringIO()
        try:
            call_command("import_triggers", str(self.path), *arguments, stdout=out, stderr=told)
        finally:
            self.told = told.getvalue()
        return out.getvalue()

    def faults(self, *arguments: str) -> list[str]:
        """What an import says is wrong, without the file's name."""
        with pytest.raises(CommandError) as caught:
            self.load(*arguments)
        lines = [*self.told.splitlines(), str(caught.value)]
        return [line.removeprefix(f"{self.path}:").strip() for line in lines]

    def write(self, value: Any) -> None:
        text = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
        self.path.write_text(text, encoding="utf-8", newline="\n")

    def change(self, **fields: Any) -> None:
        """Give the first trigger other values."""
        value = yaml.safe_load(self.path.read_text())
        value["triggers"][0] |= fields
        self.write(value)


@pytest.fixture
def file(tmp_path: Path, db: None) -> File:
    return File(tmp_path / "triggers.yaml")


@pytest.fixture
def table(db: None) -> Table:
    return Table()


class RefusingBus(LocalBus):
    def keep(self, rule: Rule) -> None:
        raise BusError("The bus is full.")


def spec(**fields: Any) -> dict[str, Any]:
    """A trigger as a person writes one."""
    values = {
        "userId": "alice",
        "name": "Report",
        "type": "schedule",
        "agentId": "reporter",
        "prompt": "Report.",
        "scheduleConfig": {"expression": "rate(1 hour)"},
    }
    return {name: value for name, value in (values | fields).items() if value is not None}


def make_source(**fields: Any) -> EventSource:
    source = EventSource(**{"id": "shop", "name": "Shop", "kind": "webhook", **fields})
    source.save()
    return source


def wipe() -> None:
    for row in [*Trigger.objects.all(), *EventSource.objects.all()]:
        row.delete()


class TestExport:
    def test_by_user_then_id(self, file: File, make_trigger: MakeTrigger) -> None:
        keys = [("bob", "b"), ("alice", "z"), ("bob", "a"), ("alice", "c")]
        for user_id, own in keys:
            make_trigger(id=own, user_id=user_id)
        found = yaml.safe_load(file.export())["triggers"]
        assert [(each["userId"], each["id"]) for each in found] == sorted(keys)

    def test_what_changes_by_itself_is_left_out(
        self, file: File, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        before = file.export()
        Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(
            version=7, last_executed_at=NOON, last_status="failed", skipped_runs=3, statistics="x"
        )
        assert file.export() == before

    def test_a_prompt_stands_as_it_is_written(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(prompt="First,  \n\tthen  \n\n- this: now \n")
        assert "  prompt: |\n    First,  \n    \tthen  \n\n    - this: now \n" in file.export()

    def test_a_long_line_stays_one(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(prompt="word " * 100 + "end")
        assert f"  prompt: {'word ' * 100}end\n" in file.export()

    def test_json_says_the_same(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(tags=["ä"], prompt="a\nb", enabled_tools=[])
        make_source()
        assert json.loads(file.export("--format", "json")) == yaml.safe_load(file.export())

    def test_nothing(self, file: File) -> None:
        assert file.export() == "eventSources: []\ntriggers: []\n"

    def test_nothing_as_json(self, file: File) -> None:
        assert json.loads(file.export("--format=json")) == {"eventSources": [], "triggers": []}

    def test_one_user_and_what_they_listen_to(self, file: File, make_trigger: MakeTrigger) -> None:
        make_source(id="mine")
        make_source(id="other")
        make_trigger()
        make_trigger(user_id="bob", type="event", event_config={"eventSourceId": "mine"})
        found = yaml.safe_load(file.export("--user", "bob"))
        named = [each["id"] for each in found["eventSources"]]
        assert (named, [each["userId"] for each in found["triggers"]]) == (["mine"], ["bob"])

    def test_secrets_are_left_out(self, file: File) -> None:
        make_source(secrets=signing_keys.seal("whsec_tell", NOON))
        assert "secret" not in file.export()
        assert "sealed" not in file.export()

    def test_sources_of_the_settings_are_left_out(self, file: File) -> None:
        assert "orders" not in file.export()
        assert "the settings have it: event source orders" in file.told

    @pytest.mark.parametrize(("seconds", "said"), [(10, None), (0, 0), (3600, 3600)])
    def test_replay_window_of_a_source(self, file: File, seconds: int, said: int | None) -> None:
        make_source(id="mine", kind="github", replay_seconds=seconds)
        (found,) = yaml.safe_load(file.export())["eventSources"]
        assert found.get("replayWindowSeconds") == said

    def test_to_a_file(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger()
        expected = file.export()
        file.export("--output", str(file.path.with_name("out.yaml")))
        assert file.path.with_name("out.yaml").read_text() == expected

    def test_a_file_of_json_is_known_by_its_name(self, file: File) -> None:
        file.export("--output", str(file.path.with_name("out.json")))
        assert json.loads(file.path.with_name("out.json").read_text())["triggers"] == []

    def test_to_where_nothing_can_be(self, file: File) -> None:
        with pytest.raises(CommandError, match="cannot be written: No such file"):
            file.export("--output", "/nowhere/at/all.yaml")

    @on_dynamodb
    def test_what_cannot_be_read_is_left_out_and_named(self, file: File, table: Table) -> None:
        table.put(trigger_item(id="broken", prompt=[1]))
        table.put(trigger_item(id="whole"))
        found = yaml.safe_load(file.export())["triggers"]
        assert [each["id"] for each in found] == ["whole"]
        assert "trigger broken" in file.told
        assert "prompt" in file.told

    @on_dynamodb
    def test_what_belongs_to_one_place_is_left_out(self, file: File, table: Table) -> None:
        table.put(trigger_item())
        assert "arn:aws" not in file.export()
        assert "legacyFlag" not in file.export()


class TestRoundTrip:
    @given(st.data())
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_export_import_export(self, file: File, data: st.DataObject) -> None:
        wipe()
        for fields in data.draw(st.lists(TRIGGERS, min_size=1, max_size=3)):
            trigger = Trigger(user_id="alice", **fields)
            trigger.save()
        for place, fields in enumerate(data.draw(st.lists(SOURCES, max_size=2))):
            make_source(id=f"s-{place}", **fields)
        arguments = data.draw(st.sampled_from([[], ["--format=json"]]))
        before = file.export(*arguments)
        wipe()
        file.load()
        assert file.export(*arguments) == before

    @pytest.mark.parametrize("text", ["a\n\n", "\ta\nb", "\n...", "-...", "a\n\x85", "\r\na"])
    def test_texts_that_end_or_begin_oddly(self, file: File, text: str) -> None:
        for name in ("one", "two"):
            make_source(id=name, kind="bus", pattern={"source": ["x", text]})
        before = file.export()
        wipe()
        file.load()
        assert file.export() == before
        assert EventSource.objects.get(pk="two").pattern == {"source": ["x", text]}

    def test_they_are_the_same_triggers(self, file: File, make_trigger: MakeTrigger) -> None:
        made = make_trigger(created_at=NOON, schedule_config={"expression": "rate(7 hours)"})
        runs = made.next_runs(NOON)
        file.export()
        wipe()
        file.load()
        found = Trigger.objects.get(user_id="alice", pk=made.pk)
        assert (found.created_at, found.next_runs(NOON)) == (NOON, runs)

    def test_the_file_of_the_documentation(self, file: File) -> None:
        page = Path(configured.BASE_DIR, "docs", "moving.md").read_text()
        example = page.partition("```yaml\n")[2].partition("```")[0]
        file.write(example)
        file.load()
        assert file.export() == example

    def test_what_is_there_is_left_alone(self, file: File, make_trigger: MakeTrigger) -> None:
        config = {"eventPattern": {"source": ["x"], "detail": {"b": [1], "a": [True]}}}
        trigger = make_trigger(type="event", event_config=config, schedule_config=None)
        make_source()
        file.export()
        assert file.load().startswith("2 unchanged\n")
        assert Trigger.objects.get(user_id="alice", pk=trigger.pk).version == 1
        assert not AuditEntry.objects.filter(actor="import_triggers").exists()

    def test_what_another_program_spoiled_is_left_alone(
        self, file: File, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        row = Trigger.objects.filter(user_id="alice", pk=trigger.pk)
        row.update(prompt="", session_id="short", schedule_config={"expression": "soon"})
        file.export()
        assert file.load().startswith("1 unchanged\n")


class TestImport:
    def test_a_new_one_is_on_record_and_scheduled(self, file: File) -> None:
        file.write({"triggers": [spec(id="t-1")]})
        assert file.load().splitlines()[0].split() == ["create", "trigger", "t-1", "'Report'"]
        assert Trigger.objects.get(user_id="alice", pk="t-1").prompt == "Report."
        assert LocalSchedule.objects.get(pk="t-1").next_run_at is not None
        entry = AuditEntry.objects.get(object_id="t-1")
        assert (entry.actor, "imported" in entry.reason) == ("import_triggers", True)

    def test_a_changed_one(self, file: File, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        due = LocalSchedule.objects.get(pk=trigger.pk).next_run_at
        file.export()
        file.change(prompt="Report twice.", scheduleConfig={"expression": "cron(7 3 * * ? *)"})
        assert file.load().splitlines()[0].endswith("prompt, scheduleConfig")
        row = Trigger.objects.get(user_id="alice", pk=trigger.pk)
        assert (row.prompt, row.version) == ("Report twice.", 2)
        assert LocalSchedule.objects.get(pk=trigger.pk).next_run_at != due
        changes = AuditEntry.objects.get(object_id=trigger.pk).changes
        assert changes["prompt"] == ["Report.", "Report twice."]

    def test_what_is_left_out_is_as_in_a_new_trigger(
        self, file: File, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(
            id="t-1",
            tags=["a"],
            max_retries=0,
            include_context=False,
            enabled_tools=[],
            schedule_config={"expression": "rate(1 hour)", "timezone": "Asia/Tokyo"},
        )
        file.write({"triggers": [spec(id="t-1")]})
        file.load()
        row = Trigger.objects.get(user_id="alice", pk="t-1")
        assert (row.tags, row.max_retries, row.include_context) == ([], 3, True)
        assert (row.enabled_tools, row.schedule_config) == (None, {"expression": "rate(1 hour)"})

    def test_a_disabled_one_is_not_enabled_for_want_of_a_line(
        self, file: File, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(id="t-1", enabled=False)
        file.write({"triggers": [spec(id="t-1", prompt="Other.")]})
        assert file.load().splitlines()[0].endswith("prompt, scheduleConfig")
        assert not Trigger.objects.get(user_id="alice", pk="t-1").enabled

    def test_an_enabled_one_forgets_its_failures(
        self, file: File, make_trigger: MakeTrigger
    ) -> None:
        make_trigger(id="t-1", enabled=False, paused_reason="Failed.", consecutive_failures=3)
        file.write({"triggers": [spec(id="t-1", enabled=True)]})
        file.load()
        row = Trigger.objects.get(user_id="alice", pk="t-1")
        assert (row.enabled, row.paused_reason, row.consecutive_failures) == (True, "", 0)

    def test_events_overlap_where_nothing_is_said(self, file: File) -> None:
        config = {"eventSourceId": "orders"}
        file.write([spec(id="t-1", type="event", scheduleConfig=None, eventConfig=config)])
        file.load()
        assert Trigger.objects.get(user_id="alice", pk="t-1").overlap_policy == "allow"
        assert file.load().startswith("1 unchanged")

    def test_what_is_not_in_the_file_stays(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger()
        file.write([spec(id="t-1")])
        file.load()
        assert Trigger.objects.of_user("alice").count() == 2

    def test_dry_run(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(id="t-1")
        make_trigger(id="t-2", schedule_config={"expression": "rate(1 hour)"})
        file.write([spec(id="t-1", enabled=False), spec(id="t-2"), spec(id="t-3")])
        assert [line.split() for line in file.load("--dry-run").splitlines()] == [
            ["update", "trigger", "t-1", "enabled,", "scheduleConfig"],
            ["create", "trigger", "t-3", "'Report'"],
            ["1", "to", "update,", "1", "to", "create,", "1", "unchanged"],
            ["Nothing", "was", "written."],
        ]
        assert not Trigger.objects.filter(user_id="alice", pk="t-3").exists()
        assert not AuditEntry.objects.exists()

    def test_another_user(self, file: File) -> None:
        file.write([spec(id="t-1")])
        file.load("--user", "bob")
        assert Trigger.objects.get(pk="t-1").user_id == "bob"

    def test_an_operators_name_stands_for_the_operator(self, file: File) -> None:
        operator = Operator.objects.create_operator("olga")
        file.write([spec(id="t-1")])
        file.load("--user", "olga")
        assert (Trigger.objects.get(pk="t-1").user_id, file.told) == (operator.subject, "")

    def test_an_id_that_nobody_has_is_warned_of(self, file: File) -> None:
        file.write([spec(id="t-1")])
        file.load("--user", "opreator")
        assert "no operator and no other trigger has the user id 'opreator'" in file.told

    def test_disabled(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(id="t-1")
        file.write([spec(id="t-1", enabled=True), spec(id="t-2")])
        file.load("--disabled")
        assert not Trigger.objects.filter(user_id="alice", enabled=True).exists()

    def test_standard_input(self, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
        text = json.dumps([spec(id="t-1")]).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        call_command("import_triggers", "-", stdout=io.StringIO())
        assert Trigger.objects.filter(user_id="alice", pk="t-1").exists()

    def test_one_that_will_never_fire_is_imported_with_a_warning(self, file: File) -> None:
        file.write([spec(id="t-1", scheduleConfig={"expression": "at(2020-01-01T00:00:00)"})])
        assert "1 created" in file.load()
        assert "never fires again" in file.told

    def test_what_the_api_tells(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(id="t-1")
        told = API("alice").get("/triggers").json()["triggers"]
        file.write(json.dumps({"triggers": told}))
        assert file.load().startswith("1 unchanged")


class TestWithoutIds:
    def test_from_the_page(self, file: File, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(prompt="a\nb ", tags=["yes"])
        file.write(signed_in(Role.VIEWER).get(f"/console/triggers/{trigger.pk}").context["yaml"])
        assert "1 created" in file.load("--user", "bob")
        assert Trigger.objects.get(user_id="bob").prompt == "a\nb "

    def test_there_is_no_second_that_says_the_same(self, file: File) -> None:
        file.write([spec(), spec()])
        assert "2 created" in file.load()
        assert "2 unchanged" in file.load()
        assert Trigger.objects.of_user("alice").count() == 2

    def test_one_that_says_something_else_is_another(self, file: File) -> None:
        file.write(spec())
        file.load()
        file.write(spec(prompt="Other."))
        assert "1 created" in file.load()

    def test_one_that_was_paused_is_not_doubled(self, file: File) -> None:
        file.write(spec(enabled=True))
        file.load()
        Trigger.objects.of_user("alice").update(enabled=False)
        assert "1 unchanged" in file.load()

    def test_nobody_to_have_it(self, file: File) -> None:
        file.write(spec(userId=None))
        assert "Give the id of the user, or --user." in file.faults()[0]


class TestFaults:
    def test_all_are_told_with_their_places(self, file: File) -> None:
        file.write(
            "triggers:\n"
            "- {id: t-1, userId: alice, name: One, type: schedule, agentId: a, prompt: p,\n"
            "   scheduleConfig: {expression: rate(1 hour)}}\n"
            "- id: t-2\n"
            "  userId: alice\n"
            "  name: 7\n"
            "  type: schedule\n"
            "  prompt: p\n"
            "  timeoutSeconds: 5\n"
            "  scheduleConfig:\n"
            "    expression: rate(1 hour)\n"
            "    timezone: Mars/Olympus\n"
        )
        assert file.faults() == [
            "4: trigger 2 '7': agentId: This is needed.",
            "6: trigger 2 '7': name: Give a text.",
            "9: trigger 2 '7': timeoutSeconds: Ensure this value is greater than or equal to 10.",
            "12: trigger 2 '7': scheduleConfig.timezone: This is not an IANA timezone name. Write "
            "one such as Asia/Tokyo or UTC.",
            "4 faults; nothing was imported.",
        ]
        assert not Trigger.objects.of_user("alice").exists()
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"promt": "x"}, "promt: There is no such field. Did you mean prompt?"),
            ({"scheduleConfig": {"expression": "rate(1 day)", "timeZone": "UTC"}}, "timezone?"),
            ({"id": "a b"}, "id: Give 1 to 36 letters, digits, - and _."),
            ({"id": 7}, "id: Give 1 to 36"),
            ({"userId": "u" * 129}, "userId: Ensure this value has at most 128"),
            ({"createdAt": "2026-01-01"}, "createdAt: Give a date and time with its offset"),
            ({"includeContext": "yes"}, "includeContext: Give true or false."),
            ({"prompt": "a\0b"}, "prompt: The text holds a NUL character"),
            ({"scheduleConfig": [1]}, "scheduleConfig: Give an object with some of expression"),
            ({"type": "event"}, "eventConfig.eventSourceId: Name the event source"),
            (
                {"type": "event", "eventConfig": {"eventSourceId": "shop"}},
                "eventConfig.eventSourceId: There is no event source 'shop'",
            ),
        ],
    )
    def test_of_a_trigger(self, file: File, fields: dict[str, Any], fault: str) -> None:
        file.write(json.dumps([spec(**fields)]))
        assert fault in file.faults()[0]

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"secrets": ["whsec_x"]}, "secrets: Secrets are set on the pages alone"),
            ({"kind": None}, "kind: This is needed."),
            ({"id": "Shop 1"}, "id: Give lower-case letters"),
            ({"name": ["x"]}, "name: Give a text."),
            ({"kind": "bus"}, "eventPattern: Give the pattern of its events"),
            ({"kind": "pigeon"}, "kind: Value 'pigeon' is not a valid choice."),
            ({"replayWindowSeconds": "5"}, "replayWindowSeconds: Give a whole number."),
            ({"replayWindowSeconds": True}, "replayWindowSeconds: Give a whole number."),
            ({"replayWindowSeconds": -1}, "replayWindowSeconds: Ensure this value is greater"),
            ({"replayWindowSeconds": 604_801}, "replayWindowSeconds: Ensure this value is less"),
            ({"eventBusName": "a b"}, "eventBusName: Give the name of an event bus"),
            ({"pattern": {"source": ["x"]}}, "pattern: There is no such field."),
        ],
    )
    def test_of_an_event_source(self, file: File, fields: dict[str, Any], fault: str) -> None:
        source = {"id": "shop", "name": "Shop", "kind": "webhook", **fields}
        wanted = {name: value for name, value in source.items() if value is not None}
        file.write({"eventSources": [wanted], "triggers": [spec()]})
        assert fault in file.faults()[0]
        assert not Trigger.objects.of_user("alice").exists()

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "There is nothing to import: give triggers and eventSources."),
            ("triggers: 7", "1: triggers is no list."),
            ("- a", "1: Number 1 of triggers is no map."),
            ("triggers: []\nmetadata: {}", "2: metadata is unknown here"),
            ("name: a\nname: b", "2: The key 'name' stands twice in one map."),
            ('{"name": "a", "name": "b"}', "The key 'name' stands twice in one map."),
            ("name: &a b\ntags: [*a]", "1: An alias refers to this"),
            ("triggers: &a [*a]", "1: An alias refers to this"),
            ("name: a\nprompt: !!python/name:os.system x", "2: The tag "),
            ("name: !!binary aGk=", "1: The tag "),
            ("eventConfig:\n  on: x", "2: This key is no text: put it in quotes."),
            ("name: a\n  b: c", "2: This is no YAML: mapping values are not allowed"),
            ("maxRetries: !!int x", "1: This cannot be read as int"),
            ("[" * 50_000, "nested deeper than 32 levels"),
            ('{"a":' * 50_000, "nested deeper than 32 levels"),
            ('{"a": NaN}', "NaN is no JSON."),
            ('{"a": ' + "9" * 5000 + "}", "too long a number"),
        ],
    )
    def test_of_the_file(self, file: File, text: str, fault: str) -> None:
        file.write(text)
        assert fault in file.faults()[-1]

    def test_not_utf_8(self, file: File) -> None:
        file.path.write_bytes(b"name: a\nprompt: \xff\n")
        assert file.faults() == ["2: The file is not UTF-8."]

    def test_too_large(self, file: File) -> None:
        with file.path.open("wb") as opened:
            opened.truncate(MAX_FILE_BYTES + 1)
        assert "The file has more than 64 MB" in file.faults()[0]

    def test_no_file(self, file: File) -> None:
        assert "cannot be read: No such file" in file.faults()[0]

    def test_the_same_id_twice(self, file: File) -> None:
        file.write([spec(id="t-1"), spec(id="t-2"), spec(id="t-1", userId="bob")])
        assert "3 'Report': id: Number 1 of the list has this id too." in file.faults()[0]

    def test_the_id_of_another_users(self, file: File, make_trigger: MakeTrigger) -> None:
        make_trigger(id="t-1")
        file.write([spec(id="t-1", userId="bob")])
        assert "id: The user alice has the trigger of this id" in file.faults()[0]

    def test_more_than_a_user_may_have(
        self, file: File, make_trigger: MakeTrigger, settings: Any
    ) -> None:
        settings.MAX_TRIGGERS_PER_USER = 2
        make_trigger(id="t-1")
        file.write([spec(id="t-1"), spec(id="t-2"), spec(id="t-3"), spec(userId="bob")])
        assert "trigger 3 'Report': userId: alice has 1 triggers and would" in file.faults()[0]


class TestRefusals:
    def test_what_listens_to_a_source_that_is_refused_waits_for_it(
        self, file: File, settings: Any
    ) -> None:
        settings.EVENT_BUS = f"{__name__}.RefusingBus"
        listening = spec(type="event", scheduleConfig=None, eventConfig={"eventSourceId": "shop"})
        source = {"id": "shop", "name": "Shop", "kind": "webhook"}
        file.write({"eventSources": [source], "triggers": [listening, spec(id="t-1")]})
        assert file.faults()[-1].startswith("2 could not be written; see above.")
        assert [row.pk for row in Trigger.objects.of_user("alice")] == ["t-1"]
        settings.EVENT_BUS = "events.buses.local.LocalBus"
        assert "2 created, 1 unchanged" in file.load()


class TestReading:
    def test_a_time_is_a_text(self, file: File) -> None:
        file.write(
            "id: t-1\nuserId: alice\nname: Report\ntype: schedule\nagentId: a\nprompt: p\n"
            "createdAt: 2026-01-31T09:00:00Z\n"
            "scheduleConfig: {expression: rate(1 day), startDate: 2027-01-31T09:00:00Z}\n"
        )
        file.load()
        row = Trigger.objects.get(user_id="alice", pk="t-1")
        assert row.created_at == datetime(2026, 1, 31, 9, tzinfo=UTC)
        assert row.schedule_config["startDate"] == "2027-01-31T09:00:00Z"

    @pytest.mark.parametrize("written", ["a\u2028b\x85\tc", "\U0001f600", "1e5"])
    @pytest.mark.parametrize("is_ascii", [True, False])
    def test_json_is_read_as_json(self, file: File, written: str, *, is_ascii: bool) -> None:
        file.write(json.dumps(spec(id="t-1", prompt=written), ensure_ascii=is_ascii, indent="\t"))
        file.load()
        assert Trigger.objects.get(user_id="alice", pk="t-1").prompt == written


class TestEventSources:
    def test_is_made_before_what_listens_to_it(self, file: File, make_trigger: MakeTrigger) -> None:
        make_source(pattern={"detail": {"x": [1]}}, secrets=signing_keys.seal("s", NOON))
        config = {"eventSourceId": "shop"}
        make_trigger(type="event", event_config=config, schedule_config=None)
        file.export()
        wipe()
        report = file.load()
        assert [line.split()[1] for line in report.splitlines()[:2]] == ["event", "trigger"]
        assert "Without a secret, and so without events: shop." in report
        assert EventSource.objects.get(pk="shop").secrets == []

    def test_describes_its_sender(self, file: File) -> None:
        options = {"header": "X-Acme-Signature", "split": " ", "tolerance": 60}
        make_source(kind="hmac", options=options)
        file.export()
        wipe()
        file.load()
        assert EventSource.objects.get(pk="shop").options == options

    def test_description_that_is_wrong_is_named(self, file: File) -> None:
        source = {"id": "app", "name": "App", "kind": "hmac", "options": {"header": "x y"}}
        file.write({"eventSources": [source]})
        with pytest.raises(CommandError):
            file.load()
        assert "options: header: Give the name of a header" in file.told

    def test_keeps_its_secrets(self, file: File) -> None:
        make_source(secrets=signing_keys.seal("s", NOON))
        file.write({"eventSources": [{"id": "shop", "name": "Other", "kind": "webhook"}]})
        report = file.load()
        row = EventSource.objects.get(pk="shop")
        assert (row.name, row.active_secrets(NOON)) == ("Other", ["s"])
        assert "secret" not in report
        assert AuditEntry.objects.get(object_id="shop").changes == {"name": ["Shop", "Other"]}

    def test_one_of_the_settings_is_passed_over(self, file: File) -> None:
        file.write({"eventSources": [{"id": "orders", "name": "Mine", "kind": "webhook"}]})
        assert file.load().startswith("0 unchanged")
        assert "event source 1 'Mine': The settings have it: it is passed over." in file.told

    def test_one_of_a_bus_needs_no_secret(self, file: File) -> None:
        pattern = {"source": ["my.app"]}
        source = {"id": "app", "name": "App", "kind": "bus", "eventPattern": pattern}
        file.write({"eventSources": [source]})
        assert "secret" not in file.load()
        assert EventSource.objects.get(pk="app").pattern == pattern
