"""Each interface that changes a trigger writes the same audit entry, or none if refused."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pytest
from django.forms import model_to_dict
from django.test import Client

from moca.authentication.models import AuditEntry, Operator
from tests.integration.admin.conftest import TRIGGERS, form_data, overtaken
from tests.integration.api.conftest import API, VALID
from tests.integration.console.conftest import ACT, ticked
from tests.integration.doors.conftest import Import, command, page, record
from triggers.models import LocalSchedule, Trigger, TriggerCount
from triggers.schedulers import SchedulerError

HOURLY = {"expression": "rate(2 hours)"}
CONSOLE = "/console/triggers"
FULL = "The quota of schedules is used up."

Make = Callable[..., Trigger]


class Doors:
    """Makes one change through an interface, and returns what the caller reads."""

    def __init__(self, client: Client, imported: Import) -> None:
        self.client, self.imported = client, imported

    def create(self, door: str) -> str:
        entered = form_data(None, expression=HOURLY["expression"])
        match door:
            case "api":
                body = {**VALID, "scheduleConfig": HOURLY}
                return API("alice").post("/triggers", body).content.decode()
            case "admin":
                return page(self.client, f"{TRIGGERS}add/", entered)
            case "console":
                return page(self.client, f"{CONSOLE}/new", entered)
            case "import":
                return self.imported({"triggers": [{**VALID, "userId": "alice"}]})
        raise NotImplementedError(door)

    def change(self, door: str, trigger: Trigger) -> str:
        entered = form_data(trigger, **HOURLY)
        match door:
            case "api":
                path = f"/triggers/{trigger.pk}"
                return API("alice").patch(path, {"scheduleConfig": HOURLY}).content.decode()
            case "admin":
                return page(self.client, f"{TRIGGERS}{trigger.pk}/change/", entered)
            case "console":
                return page(self.client, f"{CONSOLE}/{trigger.pk}/edit", entered)
            case "import":
                entry = {**VALID, "userId": "alice", "id": trigger.pk, "scheduleConfig": HOURLY}
                return self.imported({"triggers": [entry]})
        raise NotImplementedError(door)

    def switch(self, door: str, trigger: Trigger, action: str) -> str:
        match door:
            case "api":
                return API("alice").post(f"/triggers/{trigger.pk}/{action}").content.decode()
            case "admin action":
                data = {"action": action, "_selected_action": trigger.pk}
                return page(self.client, TRIGGERS, data)
            case "console action":
                return page(self.client, ACT, {"action": action, "id": ticked(trigger)})
        raise NotImplementedError(door)

    def delete(self, door: str, trigger: Trigger) -> str:
        match door:
            case "api":
                return API("alice")("DELETE", f"/triggers/{trigger.pk}").content.decode()
            case "admin":
                return page(self.client, f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"})
            case "admin action":
                data = {"action": "delete_selected", "_selected_action": trigger.pk, "post": "yes"}
                return page(self.client, TRIGGERS, data)
            case "console action":
                data = {"action": "delete", "id": ticked(trigger), "sure": "yes"}
                return page(self.client, ACT, data)
        raise NotImplementedError(door)


@pytest.fixture
def doors(administrator: Client, imported: Import) -> Doors:
    return Doors(administrator, imported)


@pytest.fixture
def full(settings: Any) -> Any:
    """The scheduler refuses all writes."""
    error = SchedulerError(FULL, is_refusal=True)
    with ExitStack() as stack:
        for name in ("create", "update", "delete"):
            place = f"triggers.schedulers.local.LocalScheduler.{name}"
            stack.enter_context(patch(place, side_effect=error))
        yield


def stored() -> list[dict[str, Any]]:
    """The stored triggers and schedules, and the stored count of alice's triggers."""
    rows = [Trigger.objects.order_by("pk"), LocalSchedule.objects.order_by("pk")]
    counts = TriggerCount.objects.filter(pk="alice").values("triggers")
    return [*(model_to_dict(row) for each in rows for row in each), *counts]


FORMS = ["api", "admin", "console", "import"]
SWITCHES = ["api", "admin action", "console action"]
DELETIONS = ["api", "admin", "admin action", "console action"]


