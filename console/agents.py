"""The pages of agents: the list, and one agent with its form and its deletion.

Only admins change records, because a record says to which address secrets are sent.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from console import page_versions
from console.access import for_operators
from console.changes import changes_of
from console.records import bound_form, reason_not_saved, refusal_of_delete, refused_form
from executions.agent_records import lookup, services
from executions.agent_records.forms import AgentForm
from executions.agent_records.model import Agent
from executions.agent_records.services import MOST_TRIGGERS
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import ConflictError
from triggers.models import Trigger

# The name of a try in an audit entry, in the place of a field.
TRIED = "try"
# Pages name at most this many triggers of an agent.
NAMED = 100


@dataclass(frozen=True, slots=True)
class Row:
    """An agent of the list, and how many of the newest triggers name it."""

    agent: Agent
    triggers: int


def find_agent(agent_id: str) -> Agent:
    """The record of an id. Raises Http404 if there is none."""
    agent = lookup.find(agent_id)
    if agent is None:
        raise Http404
    return agent


def editable(agent_id: str) -> Agent:
    """The record of an id, to change it. Raises PermissionDenied if the settings define it."""
    agent = find_agent(agent_id)
    if agent.is_configured:
        raise PermissionDenied
    return agent


def _turns(**_path: str) -> page_versions.Turns:
    return [[page_versions.changes]]


@require_GET
@for_operators()
@page_versions.polled(_turns)
def agent_list(request: HttpRequest) -> HttpResponse:
    found = lookup.all_agents()
    words = request.GET.get("q", "").strip()
    newest = Trigger.objects.order_by("-pk").values_list("agent_id", flat=True)
    named = list(newest[: MOST_TRIGGERS + 1])
    counted = Counter(named[:MOST_TRIGGERS])
    context = {
        "rows": [Row(agent, counted[agent.pk]) for agent in found if _is_meant(agent, words)],
        "others": sum(counted.values()) - sum(counted[agent.pk] for agent in found),
        "total": len(found),
        "words": words,
        "has_more": len(named) > MOST_TRIGGERS,
        "most": MOST_TRIGGERS,
        "default": {
            "address": settings.AGENT_API_URL,
            "protocol": settings.AGENT_PROTOCOL,
            "auth": settings.AGENT_AUTH,
            "is_demo": settings.USES_DEMO_AGENT,
        },
    }
    return render(request, "console/agents.html", context)


def _is_meant(agent: Agent, words: str) -> bool:
    text = f"{agent.pk} {agent.name} {agent.description} {agent.address}".casefold()
    return all(word in text for word in words.casefold().split())


@require_GET
@for_operators()
def agent(request: HttpRequest, agent_id: str) -> HttpResponse:
    """One agent: how it is called, and the triggers that name it."""
    found = find_agent(agent_id)
    labels = {name: str(label) for name, label in AgentForm.Meta.labels.items()}
    labels[TRIED] = _("Try")
    context = {
        "agent": found,
        "now": timezone.now(),
        "setting": "AGENTS_FILE" if settings.AGENTS_FILE else "AGENTS_CONFIG",
        "changes": changes_of(found, labels),
        **_named(found),
    }
    return render(request, "console/agent.html", context)


def _named(agent: Agent) -> dict[str, Any]:
    """The triggers that name an agent, as the templates show them."""
    named, has_more = services.triggers_of(agent.pk)
    return {
        "triggers": named[:NAMED],
        "number": len(named),
        "names_all": len(named) <= NAMED,
        "has_more": has_more,
        "most": MOST_TRIGGERS,
    }


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def new(request: HttpRequest) -> HttpResponse:
    """Create a record."""
    return _form(request, "")


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def edit(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Change a record."""
    return _form(request, agent_id)


def _form(request: HttpRequest, agent_id: str) -> HttpResponse:
    form = bound_form(AgentForm, request, _row(agent_id))
    try:
        if form.is_bound and form.is_valid():
            saved: Agent = form.save(commit=False)
            services.save(saved, by=actor(request))
            messages.success(request, _("%(name)s: saved.") % {"name": saved.name})
            return HttpResponseRedirect(reverse("console:agent", args=[saved.pk]))
    except (ConflictError, IntegrityError) as error:
        form = refused_form(AgentForm, request, _row(agent_id), reason_not_saved(error))
    context = {
        "form": form,
        "agent": form.instance if agent_id else None,
        "has_options": any(
            form[name].value() or form[name].errors
            for name in ("model_id", "reasoning_effort", "enabled_tools")
        ),
        "has_limits": any(
            form[name].value() or form[name].errors
            for name in ("connect_seconds", "idle_seconds", "max_concurrency")
        ),
    }
    return render(request, "console/agent_form.html", context)


def _row(agent_id: str) -> Agent | None:
    return editable(agent_id) if agent_id else None


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def delete(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Delete a record, after a page that says which triggers name it."""
    found = editable(agent_id)
    refusal = ""
    if request.method == "POST":
        delete_it = partial(services.delete, found, by=actor(request))
        refusal = refusal_of_delete(request, found.name, delete_it, services.REFUSALS)
        if not refusal:
            return HttpResponseRedirect(reverse("console:agents"))
    context = {"agent": found, "refusal": refusal, **_named(found)}
    return render(request, "console/agent_delete.html", context)
