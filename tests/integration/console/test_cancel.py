"""The page that cancels a run."""

from collections.abc import Callable

import pytest
from django.test import Client

from executions.models import CancelRequest, TriggerExecution
from executions.runner.manual import run_now
from triggers.models import RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]


@pytest.fixture
def running(
    make_trigger: Callable[..., Trigger], make_execution: MakeExecution
) -> TriggerExecution:
    return make_execution(make_trigger(), status=RunStatus.RUNNING, attempt=1)


def page_of(execution: TriggerExecution) -> str:
    return f"/console/triggers/{execution.trigger_id}/runs/{execution.pk}"


def test_run_under_way_has_a_button(editor: Client, running: TriggerExecution) -> None:
    page = editor.get(page_of(running)).content.decode()
    assert f'href="{page_of(running)}/cancel"' in page


def test_viewer_sees_no_button(viewer: Client, running: TriggerExecution) -> None:
    assert "/cancel" not in viewer.get(page_of(running)).content.decode()


def test_viewer_cannot_cancel(viewer: Client, running: TriggerExecution) -> None:
    viewer.post(f"{page_of(running)}/cancel")
    assert not CancelRequest.objects.exists()


def test_page_asks_first(editor: Client, running: TriggerExecution) -> None:
    page = editor.get(f"{page_of(running)}/cancel").content.decode()
    assert ("within five seconds" in page, CancelRequest.objects.count()) == (True, 0)


def test_page_says_that_it_is_being_cancelled(editor: Client, running: TriggerExecution) -> None:
    page = editor.post(f"{page_of(running)}/cancel", follow=True).content.decode()
    assert ("Cancelling…" in page, "/cancel" in page) == (True, False)


def test_operator_is_named(editor: Client, running: TriggerExecution) -> None:
    editor.post(f"{page_of(running)}/cancel")
    assert CancelRequest.objects.get().requested_by == "editor-operator"


def test_run_that_waits_has_ended_then(
    editor: Client, make_trigger: Callable[..., Trigger]
) -> None:
    execution = run_now(make_trigger(), by="olga")
    page = editor.post(f"{page_of(execution)}/cancel", follow=True).content.decode()
    assert "Cancelled by " in page


def test_run_that_has_ended_stays_as_it_is(
    editor: Client, make_trigger: Callable[..., Trigger], make_execution: MakeExecution
) -> None:
    execution = make_execution(make_trigger())
    page = editor.post(f"{page_of(execution)}/cancel", follow=True).content.decode()
    assert "Not cancelled: The run has ended" in page


def test_question_about_a_run_that_has_ended_leads_back(
    editor: Client, make_trigger: Callable[..., Trigger], make_execution: MakeExecution
) -> None:
    execution = make_execution(make_trigger())
    assert editor.get(f"{page_of(execution)}/cancel").headers["Location"] == page_of(execution)


def test_form_needs_its_token(running: TriggerExecution, editor: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = editor.cookies
    assert strict.post(f"{page_of(running)}/cancel").status_code == 403
