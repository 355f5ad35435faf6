"""The pages of alerts: channels and rules with their forms, tests and deletions, and deliveries.

Only admins change channels and rules, which say where data of this installation goes.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from alerts import services
from alerts.channels import ChannelError
from alerts.forms import ChannelForm, RuleForm
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Rule
from console import page_versions
from console.access import for_operators
from console.changes import changes_of
from console.records import bound_form, reason_not_saved, refusal_of_delete, refused_form
from moca import mail
from moca.admin import actor
from moca.authentication.models import Operator, Role
from moca.concurrency import ConflictError
from moca.reasons import shown, translated
from triggers.models import Trigger

# How many triggers the form of a rule offers, the newest.
MOST_OFFERED = 1000


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of the list: what it is about, and its channel if that is there."""

    rule: Rule
    channel: Channel | None
    trigger: Trigger | None

    @property
    def kinds(self) -> list[str]:
        known = dict(Happening.choices)
        return [str(known.get(kind, kind)) for kind in self.rule.kinds]


class ConsoleRuleForm(RuleForm):
    """The form of a rule, which offers the triggers by name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["trigger_id"]
        # A name may be longer than an id, which takes its place.
        longest = Trigger._meta.get_field("name").max_length
        field.widget.attrs |= {"list": "rule-triggers", "data-by-name": "", "maxlength": longest}
        field.help_text = _("Type its name and choose it, or enter its id.")

    def clean_trigger_id(self) -> str:
        """Check that there is the trigger, unless the rule names it already: it may be deleted."""
        entered: str = self.cleaned_data["trigger_id"]
        if entered and "trigger_id" in self.changed_data and not _trigger(entered):
            raise ValidationError(
                _("There is no trigger with the id %(id)s: choose one by its name."),
                code="unknown",
                params={"id": entered},
            )
        return entered


def _trigger(trigger_id: str | None) -> Trigger | None:
    return Trigger.objects.with_id(trigger_id) if trigger_id else None


def _turns(**_path: str) -> page_versions.Turns:
    return [[page_versions.changes]]


@require_GET
@for_operators()
@page_versions.polled(_turns)
def overview(request: HttpRequest) -> HttpResponse:
    """All channels and rules."""
    channels = list(Channel.objects.all())
    context = {
        "channels": channels,
        "rules": rule_rows(list(Rule.objects.all()), channels),
        "has_mail": mail.is_set(),
        "has_email": any(channel.kind == ChannelKind.EMAIL for channel in channels),
        "now": timezone.now(),
    }
    return render(request, "console/alerts.html", context)


def rule_rows(rules: list[Rule], channels: list[Channel]) -> list[RuleRow]:
    """Rules as the list shows them."""
    by_id = {channel.pk: channel for channel in channels}
    return [
        RuleRow(
            rule,
            by_id.get(rule.channel_id),
            Trigger.objects.with_id(rule.trigger_id) if rule.trigger_id else None,
        )
        for rule in rules
    ]


def _channel(channel_id: str) -> Channel:
    found = Channel.objects.filter(pk=channel_id).first()
    if found is None:
        raise Http404
    return found


def _rule(rule_id: str) -> Rule:
    found = Rule.objects.filter(pk=rule_id).first()
    if found is None:
        raise Http404
    return found


@require_GET
@for_operators()
def channel(request: HttpRequest, channel_id: str) -> HttpResponse:
    """One channel: where it leads, its rules, and its changes."""
    return _channel_page(request, _channel(channel_id))


def _channel_page(request: HttpRequest, found: Channel, **more: Any) -> HttpResponse:
    labels = {name: str(label) for name, label in ChannelForm.Meta.labels.items()}
    context = {
        "channel": found,
        "off_reason": shown(found, "off_reason"),
        "rules": services.rules_of(found),
        "changes": changes_of(found, labels | {"secrets": _("Secret")}),
        "has_mail": mail.is_set(),
        "now": timezone.now(),
        **more,
    }
    return render(request, "console/alert_channel.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def new_channel(request: HttpRequest) -> HttpResponse:
    """Create a channel. A generated secret is shown once, in the response."""
    return _channel_form(request, "")


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def edit_channel(request: HttpRequest, channel_id: str) -> HttpResponse:
    """Change a channel."""
    return _channel_form(request, channel_id)


def _channel_form(request: HttpRequest, channel_id: str) -> HttpResponse:
    row = partial(_channel, channel_id) if channel_id else lambda: None
    form = bound_form(ChannelForm, request, row())
    try:
        if form.is_bound and form.is_valid():
            saved: Channel = form.save(commit=False)
            made = services.save(saved, by=actor(request))
            if made:
                return _channel_page(request, saved, secret=made)
            messages.success(request, _("%(name)s: saved.") % {"name": saved.name})
            return HttpResponseRedirect(reverse("console:alert-channel", args=[saved.pk]))
    except (ConflictError, IntegrityError) as error:
        form = refused_form(ChannelForm, request, row(), reason_not_saved(error))
    context = {"form": form, "channel": form.instance if channel_id else None}
    return render(request, "console/alert_channel_form.html", context)


@require_POST
@for_operators(Role.ADMIN)
def test_channel(request: HttpRequest, channel_id: str) -> HttpResponse:
    """Send a test message, and show what came of it."""
    found = _channel(channel_id)
    try:
        warning = services.test(found)
    except ChannelError as error:
        return _channel_page(request, found, failure=translated(error.reason))
    return _channel_page(request, found, was_sent=True, warning=translated(warning))


@require_POST
@for_operators(Role.ADMIN)
def new_secret(request: HttpRequest, channel_id: str) -> HttpResponse:
    """Give a webhook a new secret, which is shown once."""
    found = _channel(channel_id)
    if found.kind != ChannelKind.WEBHOOK:
        raise Http404
    secret = services.new_secret(found, by=actor(request))
    return _channel_page(request, found, secret=secret)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def delete_channel(request: HttpRequest, channel_id: str) -> HttpResponse:
    """Delete a channel, after a page that says which rules use it."""
    found = _channel(channel_id)
    refusal = ""
    if request.method == "POST":
        delete_it = partial(services.delete, found, by=actor(request))
        refusal = refusal_of_delete(request, found.name, delete_it, services.REFUSALS)
        if not refusal:
            return HttpResponseRedirect(reverse("console:alerts"))
    context = {"channel": found, "rules": services.rules_of(found), "refusal": refusal}
    return render(request, "console/alert_channel_delete.html", context)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def new_rule(request: HttpRequest) -> HttpResponse:
    """Create a rule."""
    return _rule_form(request, "")


@require_safe
@for_operators(Role.ADMIN)
def rule_offers(request: HttpRequest) -> HttpResponse:
    """The triggers that the form of a rule offers, once somebody is about to choose one."""
    rows = Trigger.objects.order_by("-pk").values_list("pk", "name")[:MOST_OFFERED]
    context = {"triggers": sorted(rows, key=lambda row: row[1].casefold())}
    return render(request, "console/alert_rule_offers.html", context)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def edit_rule(request: HttpRequest, rule_id: str) -> HttpResponse:
    """Change a rule."""
    return _rule_form(request, rule_id)


def _rule_form(request: HttpRequest, rule_id: str) -> HttpResponse:
    row = partial(_rule, rule_id) if rule_id else lambda: None
    form = bound_form(ConsoleRuleForm, request, row())
    if not rule_id:
        for name in ("trigger", "channel"):
            if given := request.GET.get(name, "")[:36]:
                form.initial[f"{name}_id"] = given
    try:
        if form.is_bound and form.is_valid():
            saved: Rule = form.save(commit=False)
            services.save_rule(saved, by=actor(request))
            messages.success(request, _("%(name)s: saved.") % {"name": saved.name})
            return HttpResponseRedirect(reverse("console:alerts"))
    except (ConflictError, IntegrityError) as error:
        form = refused_form(ConsoleRuleForm, request, row(), reason_not_saved(error))
    labels = {name: str(label) for name, label in RuleForm.Meta.labels.items()}
    context = {
        "form": form,
        "rule": form.instance if rule_id else None,
        "changes": changes_of(form.instance, labels) if rule_id else [],
        "has_channels": Channel.objects.exists(),
        "chosen": _trigger(form["trigger_id"].value()),
        "now": timezone.now(),
    }
    return render(request, "console/alert_rule_form.html", context)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def delete_rule(request: HttpRequest, rule_id: str) -> HttpResponse:
    """Delete a rule, after a question."""
    found = _rule(rule_id)
    refusal = ""
    if request.method == "POST":
        delete_it = partial(services.delete_rule, found, by=actor(request))
        refusal = refusal_of_delete(request, found.name, delete_it, services.REFUSALS)
        if not refusal:
            return HttpResponseRedirect(reverse("console:alerts"))
    context = {"rule": found, "refusal": refusal}
    return render(request, "console/alert_rule_delete.html", context)


@require_POST
@for_operators(Role.ADMIN)
def set_up(request: HttpRequest) -> HttpResponse:
    """Have failures told to the e-mail addresses that the dashboard's card sends."""
    recipients = request.POST.get("recipients", "").strip()
    try:
        made = services.make_default(recipients, get_language() or "en", by=actor(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return HttpResponseRedirect(reverse("console:dashboard"))
    messages.success(
        request, _("Failures are told to %(name)s. Send a test message now.") % {"name": made.name}
    )
    return HttpResponseRedirect(reverse("console:alert-channel", args=[made.pk]))


def suggestion(request: HttpRequest) -> dict[str, Any] | None:
    """What the dashboard's card offers while nobody is told of failures; None for no card."""
    operator = request.user
    if not isinstance(operator, Operator) or any(rule.enabled for rule in Rule.objects.all()[:50]):
        return None
    return {"recipients": operator.email, "may": operator.has_role(Role.ADMIN)}
