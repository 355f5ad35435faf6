from collections.abc import Callable

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.models import TriggerExecution
from moca import audit
from moca.authentication.models import AuditEntry
from tests.integration.admin.conftest import TRIGGERS, overtaken
from triggers.models import LocalSchedule, Trigger
from triggers.pauses import installation_pause

Make = Callable[..., Trigger]
MakeExecution = Callable[..., TriggerExecution]
HOSTILE = "<script>alert(1)</script>"


def page(client: Client, trigger: Trigger) -> str:
    return client.get(f"{TRIGGERS}{trigger.pk}/change/").content.decode()


def test_leads_to_the_operators_page(viewer: Client, make_trigger: Make) -> None:
    trigger = make_trigger()
    assert f'href="/console/triggers/{trigger.pk}"' in page(viewer, trigger)


@pytest.mark.sqlite
def test_a_trigger_without_an_operators_page_opens(viewer: Client, make_trigger: Make) -> None:
    trigger = make_trigger(id="a/b")
    shown = viewer.get(f"{TRIGGERS}{quote(trigger.pk)}/change/")
    assert (shown.status_code, "View on site" in shown.content.decode()) == (200, False)


def test_a_viewer_sees_the_prompt_and_no_field(viewer: Client, make_trigger: Make) -> None:
    shown = page(viewer, make_trigger(prompt="Count the stars."))
    assert ("Count the stars." in shown, "<textarea" in shown) == (True, False)


def test_everything_is_escaped(
    editor: Client, make_trigger: Make, make_execution: MakeExecution
) -> None:
    trigger = make_trigger(
        name=HOSTILE, description=HOSTILE, prompt=f"</textarea>{HOSTILE}", agent_id=HOSTILE
    )
    Trigger.objects.update(
        sync_state="failed", sync_error=HOSTILE, skipped_runs=1, last_skip_reason=HOSTILE
    )
    make_execution(trigger, output=HOSTILE)
    make_execution(trigger, status="failed", error=HOSTILE)
    assert HOSTILE not in page(editor, trigger)


def test_a_page_costs_as_many_queries_with_ten_runs_as_with_none(
    viewer: Client, make_trigger: Make, make_execution: MakeExecution
) -> None:
    trigger = make_trigger()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(viewer, trigger)
        return len(captured)

    # As if this process knew, as it does for seconds, that nothing is paused.
    installation_pause(timezone.now())
    before = queries()
    for _ in range(10):
        make_execution(trigger)
    assert queries() == before


class TestDeletion:
    def test_asks_first_and_names_the_consequences(
        self, editor: Client, make_trigger: Make
    ) -> None:
        response = editor.get(f"{TRIGGERS}{make_trigger().pk}/delete/")
        assert "The records of its runs stay" in response.content.decode()

    def test_leaves_the_runs(
        self, editor: Client, make_trigger: Make, make_execution: MakeExecution
    ) -> None:
        trigger = make_trigger()
        make_execution(trigger)
        editor.post(f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"})
        assert (Trigger.objects.count(), TriggerExecution.objects.count()) == (0, 1)

    def test_removes_the_schedule(self, editor: Client, make_trigger: Make) -> None:
        trigger = make_trigger()
        editor.post(f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"})
        assert not LocalSchedule.objects.filter(pk=trigger.pk).exists()

    @pytest.mark.sqlite
    def test_that_somebody_else_came_before_says_so(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        with overtaken("DELETE", trigger.pk):
            shown = editor.post(
                f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"}, follow=True
            ).content.decode()
        assert "Nothing was deleted: somebody else changed" in shown

    @pytest.mark.sqlite
    def test_that_somebody_else_came_before_leaves_no_trace(
        self, editor: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger()
        with overtaken("DELETE", trigger.pk):
            editor.post(f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"})
        assert (Trigger.objects.count(), AuditEntry.objects.count()) == (1, 0)

    def test_of_several_is_on_record_for_each(self, editor: Client, make_trigger: Make) -> None:
        chosen = [make_trigger(name=name).pk for name in "ab"]
        data = {"action": "delete_selected", "post": "yes", "_selected_action": chosen}
        editor.post(TRIGGERS, data)
        entries = AuditEntry.objects.filter(action="deleted")
        assert sorted(entry.object_name for entry in entries) == ["a", "b"]

    def test_of_several_asks_first(self, editor: Client, make_trigger: Make) -> None:
        data = {"action": "delete_selected", "_selected_action": make_trigger().pk}
        assert "Delete this trigger?" in editor.post(TRIGGERS, data).content.decode()

    def test_is_refused_to_viewers(self, viewer: Client, make_trigger: Make) -> None:
        url = f"{TRIGGERS}{make_trigger().pk}/delete/"
        assert viewer.post(url, {"post": "yes"}).status_code == 403


class TestHistory:
    def history(self, client: Client, trigger: Trigger) -> str:
        return client.get(f"{TRIGGERS}{trigger.pk}/history/").content.decode()

    def test_tells_who_changed_what_from_what_to_what(
        self, viewer: Client, make_trigger: Make
    ) -> None:
        trigger = make_trigger(prompt="Count.")
        trigger.prompt = "Sing."
        audit.save(trigger, by="ed")
        shown = self.history(viewer, trigger)
        assert all(word in shown for word in ("ed", "Prompt", "Count.", "Sing."))

    def test_is_escaped(self, viewer: Client, make_trigger: Make) -> None:
        trigger = make_trigger(prompt="Count.")
        trigger.prompt = trigger.name = HOSTILE
        audit.save(trigger, by=HOSTILE)
        assert HOSTILE not in self.history(viewer, trigger)

    def test_without_changes_says_so(self, viewer: Client, make_trigger: Make) -> None:
        assert "No change of this is on record." in self.history(viewer, make_trigger())

    def test_of_nothing_is_not_found(self, viewer: Client) -> None:
        assert viewer.get(f"{TRIGGERS}nothing/history/").status_code == 404
