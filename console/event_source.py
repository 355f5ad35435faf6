"""The page of one event source, and its actions: test, new secret, delete."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from console import page_versions
from console.access import for_operators
from console.changes import TEST_EVENT, changes_of
from console.event_list import lacks_secret
from console.received_events import counts_triggers, page_of_events
from console.records import refusal_of_delete
from console.rejected_messages import rejected_rows
from console.sending import guide_of
from events import answers, examples, ingest, listening, services, sources
from events.buses import BusError
from events.forms import NewSecretForm
from events.kinds import SourceKind
from events.models import KEPT, EventSource
from events.webhooks import EnvelopeError
from moca import audit
from moca.admin import actor
from moca.authentication.models import AuditEntry, Role
from moca.concurrency import reason_of
from moca.display import pretty
from moca.public_address import public_address
from triggers.models import Trigger

# Hosts that no other machine reaches.
LOCAL = ("127.0.0.1", "localhost", "::1")
# The page names at most this many listening triggers.
LISTENERS = 100


def find_source(source_id: str) -> EventSource:
    """The source with an id. Raises Http404 if there is none."""
    if found := sources.configured().get(source_id):
        return found
    stored: EventSource | None = EventSource.objects.filter(pk=source_id).first()
    if stored is None:
        raise Http404
    return stored


def editable(source_id: str) -> EventSource:
    """The source with an id, to change it. Raises PermissionDenied if the settings define it."""
    source = find_source(source_id)
    if source.is_configured:
        raise PermissionDenied
    return source


def address_of(request: HttpRequest, source: EventSource) -> str:
    """The full URL to which senders post events, below PUBLIC_URL. Empty if the source has none."""
    if not source.has_address:
        return ""
    return f"{public_address(request, 'api-events')}?source={source.pk}"


def listeners_of(source: EventSource) -> list[Trigger]:
    """Triggers that listen to a source, enabled or not: one more than the page names."""
    found = Trigger.objects.events().filter(event_config__eventSourceId=source.pk)
    return list(found.order_by("-pk").defer("prompt", "description")[: LISTENERS + 1])


@dataclass(slots=True)
class Ending:
    """A previous secret that is still valid."""

    until: datetime


def endings_of(source: EventSource, now: datetime) -> list[Ending]:
    """The previous secrets that are still valid."""
    moments = [one["until"] for one in source.secrets if one.get("until")]
    return [Ending(datetime.fromtimestamp(m, UTC)) for m in moments if m > now.timestamp()]


def _turns(source_id: str, **_path: str) -> page_versions.Turns:
    return [[partial(page_versions.newest_events, [source_id]), page_versions.queued_events]]


@require_GET
@for_operators()
@page_versions.polled(_turns)
def event_source(request: HttpRequest, source_id: str) -> HttpResponse:
    source = find_source(source_id)
    now = timezone.now()
    listeners = listeners_of(source)
    context = {
        "source": source,
        "now": now,
        "kept": KEPT,
        "address": address_of(request, source),
        "setting": "EVENT_SOURCES_FILE" if settings.EVENT_SOURCES_FILE else "EVENT_SOURCES_CONFIG",
        **_sending(request, source),
        "pattern": pretty(source.pattern) if source.pattern else "",
        "options": source.options or {},
        "endings": endings_of(source, now),
        "listeners": listeners[:LISTENERS],
        "has_more_listeners": len(listeners) > LISTENERS,
        "changes": changes_of(source, {"secrets": _("Secret")}),
        "lacks_secret": lacks_secret(source, now),
        "is_listening": listening.is_listening(source, now),
        "counts_triggers": counts_triggers(),
        "refusals": rejected_rows(source) if source.has_address else [],
        **(page_of_events(request, source) if source.has_address else {}),
    }
    return render(request, "console/event_source.html", context)


def _sending(request: HttpRequest, source: EventSource) -> dict[str, Any]:
    """The template context for what to enter at the sender."""
    address = address_of(request, source)
    if not address:
        return {}
    return {
        "guide": guide_of(source, address),
        "verify_token": _verify_token(request, source),
        "is_local": urlsplit(address).hostname in LOCAL,
    }


def _verify_token(request: HttpRequest, source: EventSource) -> str:
    """The token of Meta's handshake, for operators who may set the address at Meta."""
    may_see = request.user.has_perm("events.change_eventsource")
    return answers.verify_token(source.pk) if may_see and source.kind == SourceKind.META else ""


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def delete(request: HttpRequest, source_id: str) -> HttpResponse:
    """Delete a source, after a page that names the triggers that listen to it."""
    source = editable(source_id)
    refusal = ""
    if request.method == "POST":
        delete_it = partial(services.delete, source, by=actor(request))
        refusal = refusal_of_delete(request, source.name, delete_it, services.REFUSALS)
        if not refusal:
            return HttpResponseRedirect(reverse("console:events"))
    listeners = listeners_of(source)
    context = {
        "source": source,
        "refusal": refusal,
        "number": min(len(listeners), LISTENERS),
        "listeners": listeners[:LISTENERS],
        "has_more_listeners": len(listeners) > LISTENERS,
    }
    return render(request, "console/event_delete.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def new_secret(request: HttpRequest, source_id: str) -> HttpResponse:
    """Give a source a new secret. A generated one is shown once, in the response."""
    source = editable(source_id)
    if not source.has_address:
        raise Http404
    form = NewSecretForm(source, request.POST if request.method == "POST" else None)
    now = timezone.now()
    if form.is_valid():
        at_once = form.cleaned_data["at_once"]
        try:
            services.rotate_secret(source, form.new, by=actor(request), at_once=at_once)
        except services.REFUSALS as error:
            form.add_error(None, _("Nothing was saved: %(reason)s") % {"reason": reason_of(error)})
        else:
            return secret_shown(request, source, form.made)
    context = {"source": source, "form": form, "endings": endings_of(source, now)}
    return render(request, "console/event_secret.html", context)


def secret_shown(request: HttpRequest, source: EventSource, made: str) -> HttpResponse:
    """The response after a secret was set. No other response shows a generated secret.

    It is not a redirect, because a message for the next page would travel in a cookie.
    """
    now = timezone.now()
    context = {
        "source": source,
        **_sending(request, source),
        "secret": made,
        "address": address_of(request, source),
        "endings": endings_of(source, now),
        "now": now,
    }
    return render(request, "console/event_secret_shown.html", context)


class SampleForm(forms.Form):
    """The form for a test event."""

    name = forms.CharField(
        label=gettext_lazy("Name of the event"),
        max_length=100,
        help_text=gettext_lazy("What GitHub says in X-GitHub-Event, such as pull_request or push."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    body = forms.CharField(
        label=gettext_lazy("What the sender would send"),
        strip=False,
        max_length=settings.MAX_EVENT_BYTES,
        widget=forms.Textarea(attrs={"rows": 16, "cols": 80, "spellcheck": "false"}),
    )

    def __init__(self, source: EventSource, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not examples.names_in_header(source.sender):
            del self.fields["name"]
        elif source.kind != SourceKind.GITHUB:
            header = source.sender.type_from[0].removeprefix("header:")
            self.fields["name"].help_text = _("What the sender says in %(header)s.") % {
                "header": header
            }
        if source.kind == SourceKind.WEBHOOK:
            self.fields["body"].help_text = _(
                "Any JSON, or an EventBridge envelope: source, detail-type and detail."
            )


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def test(request: HttpRequest, source_id: str) -> HttpResponse:
    """Send a test event, which starts real runs."""
    source = find_source(source_id)
    if not source.has_address:
        raise Http404
    now = timezone.now()
    if request.method == "POST":
        form = SampleForm(source, request.POST)
        if form.is_valid() and (event_id := _send(request, source, form, now)):
            messages.success(request, _("The test event was sent."))
            return HttpResponseRedirect(
                reverse("console:received-event", args=[source.pk, event_id])
            )
    else:
        body = pretty(examples.example_body(source.kind, now))
        name = examples.example_name(source.sender)
        form = SampleForm(source, initial={"body": body, "name": name})
    listeners = listeners_of(source)
    context = {
        "source": source,
        "form": form,
        "listeners": [trigger for trigger in listeners[:LISTENERS] if trigger.enabled],
    }
    return render(request, "console/event_test.html", context)


def _send(request: HttpRequest, source: EventSource, form: SampleForm, now: datetime) -> str:
    """Send the event and audit it. Returns its id, or "" if the form has an error."""
    body = form.cleaned_data["body"].encode()
    name, by = form.cleaned_data.get("name", ""), actor(request)
    try:
        receipt = ingest.receive_test(source, body, now, name=name, by=by)
    except EnvelopeError as error:
        where = f"{error.field}: " if error.field else ""
        form.add_error("body", f"{where}{error}")
        return ""
    except BusError as error:
        form.add_error(None, reason_of(error))
        return ""
    audit.note(AuditEntry.Action.RUN, source, by=by, changes={TEST_EVENT: ["", receipt.id]})
    return receipt.id