class TestRecord:
    @pytest.mark.parametrize("door", FORMS)
    def test_new(self, doors: Doors, door: str) -> None:
        doors.create(door)
        assert record() == [("created", "triggers.trigger", "Report", {})]

    def test_new_by_a_command(self, db: None) -> None:
        Operator.objects.create_operator("olga")
        command("create_samples", "olga")
        assert record()[0] == ("created", "triggers.trigger", "Every minute", {})

    @pytest.mark.parametrize("door", FORMS)
    def test_changed(self, doors: Doors, make_trigger: Make, door: str) -> None:
        trigger = make_trigger()
        changes = {"schedule_config": [trigger.schedule_config, HOURLY]}
        doors.change(door, trigger)
        assert record() == [("updated", "triggers.trigger", "Report", changes)]

    @pytest.mark.parametrize("door", SWITCHES)
    @pytest.mark.parametrize("action", ["enable", "disable"])
    def test_switched(self, doors: Doors, make_trigger: Make, door: str, action: str) -> None:
        before = action == "disable"
        doors.switch(door, make_trigger(enabled=before), action)
        changes = {"enabled": [before, not before]}
        assert record() == [("updated", "triggers.trigger", "Report", changes)]

    @pytest.mark.parametrize("door", SWITCHES)
    def test_switched_to_what_it_is(self, doors: Doors, make_trigger: Make, door: str) -> None:
        doors.switch(door, make_trigger(), "enable")
        assert record() == []

    @pytest.mark.parametrize("door", DELETIONS)
    def test_deleted(self, doors: Doors, make_trigger: Make, door: str) -> None:
        doors.delete(door, make_trigger())
        assert record() == [("deleted", "triggers.trigger", "Report", {})]


class TestRefusal:
    """The scheduler refuses: the reason is shown, and nothing changes."""

    @pytest.mark.parametrize("door", FORMS)
    def test_new(self, doors: Doors, full: None, door: str) -> None:
        read = doors.create(door)
        assert (FULL in read, stored(), record()) == (True, [], [])

    def test_new_by_a_command(self, full: None, db: None) -> None:
        Operator.objects.create_operator("olga")
        assert (FULL in command("create_samples", "olga"), stored(), record()) == (True, [], [])

    @pytest.mark.parametrize("door", FORMS)
    def test_changed(
        self, doors: Doors, make_trigger: Make, request: pytest.FixtureRequest, door: str
    ) -> None:
        trigger, before = make_trigger(), stored()
        request.getfixturevalue("full")
        assert (FULL in doors.change(door, trigger), stored(), record()) == (True, before, [])

    @pytest.mark.parametrize("door", SWITCHES)
    def test_disabled(
        self, doors: Doors, make_trigger: Make, request: pytest.FixtureRequest, door: str
    ) -> None:
        trigger, before = make_trigger(), stored()
        request.getfixturevalue("full")
        read = doors.switch(door, trigger, "disable")
        assert (FULL in read, stored(), record()) == (True, before, [])

    @pytest.mark.parametrize("door", DELETIONS)
    def test_deleted(
        self, doors: Doors, make_trigger: Make, request: pytest.FixtureRequest, door: str
    ) -> None:
        trigger, before = make_trigger(), stored()
        request.getfixturevalue("full")
        assert (FULL in doors.delete(door, trigger), stored(), record()) == (True, before, [])


@pytest.mark.sqlite
class TestLostRace:
    """Another write comes first: the change is retried on the row that is stored then."""

    @pytest.mark.parametrize("door", SWITCHES)
    def test_switched(self, doors: Doors, make_trigger: Make, door: str) -> None:
        trigger = make_trigger()
        with overtaken("UPDATE", trigger.pk, times=1):
            doors.switch(door, trigger, "disable")
        assert not Trigger.objects.get().enabled

    @pytest.mark.parametrize("door", DELETIONS)
    def test_deleted(self, doors: Doors, make_trigger: Make, door: str) -> None:
        trigger = make_trigger()
        with overtaken("DELETE", trigger.pk, times=1):
            doors.delete(door, trigger)
        assert (Trigger.objects.count(), AuditEntry.objects.count()) == (0, 1)

    @pytest.mark.parametrize("door", FORMS)
    def test_last_of_the_quota_is_taken(
        self, doors: Doors, make_trigger: Make, settings: Any, door: str
    ) -> None:
        settings.MAX_TRIGGERS_PER_USER = 1
        make_trigger(prompt="Another.")
        check = Trigger.check_quota
        unseen = iter([True])

        def seen_too_late(trigger: Trigger) -> None:
            if not next(unseen, False):
                check(trigger)

        # The import would find this before it writes.
        most = patch("triggers.import_export.diff._TriggerComparison.check_quotas")
        with patch.object(Trigger, "check_quota", seen_too_late), most:
            read = doors.create(door)
        assert ("the most a user may have" in read, Trigger.objects.count()) == (True, 1)
