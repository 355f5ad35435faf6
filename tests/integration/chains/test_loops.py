"""Loops of triggers are found before they are saved: by the API, the forms and imports."""

import io
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from tests.integration.admin.conftest import editor
from tests.integration.api.conftest import API, VALID, alice
from tests.integration.chains.conftest import Make, after, pattern
from triggers import services
from triggers.models import Trigger

__all__ = ["alice", "editor"]

# Tests that patterns only name the names of triggers, which files have without ids.
NAMES = {"source": ["moca.triggers"]}


def by_name(*names: Any) -> dict[str, Any]:
    return {"eventPattern": {**NAMES, "detail": {"triggerName": list(names)}}}


def body(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {**VALID, "name": name, "type": "event", "scheduleConfig": None, "eventConfig": config}


def refusal(answer: Any) -> str:
    found = answer.json().get("details", [{}])
    return f"{answer.status_code} {found[0].get('field')}: {found[0].get('message')}"


class TestAPI:
    def test_a_trigger_that_hears_itself(self, alice: API) -> None:
        answer = alice.post("/triggers", body("Echo", {"eventPattern": NAMES}))
        assert refusal(answer) == (
            "400 eventConfig.eventPattern: This would be a loop: the end of each run of Echo would "
            "start its next run. Name in detail.triggerId the triggers whose runs it is to follow, "
            "or leave those of the loop out, such as by "
            '{"detail": {"triggerName": [{"anything-but": "Echo"}]}}.'
        )

    def test_which_leaves_itself_out(self, alice: API) -> None:
        config = by_name({"anything-but": "Echo"})
        assert alice.post("/triggers", body("Echo", config)).status_code == 201

    def test_two_triggers_are_named(self, alice: API) -> None:
        alice.post("/triggers", body("Two", by_name("One")))
        answer = alice.post("/triggers", body("One", by_name("Two")))
        assert "in which each run starts the next one: One → Two → One." in refusal(answer)

    def test_three_triggers(self, alice: API) -> None:
        alice.post("/triggers", body("Two", by_name("One")))
        alice.post("/triggers", body("Three", by_name("Two")))
        answer = alice.post("/triggers", body("One", by_name("Three")))
        assert "One → Two → Three → One" in refusal(answer)

    def test_a_chain_is_none(self, alice: API) -> None:
        alice.post("/triggers", body("Two", by_name("One")))
        assert alice.post("/triggers", body("One", by_name("Zero"))).status_code == 201

    def test_of_results_that_exclude_each_other(self, alice: API) -> None:
        """A pattern of a kind and an outcome that never go together hears nothing."""
        config = {
            "eventPattern": {
                **NAMES,
                "detail-type": ["Execution Completed"],
                "detail": {"outcome": ["timed_out"]},
            }
        }
        assert alice.post("/triggers", body("Echo", config)).status_code == 201

    def test_by_a_changed_name(self, alice: API) -> None:
        alice.post("/triggers", body("Two", by_name("One")))
        made = alice.post("/triggers", body("Zero", by_name("Two"))).json()["trigger"]
        answer = alice.patch(f"/triggers/{made['id']}", {"name": "One"})
        assert "One → Two → One" in refusal(answer)

    def test_by_a_changed_tag(self, alice: API) -> None:
        config = {"eventPattern": {**NAMES, "detail": {"tags": ["a"]}}}
        made = alice.post("/triggers", body("Echo", config)).json()["trigger"]
        answer = alice.patch(f"/triggers/{made['id']}", {"tags": ["a"]})
        assert "hears" in refusal(answer) or "This would be a loop" in refusal(answer)

    def test_not_with_those_of_another_user(self, alice: API, make_trigger: Make) -> None:
        make_trigger(name="Two", user_id="bob", **{**after(), "event_config": by_name("One")})
        assert alice.post("/triggers", body("One", by_name("Two"))).status_code == 201


class TestOthers:
    def test_enabling(self, make_trigger: Make) -> None:
        one = make_trigger(name="One")
        two = make_trigger(name="Two", **after(one))
        # Another program has written the row.
        config = {"eventPattern": pattern(two)}
        Trigger.objects.filter(user_id=one.user_id, pk=one.pk).update(
            type="event", event_config=config, enabled=False
        )
        with pytest.raises(ValidationError, match="This would be a loop"):
            services.enable(Trigger.objects.get(pk=one.pk), by="ann")

    def test_the_form(self, editor: Client) -> None:
        fields = {
            "name": "Echo",
            "type": "event",
            "agent_id": "clerk",
            "prompt": "Look.",
            "event_pattern": json.dumps(NAMES),
            "timeout_seconds": "600",
            "max_retries": "3",
            "answer_within_hours": "72",
        }
        answer = editor.post(reverse("console:new"), fields)
        assert "This would be a loop" in answer.content.decode()

    def test_an_import_of_both(self, db: None, tmp_path: Any) -> None:
        shared = {"userId": "alice", "agentId": "a", "prompt": "Go.", "type": "event"}
        triggers = [
            {**shared, "name": "One", "eventConfig": by_name("Two")},
            {**shared, "name": "Two", "eventConfig": by_name("One")},
        ]
        file = tmp_path / "triggers.json"
        file.write_text(json.dumps({"triggers": triggers}))
        said = io.StringIO()
        with pytest.raises(CommandError, match="nothing was imported"):
            call_command("import_triggers", str(file), stderr=said)
        assert "eventConfig.eventPattern: This would be a loop" in said.getvalue()
