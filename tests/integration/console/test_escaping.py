"""Scripts in every field that a page shows: they are escaped."""

from collections.abc import Callable

import pytest
from django.test import Client

from console.markdown import render
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from triggers.forms import TriggerForm
from triggers.models import Trigger

HARM = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""
MakeExecution = Callable[..., TriggerExecution]


@pytest.fixture
def harmful(make_trigger: MakeTrigger, make_execution: MakeExecution) -> TriggerExecution:
    """A run, of a trigger, with harm in each text of both."""
    trigger = make_trigger(
        name=HARM,
        description=HARM,
        prompt=HARM,
        agent_id=HARM,
        model_id=HARM,
        working_directory=HARM,
        enabled_tools=[HARM],
        user_id=HARM,
    )
    Trigger.objects.filter(user_id=HARM, pk=trigger.pk).update(
        last_error=HARM,
        last_status="failed",
        last_execution_id=HARM[:36].replace("/", "-"),
        consecutive_failures=2,
        skipped_runs=1,
        last_skip_reason=HARM,
        sync_state="failed",
        sync_error=HARM,
        paused_reason=HARM,
        tags=[HARM],
        session_id=HARM,
    )
    AuditEntry.objects.create(
        actor=HARM,
        action="updated",
        object_type="triggers.trigger",
        object_id=trigger.pk,
        object_name=HARM,
        changes={"name": [HARM, HARM]},
    )
    return make_execution(
        trigger,
        status="failed",
        error=HARM,
        output=HARM,
        output_bytes=len(HARM),
        event_payload=HARM,
        request_id=HARM,
        session_id=HARM,
    )


@pytest.mark.parametrize(
    "page",
    [
        "/console/",
        TRIGGERS,
        "/console/runs",
        "{trigger}",
        "{trigger}/edit",
        "{trigger}/runs/{run}",
        "{new}?copy={id}",
        "/admin/",
        "/admin/triggers/trigger/",
        "/admin/triggers/trigger/?q={harm}",
        "/admin/triggers/trigger/{id}/change/",
        "/admin/triggers/trigger/{id}/history/",
        "/admin/triggers/trigger/{id}/delete/",
        "/admin/executions/triggerexecution/",
        "/admin/executions/triggerexecution/{id}_3A{run}/change/",
        "/admin/authentication/auditentry/",
        TRIGGERS + "?q={harm}&agent={harm}&tag={harm}&user={harm}&state={harm}&p={harm}",
    ],
)
def test_no_page_lets_it_through(
    administrator: Client, harmful: TriggerExecution, page: str
) -> None:
    address = page.format(
        trigger=f"{TRIGGERS}/{harmful.trigger_id}",
        run=harmful.pk,
        new=f"{TRIGGERS}/new",
        id=harmful.trigger_id,
        harm=HARM,
    )
    answer = administrator.get(address)
    html = answer.content.decode()
    assert (answer.status_code, "<script>alert" in html, "<img src=x" in html) == (
        200,
        False,
        False,
    )


@pytest.mark.parametrize("action", ["delete", "disable", "enable", "run", "synchronize"])
def test_no_action_tells_of_it_unescaped(
    administrator: Client, harmful: TriggerExecution, action: str
) -> None:
    data = {"action": action, "id": f"{HARM}:{harmful.trigger_id}"}
    page = administrator.post(f"{TRIGGERS}/act", data, follow=True).content.decode()
    assert ("&lt;script&gt;" in page, "<script>alert" in page) == (True, False)


def test_form_shows_again_what_was_entered_escaped(administrator: Client) -> None:
    entered = dict.fromkeys(TriggerForm.base_fields, HARM)
    page = administrator.post(f"{TRIGGERS}/new", entered).content.decode()
    assert ("&lt;script&gt;" in page, "<script>alert" in page) == (True, False)


@pytest.mark.parametrize("field", ["expression", "timezone", "start_date", "timeout_seconds"])
def test_preview_lets_nothing_through(viewer: Client, field: str) -> None:
    entered = {"expression": "rate(1 hour)", field: HARM}
    assert "<script>" not in viewer.post("/console/schedule-preview", entered).content.decode()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<b onclick=x>bold</b>", "<p>&lt;b onclick=x&gt;bold&lt;/b&gt;</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        ("![a](https://evil.example/pixel.png)", "<p>!"),
        ("[a](https://good.example)", 'rel="noopener noreferrer nofollow" target="_blank"'),
        ("[a](/console/triggers/act)", 'href="#"'),
        ("[a](//evil.example)", 'href="#"'),
        ('[a](https://x.example "\\" onclick=\\"x")', "&quot; onclick=&quot;x"),
    ],
)
def test_markdown(said: str, shown: str) -> None:
    assert shown in render(said)


def test_markdown_is_not_nested_without_end() -> None:
    assert render(">" * 100).count("<blockquote>") <= 20
