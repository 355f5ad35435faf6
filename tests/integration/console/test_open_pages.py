"""Polls of open pages: 204 while nothing has changed, else the new page."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from executions.models import TriggerExecution
from moca import audit
from moca.authentication.models import Operator, Role
from moca.ids import new_id
from tests.integration.api.conftest import API
from tests.integration.console.conftest import ACT, TRIGGERS, MakeTrigger, ticked
from tests.integration.console.test_events import (
    MakeEvent,
    MakeSource,
    make_event,
    make_listener,
    make_source,
)
from triggers.models import Trigger

__all__ = ["make_event", "make_listener", "make_source"]

PAGES = ["dashboard", "triggers", "runs", "trigger", "events", "source", "event"]
MakeExecution = Callable[..., TriggerExecution]


class OpenPage:
    """A page in a browser's tab, which asks again as `console.js` does."""

    def __init__(self, client: Client, path: str) -> None:
        self.client, self.path, self.turn = client, path, 0
        self.take(client.get(path).content.decode())

    def take(self, html: str) -> None:
        self.html = html
        found = re.search('data-version="([^"]+)"', html)
        assert found
        self.version = found[1]

    def look(self) -> Any:
        headers = {
            "HX-Request": "true",
            "X-Page-Version": self.version,
            "X-Page-Turn": str(self.turn),
        }
        answer = self.client.get(self.path, headers=headers)
        if answer.status_code == 200:
            self.take(answer.content.decode())
            self.turn = 0
        else:
            self.turn += 1
        return answer

    def look_twice(self) -> list[int]:
        return [self.look().status_code for _ in range(2)]


@pytest.fixture
def addresses(
    make_source: MakeSource, make_event: MakeEvent, make_listener: MakeTrigger
) -> dict[str, str]:
    """The pages that look again by themselves, with a trigger that listens to a source's events."""
    source = make_source()
    event, trigger = make_event(), make_listener(name="Listener")
    return {
        "dashboard": "/console/",
        "triggers": TRIGGERS,
        "runs": "/console/runs",
        "trigger": f"{TRIGGERS}/{trigger.pk}",
        "events": "/console/events",
        "source": f"/console/events/{source.pk}",
        "event": f"/console/events/{source.pk}/received/{event.pk}",
    }


@pytest.fixture
def trigger(addresses: dict[str, str]) -> Trigger:
    """The one that listens."""
    found: Trigger = Trigger.objects.events().get()
    return found


def running(make_execution: MakeExecution, trigger: Trigger) -> TriggerExecution:
    now = timezone.now()
    lease = now + timedelta(seconds=60)
    values = {"status": "running", "started_at": now, "lease_until": lease, "id": new_id()}
    return make_execution(trigger, **values)


@pytest.mark.parametrize("page", PAGES)
def test_unchanged_page_is_not_sent(viewer: Client, addresses: dict[str, str], page: str) -> None:
    open_page = OpenPage(viewer, addresses[page])
    answers = [open_page.look() for _ in range(3)]
    assert [(each.status_code, each.content) for each in answers] == [(204, b"")] * 3


