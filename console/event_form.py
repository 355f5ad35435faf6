"""The form in which operators create and edit an event source."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console.access import for_operators
from console.event_source import editable, secret_shown
from console.received_events import counts_triggers
from console.records import bound_form, reason_not_saved, refused_form
from events import senders, services
from events.buses import BusError
from events.forms import EventSourceForm
from events.models import EventSource
from events.option_fields import OF_BOTH, OF_HMAC, OF_TOKEN
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import ConflictError, reason_of
from moca.public_address import public_address


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def new(request: HttpRequest) -> HttpResponse:
    """Create a source. A generated secret is shown once, in the response."""
    return _form(request, "")


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def edit(request: HttpRequest, source_id: str) -> HttpResponse:
    """Change a source."""
    return _form(request, source_id)


def _form(request: HttpRequest, source_id: str) -> HttpResponse:
    form = bound_form(EventSourceForm, request, _row(source_id))
    try:
        if form.is_bound and form.is_valid():
            source: EventSource = form.save(commit=False)
            services.save(source, by=actor(request))
            if form.made:
                return secret_shown(request, source, form.made)
            messages.success(request, _("%(name)s: saved.") % {"name": source.name})
            return HttpResponseRedirect(reverse("console:event-source", args=[source.pk]))
    except BusError as error:
        form = refused_form(EventSourceForm, request, _row(source_id), reason_of(error))
    except (ConflictError, IntegrityError) as error:
        form = refused_form(EventSourceForm, request, _row(source_id), reason_not_saved(error))
    context: dict[str, Any] = {
        "form": form,
        "source": form.instance if source_id else None,
        "address": public_address(request, "api-events"),
        "has_bus": not counts_triggers(),
        "kinds": {} if source_id else _kinds(),
        "for_hmac": [form[name] for name in OF_HMAC if name in form.fields],
        "for_token": [form[name] for name in OF_TOKEN if name in form.fields],
        "for_both": [form[name] for name in OF_BOTH if name in form.fields],
    }
    return render(request, "console/event_form.html", context)


def _kinds() -> dict[str, dict[str, Any]]:
    """What the form's script says of each kind: what to enter as secret, and what else it asks."""
    return {
        one.kind: {
            "secret": str(one.secret_help),
            "window": one.is_described or one.has_replay_window,
            "described": one.is_described,
        }
        for one in senders.senders()
    }


def _row(source_id: str) -> EventSource | None:
    return editable(source_id) if source_id else None
