"""MIN_INTERVAL_MINUTES holds at each door, for schedules that are new or changed."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.test import Client

from moca.authentication.models import Operator
from tests.integration.admin.conftest import TRIGGERS, errors_of, form_data
from tests.integration.api.conftest import API, VALID
from tests.integration.api.test_editions import API2026
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]
OFTEN = {"expression": "rate(5 minutes)"}
TOO_OFTEN = {**VALID, "scheduleConfig": OFTEN}


@pytest.fixture(autouse=True)
def floor(settings: Any, db: None) -> None:
    settings.MIN_INTERVAL_MINUTES = 10


@pytest.fixture
def often(make_trigger: MakeTrigger, settings: Any) -> Trigger:
    """A trigger from before the limit."""
    settings.MIN_INTERVAL_MINUTES = 0
    made = make_trigger(schedule_config=OFTEN)
    settings.MIN_INTERVAL_MINUTES = 10
    return made


@pytest.fixture
def alice() -> API:
    return API("alice")


class TestAPI:
    def test_a_new_trigger(self, alice: API) -> None:
        [fault] = alice.post("/triggers", TOO_OFTEN).json()["details"]
        assert (fault["field"], fault["code"], "at least 10 min" in fault["message"]) == (
            "scheduleConfig.expression",
            "interval",
            True,
        )

    def test_for_the_frontend_of_2026(self) -> None:
        answer = API2026("alice").post("/triggers", TOO_OFTEN)
        assert (answer.status_code, answer.json()["details"]["scheduleErrorCode"]) == (
            400,
            "INVALID_SCHEDULE_INTERVAL",
        )

    @pytest.mark.parametrize("expression", ["rate(10 minutes)", "0/10 * * * ? *"])
    def test_what_is_allowed(self, alice: API, expression: str) -> None:
        body = {**VALID, "scheduleConfig": {"expression": expression}}
        assert alice.post("/triggers", body).status_code == 201

    def test_one_run_at_a_time_of_the_clock(self, alice: API) -> None:
        body = {**VALID, "scheduleConfig": {"expression": "at(2099-01-01T09:00:00)"}}
        assert alice.post("/triggers", body).status_code == 201

    def test_off(self, alice: API, settings: Any) -> None:
        settings.MIN_INTERVAL_MINUTES = 0
        assert alice.post("/triggers", TOO_OFTEN).status_code == 201

    def test_another_expression(self, alice: API) -> None:
        path = f"/triggers/{alice.create()['id']}"
        assert alice.patch(path, {"scheduleConfig": OFTEN}).status_code == 400

    def test_an_event_trigger_becomes_a_schedule(self, alice: API) -> None:
        config = {"eventPattern": {"source": ["shop"]}}
        made = alice.create(type="event", eventConfig=config, scheduleConfig=None)
        body = {"type": "schedule", "scheduleConfig": OFTEN}
        assert alice.patch(f"/triggers/{made['id']}", body).status_code == 400

    def test_an_older_trigger_may_be_changed_otherwise(self, alice: API, often: Trigger) -> None:
        body = {"prompt": "Anew.", "scheduleConfig": {**OFTEN, "timezone": "Asia/Tokyo"}}
        assert alice.patch(f"/triggers/{often.pk}", body).status_code == 200

    def test_an_older_trigger_may_be_disabled_and_enabled(self, alice: API, often: Trigger) -> None:
        path = f"/triggers/{often.pk}"
        statuses = [alice.post(f"{path}/{what}").status_code for what in ("disable", "enable")]
        assert statuses == [200, 200]

    def test_the_preview_says_so(self, alice: API) -> None:
        [warning] = alice.post("/schedules/preview", OFTEN).json()["warnings"]
        assert warning.startswith("This fires too often: 5 min")


class TestForms:
    @pytest.mark.parametrize("path", ["/console/triggers/new", f"{TRIGGERS}add/"])
    def test_a_new_trigger(self, editor: Client, path: str) -> None:
        answer = editor.post(path, form_data(expression="cron(0/5 * * * ? *)"))
        form = answer.context["adminform"].form if "adminform" in answer.context else None
        errors = errors_of(answer) if form else answer.context["form"].errors
        assert "too often" in errors["expression"][0]

    def test_an_older_trigger_may_be_changed_otherwise(
        self, editor: Client, often: Trigger
    ) -> None:
        answer = editor.post(f"{TRIGGERS}{often.pk}/change/", form_data(often, name="Anew"))
        assert (answer.status_code, Trigger.objects.get().name) == (302, "Anew")


class TestImport:
    def load(self, path: Path, **fields: Any) -> str:
        path.write_text(yaml.safe_dump([{**TOO_OFTEN, "userId": "alice", **fields}]))
        out = StringIO()
        call_command("import_triggers", str(path), stdout=out, stderr=out)
        return out.getvalue()

    def test_a_new_trigger(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError):
            self.load(tmp_path / "triggers.yaml")
        assert not Trigger.objects.exists()

    def test_an_older_trigger(self, tmp_path: Path, often: Trigger) -> None:
        assert "1 updated" in self.load(tmp_path / "triggers.yaml", id=often.pk, prompt="Anew.")


def test_samples_leave_out_what_fires_too_often() -> None:
    Operator.objects.create_operator("olga")
    out = StringIO()
    call_command("create_samples", "olga", stdout=out)
    assert (Trigger.objects.count(), "MIN_INTERVAL_MINUTES" in out.getvalue()) == (1, True)
