"""Try an agent: editors send it a prompt, and see what it answers and how that is read.

No trigger is fired and no run is recorded. The address comes from the agent's record or from the
settings, never from the request.
"""

import os
import time
from threading import BoundedSemaphore
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from agents import AgentError, Invocation, new_session_id
from agents.protocols import PROTOCOLS
from agents.trial import SHOWN_BYTES, Trial, try_agent
from console.access import for_operators
from console.agents import TRIED, editable, find_agent
from executions.agent_records import services
from executions.agent_records.clients import new_client
from executions.agent_records.model import Agent
from executions.models import usage_map
from moca import audit
from moca.admin import actor
from moca.authentication.models import AuditEntry, Role
from moca.concurrency import reason_of
from moca.ids import new_id
from moca.reasons import translated

# API Gateway waits for 29 seconds.
SECONDS = 25.0 if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else 60.0
# How many tries an operator has in a minute, in each process.
MOST_A_MINUTE = 6
# How many tries wait for agents at a time, because each occupies a thread of the web server.
_free = BoundedSemaphore(2)

# The id of the default agent in audit entries.
DEFAULT_ID = "AGENT_API_URL"


class TrialForm(forms.Form):
    """The form of a try."""

    prompt = forms.CharField(
        label=gettext_lazy("Prompt"),
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 80}),
    )
    protocol = forms.ChoiceField(
        label=gettext_lazy("Protocol"),
        choices=[(name, name) for name in PROTOCOLS],
        help_text=gettext_lazy("For this try only."),
    )


@sensitive_post_parameters("prompt")
@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def trial(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Try an agent that has a record."""
    return _page(request, find_agent(agent_id), is_default=False)


@sensitive_post_parameters("prompt")
@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def default_trial(request: HttpRequest) -> HttpResponse:
    """Try the default agent."""
    agent = Agent(
        id=DEFAULT_ID,
        name=_("Default agent"),
        address=settings.AGENT_API_URL,
        protocol=settings.AGENT_PROTOCOL,
    )
    return _page(request, agent, is_default=True)


@require_POST
@for_operators(Role.ADMIN)
def set_protocol(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Set the protocol that a try has found on the agent's record, which only admins change."""
    agent = editable(agent_id)
    protocol = request.POST.get("protocol", "")
    here = reverse("console:agent-try", args=[agent.pk])
    if protocol not in PROTOCOLS:
        return HttpResponseRedirect(here)

    def apply(row: Agent) -> None:
        row.protocol = protocol

    try:
        services.change(agent, apply, by=actor(request))
    except services.REFUSALS as error:
        reason = _("Nothing was saved: %(reason)s") % {"reason": reason_of(error)}
        messages.warning(request, reason)
    else:
        said = _("%(name)s: the protocol is %(protocol)s now.")
        messages.success(request, said % {"name": agent.name, "protocol": protocol})
    return HttpResponseRedirect(here)


def _page(request: HttpRequest, agent: Agent, *, is_default: bool) -> HttpResponse:
    if request.method == "POST":
        form = TrialForm(request.POST)
        result = _tried(request, agent, form) if form.is_valid() else None
    else:
        prompt = _("Say in one sentence who you are.")
        form = TrialForm(initial={"prompt": prompt, "protocol": agent.protocol})
        result = None
    context = {
        "agent": agent,
        "is_default": is_default,
        "form": form,
        "seconds": int(SECONDS),
        "kilobytes": SHOWN_BYTES // 1024,
        **(_shown(agent, result) if result else {}),
    }
    return render(request, "console/agent_try.html", context)


def _tried(request: HttpRequest, agent: Agent, form: TrialForm) -> Trial | None:
    """Try the agent and audit it. None if the form has an error instead."""
    operator: Any = request.user
    if _is_too_often(operator.pk):
        said = _("You may try agents %(number)s times a minute: wait a moment.")
        form.add_error(None, said % {"number": MOST_A_MINUTE})
        return None
    if not _free.acquire(blocking=False):
        form.add_error(
            None, _("Others are trying agents at this moment: wait until they are done.")
        )
        return None
    try:
        protocol = form.cleaned_data["protocol"]
        audit.note(AuditEntry.Action.RUN, agent, by=actor(request), changes={TRIED: ["", protocol]})
        return _send(agent, protocol, form.cleaned_data["prompt"], operator.subject)
    except AgentError as error:
        # The record or the settings are wrong, so nothing was sent.
        form.add_error(None, translated(error.reason))
        return None
    finally:
        _free.release()


def _send(agent: Agent, protocol: str, prompt: str, user_id: str) -> Trial:
    tried = Agent(**{field.attname: getattr(agent, field.attname) for field in agent._meta.fields})
    tried.protocol = protocol
    invocation = Invocation(
        prompt=prompt,
        target_user_id=user_id,
        session_id=new_session_id(),
        execution_id=f"try-{new_id()}",
        agent_id=None if agent.pk == DEFAULT_ID else agent.pk,
        options=agent.options,
        enabled_tools=agent.enabled_tools,
    )
    with new_client(tried) as client:
        return try_agent(client, invocation, time_limit=SECONDS)


def _is_too_often(operator_id: str) -> bool:
    key = f"moca.trial.{operator_id}.{int(time.time()) // 60}"
    cache.add(key, 0, 120)
    return cache.incr(key) > MOST_A_MINUTE


def _shown(agent: Agent, result: Trial) -> dict[str, Any]:
    reply = result.reply
    is_good = result.error is None and reply is not None and reply.output.total_bytes > 0
    # A protocol that was chosen for this try is proposed if it works.
    proposal = result.protocol if is_good else result.proposal
    return {
        "trial": result,
        "milliseconds": round(result.seconds * 1000),
        "reply": reply,
        "text": reply.output.text if reply else "",
        "usage": (usage_map(reply) if reply else None) or {},
        "error": translated(result.error) if result.error else "",
        "proposal": "" if proposal == agent.protocol else proposal,
    }