@pytest.mark.parametrize("page", PAGES)
def test_page_is_made_anew_after_five_minutes(
    viewer: Client, addresses: dict[str, str], page: str
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    later = timezone.now() + timedelta(minutes=5)
    with patch("console.page_versions.timezone.now", return_value=later):
        assert open_page.look().status_code == 200


@pytest.mark.parametrize("page", ["dashboard", "triggers", "runs", "trigger", "event"])
def test_start_and_end_of_a_run_appear(
    viewer: Client,
    addresses: dict[str, str],
    trigger: Trigger,
    make_execution: MakeExecution,
    page: str,
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    execution = running(make_execution, trigger)
    started = open_page.look_twice()
    rows = TriggerExecution.objects.filter(trigger_id=trigger.pk, pk=execution.pk)
    rows.update(status="completed", lease_until=None, completed_at=timezone.now())
    ended = open_page.look_twice()
    assert (200 in started, 200 in ended) == (True, True)


@pytest.mark.parametrize("page", ["dashboard", "triggers", "runs", "event"])
def test_run_that_ends_between_two_looks_appears(
    viewer: Client,
    addresses: dict[str, str],
    trigger: Trigger,
    make_execution: MakeExecution,
    page: str,
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    open_page.look_twice()
    make_execution(trigger, id=new_id())
    assert 200 in open_page.look_twice()


def test_run_that_ends_between_two_looks_appears_on_its_triggers_page(
    viewer: Client, addresses: dict[str, str], trigger: Trigger
) -> None:
    open_page = OpenPage(viewer, addresses["trigger"])
    # What the end of each run writes, with the run in one transaction.
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(
        consecutive_failures=1, last_status="failed", last_error="No such agent."
    )
    assert (open_page.look_twice(), "No such agent." in open_page.html) == ([200, 204], True)


def test_late_run_appears(
    viewer: Client,
    addresses: dict[str, str],
    trigger: Trigger,
    make_execution: MakeExecution,
) -> None:
    make_execution(trigger, id=new_id())
    earlier_due = new_id().replace("-7", "-6", 1)
    open_page = OpenPage(viewer, addresses["runs"])
    make_execution(trigger, id=earlier_due)
    assert 200 in open_page.look_twice()


def test_run_that_is_picked_up_appears(
    viewer: Client, trigger: Trigger, make_execution: MakeExecution
) -> None:
    until = timezone.now() + timedelta(hours=1)
    waiting = make_execution(trigger, id=new_id(), status="running", attempt=0, lease_until=until)
    open_page = OpenPage(viewer, "/console/runs")
    rows = TriggerExecution.objects.filter(trigger_id=trigger.pk, pk=waiting.pk)
    rows.update(attempt=1, lease_until=timezone.now() + timedelta(seconds=60))
    open_page.look_twice()
    assert (">Waiting</a>" in open_page.html, ">Running</a>" in open_page.html) == (False, True)


def test_lost_run_appears_as_failed(
    viewer: Client, trigger: Trigger, make_execution: MakeExecution
) -> None:
    running(make_execution, trigger)
    open_page = OpenPage(viewer, "/console/runs")
    later = timezone.now() + timedelta(seconds=61)
    with patch("django.utils.timezone.now", return_value=later):
        open_page.look_twice()
    assert ">Failed</a>" in open_page.html


def test_heartbeat_changes_nothing(
    viewer: Client, trigger: Trigger, make_execution: MakeExecution
) -> None:
    execution = running(make_execution, trigger)
    open_page = OpenPage(viewer, "/console/runs")
    rows = TriggerExecution.objects.filter(trigger_id=trigger.pk, pk=execution.pk)
    rows.update(lease_until=timezone.now() + timedelta(seconds=75))
    assert open_page.look_twice() == [204, 204]


@pytest.mark.parametrize("page", ["dashboard", "triggers", "runs", "trigger"])
@pytest.mark.parametrize("action", ["enable", "disable", "run"])
def test_what_an_operator_does_appears(
    editor: Client,
    viewer: Client,
    addresses: dict[str, str],
    trigger: Trigger,
    page: str,
    action: str,
) -> None:
    if action == "enable":
        Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(enabled=False)
    open_page = OpenPage(viewer, addresses[page])
    editor.post(ACT, {"action": action, "id": [ticked(trigger)]})
    assert 200 in open_page.look_twice()


@pytest.mark.parametrize("page", ["dashboard", "triggers", "runs"])
def test_deletion_appears(
    editor: Client, viewer: Client, addresses: dict[str, str], trigger: Trigger, page: str
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    editor.post(ACT, {"action": "delete", "id": [ticked(trigger)], "sure": "yes"})
    assert 200 in open_page.look_twice()


def test_page_of_a_deleted_trigger_is_loaded_again(
    editor: Client, viewer: Client, addresses: dict[str, str], trigger: Trigger
) -> None:
    open_page = OpenPage(viewer, addresses["trigger"])
    editor.post(ACT, {"action": "delete", "id": [ticked(trigger)], "sure": "yes"})
    assert open_page.look().headers["HX-Refresh"] == "true"


def test_page_of_an_event_that_is_gone_is_loaded_again(
    viewer: Client, addresses: dict[str, str], make_event: MakeEvent
) -> None:
    event = make_event()
    open_page = OpenPage(viewer, f"/console/events/shop/received/{event.pk}")
    event.delete()
    later = timezone.now() + timedelta(minutes=5)
    with patch("console.page_versions.timezone.now", return_value=later):
        assert open_page.look().headers["HX-Refresh"] == "true"


def test_rename_by_the_api_appears(viewer: Client, addresses: dict[str, str]) -> None:
    alice = API("alice")
    made = alice.create()
    open_page = OpenPage(viewer, TRIGGERS)
    alice.patch(f"/triggers/{made['id']}", {"name": "Renamed meanwhile"})
    open_page.look_twice()
    assert "Renamed meanwhile" in open_page.html


def test_change_of_a_moment_ago_is_shown_once_more(
    viewer: Client, addresses: dict[str, str], trigger: Trigger
) -> None:
    trigger.name = "Renamed"
    audit.save(trigger, by="olga")
    # The index that lists the triggers may lag behind the one that lists the changes.
    open_page = OpenPage(viewer, TRIGGERS)
    assert open_page.look().status_code == 200


@pytest.mark.parametrize("page", ["events", "source", "trigger"])
def test_event_that_comes_in_appears(
    viewer: Client, addresses: dict[str, str], make_event: MakeEvent, page: str
) -> None:
    open_page = OpenPage(viewer, addresses[page])
    make_event()
    assert 200 in open_page.look_twice()


@pytest.mark.parametrize("page", ["source", "event"])
def test_event_that_leaves_the_queue_appears(
    viewer: Client, addresses: dict[str, str], make_event: MakeEvent, page: str
) -> None:
    event = make_event(state="queued")
    if page == "event":
        addresses[page] = f"/console/events/shop/received/{event.pk}"
    open_page = OpenPage(viewer, addresses[page])
    event.state = "failed"
    event.save()
    open_page.look_twice()
    assert ">Failed</span>" in open_page.html


@pytest.mark.parametrize("page", ["dashboard", "events"])
def test_waiting_events_appear(
    viewer: Client, addresses: dict[str, str], make_event: MakeEvent, page: str
) -> None:
    make_event(state="queued", received_at=timezone.now())
    open_page = OpenPage(viewer, addresses[page])
    later = timezone.now() + timedelta(seconds=90)
    with patch("django.utils.timezone.now", return_value=later):
        open_page.look_twice()
    assert "Events are waiting." in open_page.html


class TestWhoAsks:
    def test_signed_out(self, viewer: Client, addresses: dict[str, str]) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        open_page.client = Client()
        assert open_page.look().headers["HX-Refresh"] == "true"

    def test_inactive(self, viewer: Client, addresses: dict[str, str]) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        Operator.objects.update(is_active=False)
        assert open_page.look().headers["HX-Refresh"] == "true"

    def test_another_operator_gets_a_page_of_their_own(
        self, viewer: Client, editor: Client, addresses: dict[str, str]
    ) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        open_page.client = editor
        answer = open_page.look()
        assert (answer.status_code, "Run now" in answer.content.decode()) == (200, True)

    def test_other_role(self, viewer: Client, addresses: dict[str, str]) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        Operator.objects.update(role=Role.EDITOR)
        assert "Run now" in open_page.look().content.decode()

    def test_other_language(self, viewer: Client, addresses: dict[str, str]) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        viewer.post("/console/language", {"language": "ja"})
        assert '<html lang="ja">' in open_page.look().content.decode()

    @pytest.mark.parametrize(
        "version",
        ["0", "....", "x.y.z.", "9" * 5000, "1.2.3.4.5", "\u00e4.\u00e4.\u00e4.\u00e4", "-.-.-.-"],
    )
    def test_version_that_nobody_made(
        self, viewer: Client, addresses: dict[str, str], version: str
    ) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        open_page.version = version
        assert open_page.look().status_code == 200

    @pytest.mark.parametrize("turn", ["", "-1", "x", "9" * 5000])
    def test_turn_that_makes_no_sense(
        self, viewer: Client, addresses: dict[str, str], turn: str
    ) -> None:
        open_page = OpenPage(viewer, TRIGGERS)
        open_page.turn = turn  # type: ignore[assignment]
        headers = {"X-Page-Version": open_page.version, "X-Page-Turn": turn}
        assert viewer.get(TRIGGERS, headers=headers).status_code == 204

    def test_version_tells_no_id(
        self, viewer: Client, trigger: Trigger, make_execution: MakeExecution
    ) -> None:
        execution = running(make_execution, trigger)
        version = OpenPage(viewer, "/console/runs").version
        assert [part for part in (trigger.pk, execution.pk) if part in version] == []
