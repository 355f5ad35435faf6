"""Which event buses sources and triggers may listen to, and who may have a pattern of their own."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from events.models import EventSource
from tests.integration.admin.conftest import editor
from tests.integration.api.conftest import API, VALID, alice
from triggers.models import Trigger

__all__ = ["alice", "editor"]

# It takes each event of the bus.
ALL = {"source": [{"prefix": ""}]}
MakeTrigger = Callable[..., Trigger]


def body(**config: Any) -> dict[str, Any]:
    return {**VALID, "type": "event", "scheduleConfig": None, "eventConfig": config}


def refusals(answer: Any) -> list[tuple[str, str]]:
    return [(one["field"], one["message"]) for one in answer.json().get("details", [])]


@pytest.fixture
def own(db: None) -> MakeTrigger:
    """A trigger that listens to a bus by a pattern; made past the rules, as before they were."""

    def make(**config: Any) -> Trigger:
        made = Trigger(
            user_id="alice",
            name="Own",
            type="event",
            agent_id="clerk",
            prompt="Look.",
            event_config={"eventPattern": ALL, **config},
        )
        made.save()
        return made

    return make


class TestBuses:
    def test_other_buses_are_refused_with_the_remedy(self, alice: API) -> None:
        answer = alice.post("/triggers", body(eventPattern=ALL, eventBusName="audit"))
        assert (answer.status_code, refusals(answer)) == (
            400,
            [
                (
                    "eventConfig.eventBusName",
                    "The event bus audit is not open to triggers: use one of default, or have "
                    "EVENT_BUSES name this one too.",
                )
            ],
        )

    @pytest.mark.parametrize("buses", [["audit", "shop"], ["*"]])
    def test_those_of_the_settings_are_open(
        self, alice: API, settings: Any, buses: list[str]
    ) -> None:
        settings.EVENT_BUSES = buses
        answer = alice.post("/triggers", body(eventPattern=ALL, eventBusName="audit"))
        assert answer.status_code == 201

    @pytest.mark.parametrize("config", [{}, {"eventBusName": "default"}])
    def test_the_bus_of_the_installation_is_open(self, alice: API, config: Any) -> None:
        assert alice.post("/triggers", body(eventPattern=ALL, **config)).status_code == 201

    def test_a_change_is_refused_too(self, alice: API, own: MakeTrigger) -> None:
        made = own()
        answer = alice.patch(f"/triggers/{made.pk}", {"eventConfig": {"eventBusName": "audit"}})
        assert [field for field, _ in refusals(answer)] == ["eventConfig.eventBusName"]

    def test_what_was_there_before_can_be_edited(self, alice: API, own: MakeTrigger) -> None:
        made = own(eventBusName="audit")
        change = {"name": "New", "eventConfig": {"eventPattern": {"source": ["x"]}}}
        assert alice.patch(f"/triggers/{made.pk}", change).status_code == 200

    def test_a_file_is_refused_too(
        self, db: None, tmp_path: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        trigger: dict[str, Any] = {"userId": "alice", "name": "Own", "type": "event"}
        trigger |= {"agentId": "a", "prompt": "Look."}
        trigger["eventConfig"] = {"eventPattern": ALL, "eventBusName": "audit"}
        file = tmp_path / "triggers.json"
        file.write_text(json.dumps({"triggers": [trigger]}))
        with pytest.raises(CommandError, match="nothing was imported"):
            call_command("import_triggers", str(file))
        told = capsys.readouterr().err
        assert "eventConfig.eventBusName: The event bus audit is not open to triggers" in told

    def test_sources_are_kept_to_them_too(self, editor: Client) -> None:
        entered = {"id": "audit", "name": "Audit", "kind": "bus", "pattern": '{"source": ["a"]}'}
        form = editor.post("/console/events/new", {**entered, "bus_name": "audit"}).context["form"]
        assert (dict(form.errors), EventSource.objects.count()) == (
            {"bus_name": ["Use one of default, or have EVENT_BUSES name this one too."]},
            0,
        )

    def test_source_of_another_bus_stays(self, db: None) -> None:
        EventSource(id="audit", name="A", kind="bus", pattern=ALL, bus_name="audit").save()
        made = EventSource.objects.get()
        made.name = "B"
        made.clean()

    def test_odd_names_are_found_at_the_start(self, settings: Any) -> None:
        settings.EVENT_BUSES = ["a bus"]
        with pytest.raises(Exception, match="EVENT_BUSES has 'a bus'"):
            call_command("check")


class TestUsers:
    @pytest.fixture(autouse=True)
    def only_bob(self, settings: Any) -> None:
        settings.EVENT_PATTERN_USERS = ["bob"]

    def test_others_are_refused_with_the_remedy(self, alice: API) -> None:
        answer = alice.post("/triggers", body(eventPattern=ALL))
        assert (answer.status_code, refusals(answer)) == (
            400,
            [
                (
                    "eventConfig.eventPattern",
                    "A trigger of this user may not listen to an event bus by a pattern alone: "
                    "name an event source in eventSourceId, or have EVENT_PATTERN_USERS name the "
                    "user.",
                )
            ],
        )

    def test_those_of_the_setting_may(self, db: None) -> None:
        assert API("bob").post("/triggers", body(eventPattern=ALL)).status_code == 201

    def test_a_pattern_that_narrows_a_source_is_no_such_pattern(self, alice: API) -> None:
        EventSource(id="shop", name="Shop").save()
        config = {"eventPattern": ALL, "eventSourceId": "shop"}
        made = alice.post("/triggers", body(**config)).json()["trigger"]
        # Nor does it become one.
        answer = alice.patch(f"/triggers/{made['id']}", {"eventConfig": {"eventSourceId": None}})
        assert [field for field, _ in refusals(answer)] == ["eventConfig.eventPattern"]

    def test_what_was_there_before_can_be_edited(self, alice: API, own: MakeTrigger) -> None:
        change = {"eventConfig": {"eventPattern": {"source": ["x"]}}}
        assert alice.patch(f"/triggers/{own().pk}", change).status_code == 200

    def test_operators_may_not_give_it_to_others(self, db: None) -> None:
        made = Trigger(user_id="alice", name="x", type="event", agent_id="a", prompt="p")
        made.event_config = {"eventPattern": ALL}
        with pytest.raises(ValidationError, match="may not listen to an event bus"):
            made.clean()
