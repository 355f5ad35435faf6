"""The page on which a source listens, and operators find out how its sender signs."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console import page_versions
from console.access import for_operators
from console.event_source import address_of, editable
from events import listening, proposals, senders, services
from events.forms import SecretField
from events.listening import Choice
from events.models import EventSource, ReceivedEvent
from events.proposals import Proposal
from events.seen import SeenMessage
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import reason_of


class TryForm(forms.Form):
    """The secret with which the messages are tried. Nothing stores it before it is chosen."""

    secret = SecretField(
        label=gettext_lazy("Secret of the sender"),
        required=True,
        help_text=gettext_lazy(
            "What the sender signs with, its token, or its public key. It is tried with the "
            "messages below, and stored only if you use the settings that it gives."
        ),
    )


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal as the page shows it, with what its button sends."""

    proposal: Proposal
    choice: str

    @property
    def facts(self) -> list[tuple[str, str]]:
        return [(name, str(text)) for name, text in self.proposal.options.items()]


@dataclass(slots=True)
class HeardRow:
    """A message that came while the source listened."""

    row: SeenMessage
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def labels(self) -> list[Any]:
        """The senders that it may come from."""
        return list(dict.fromkeys(one.label for one in self.proposals))


def _turns(source_id: str, **_path: str) -> page_versions.Turns:
    return [[partial(page_versions.newest_heard, source_id)], [page_versions.changes]]


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
@page_versions.polled(_turns)
def listen(request: HttpRequest, source_id: str) -> HttpResponse:
    source = editable(source_id)
    if not source.has_address:
        raise Http404
    now, form = timezone.now(), TryForm()
    rows = [_heard_row(row) for row in listening.heard(source)]
    found = _proposed(source, rows)
    tried = False
    if request.method == "POST":
        match request.POST.get("do"):
            case "start":
                return _turn(request, source, now + listening.LASTS)
            case "stop":
                return _turn(request, source, None)
            case "use":
                return _use(request, source)
            case _:
                form = TryForm(request.POST)
                if tried := form.is_valid():
                    found = _verified(source, rows, form.cleaned_data["secret"])
    context = {
        "source": source,
        "now": now,
        "address": address_of(request, source),
        "is_listening": listening.is_listening(source, now),
        "minutes": int(listening.LASTS.total_seconds() // 60),
        "has_received": bool(ReceivedEvent.objects.of_source(source.pk)[:1]),
        "rows": rows,
        "found": found,
        "tried": tried,
        "form": form,
    }
    return render(request, "console/event_listen.html", context)


def _heard_row(row: SeenMessage) -> HeardRow:
    message = listening.opened(row)
    return HeardRow(row, proposals.propose(message) if message else [])


def _proposed(source: EventSource, rows: list[HeardRow]) -> list[ProposalRow]:
    """What the latest message suggests that suggests anything."""
    latest = next((each.proposals for each in rows if each.proposals), [])
    return [ProposalRow(one, listening.sealed_choice(source, one)) for one in latest]


def _verified(source: EventSource, rows: list[HeardRow], secret: str) -> list[ProposalRow]:
    """The ways in which the latest message is verified that a secret verifies."""
    for each in rows:
        message = listening.opened(each.row)
        if message and (found := proposals.verify(message, secret)):
            return [ProposalRow(one, listening.sealed_choice(source, one, secret)) for one in found]
    return []


def _turn(request: HttpRequest, source: EventSource, until: datetime | None) -> HttpResponse:
    """Begin to listen until a moment, or end it."""
    if until is not None:
        listening.forget(source)
    try:
        services.listen(source, until, by=actor(request))
    except services.REFUSALS as error:
        messages.error(request, _("Nothing was saved: %(reason)s") % {"reason": reason_of(error)})
    return HttpResponseRedirect(reverse("console:event-source-listen", args=[source.pk]))


def _use(request: HttpRequest, source: EventSource) -> HttpResponse:
    """Give the source the settings of a proposal."""
    choice = listening.choice_of(source, request.POST.get("choice", ""))
    here = reverse("console:event-source-listen", args=[source.pk])
    if choice is None:
        messages.error(request, _("The proposal is too old. Choose again."))
        return HttpResponseRedirect(here)
    reason = ""
    try:
        services.take_settings(
            source, choice.kind, choice.options, choice.secret, by=actor(request)
        )
    except ValidationError as error:
        reason = " ".join(error.messages)
    except services.REFUSALS as error:
        reason = reason_of(error)
    if reason:
        messages.error(request, _("Nothing was saved: %(reason)s") % {"reason": reason})
        return HttpResponseRedirect(here)
    listening.forget(source)
    return _done(request, source, choice)


def _done(request: HttpRequest, source: EventSource, choice: Choice) -> HttpResponse:
    label = senders.sender_of(choice.kind).label
    if choice.secret:
        messages.success(
            request, _("The source takes events of: %(label)s. Have one sent.") % {"label": label}
        )
        return HttpResponseRedirect(reverse("console:event-source", args=[source.pk]))
    messages.success(
        request, _("The source has the settings of: %(label)s. Set its secret.") % {"label": label}
    )
    return HttpResponseRedirect(reverse("console:event-source-secret", args=[source.pk]))
