"""The pages of API keys and fire tokens: lists, forms, and the one answer that shows a secret."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import for_operators
from console.lookups import find_trigger, names_of
from moca.admin import actor, operator_of
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey, Scope
from moca.authentication.models import Operator, Role
from moca.concurrency import ConflictError, reason_of
from moca.public_address import public_address
from triggers import fire_tokens
from triggers.models import Trigger

# How many keys the page shows.
MOST = 300
LIFETIMES = (
    (30, gettext_lazy("30 days")),
    (90, gettext_lazy("90 days")),
    (365, gettext_lazy("a year")),
    (0, gettext_lazy("no end")),
)


# What the page offers for the key of an assistant that looks after triggers.
FOR_AGENTS = {
    "scopes": [Scope.READ.value, Scope.RUN.value, Scope.WRITE.value],
    "is_agent": True,
}


class KeyForm(forms.ModelForm):
    """The form of a new key, whose owner is in `instance` unless the form chooses another one."""

    owner = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        help_text=gettext_lazy("You, or a service account, whose role and triggers count then."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=Scope.choices,
        initial=[Scope.READ.value],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose one or more.")},
    )
    trigger_ids = forms.CharField(
        label=gettext_lazy("Only these triggers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy("Names or ids of triggers, one a line. Empty: all of the owner."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Valid for"), choices=LIFETIMES, coerce=int, initial=90
    )

    class Meta:
        model = APIKey
        fields = [
            *("name", "scopes", "trigger_ids", "is_agent", "may_enable"),
            *("min_interval_minutes", "max_triggers"),
        ]
        labels: ClassVar[dict[str, Any]] = {
            "name": gettext_lazy("Name"),
            "is_agent": gettext_lazy("An agent uses it"),
            "may_enable": gettext_lazy("No person has to enable what the agent writes"),
            "min_interval_minutes": gettext_lazy("Minutes between two runs"),
            "max_triggers": gettext_lazy("Triggers at most"),
        }

    field_order = ["name", "owner", "scopes", "trigger_ids", "days"]

    def __init__(self, operator: Operator, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owners = [(operator.subject, operator.username)]
        if operator.has_role(Role.ADMIN):
            accounts = Operator.objects.filter(is_service=True, is_active=True)
            owners += accounts.values_list("subject", "username")
        self.fields["owner"].choices = owners  # type: ignore[attr-defined]
        if len(owners) == 1:
            del self.fields["owner"]
            self.instance.user_id = operator.subject

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if owner := cleaned.get("owner"):
            self.instance.user_id = owner
        try:
            cleaned["trigger_ids"] = _ids_of(cleaned.get("trigger_ids", ""), self.instance.user_id)
        except ValidationError as error:
            self.add_error("trigger_ids", error)
        days = cleaned.get("days")
        self.instance.expires_at = timezone.now() + timedelta(days=days) if days else None
        return cleaned


def _ids_of(entered: str, user_id: str) -> list[str]:
    """The ids of a user's triggers that are entered by their names or ids, one a line.

    Raises:
        ValidationError: the user has no such trigger, or several of a name. A key for a trigger
            that does not exist would be refused everywhere.
    """
    lines = dict.fromkeys(line.strip() for line in entered.splitlines())
    if not (wanted := [line for line in lines if line]):
        return []
    own = dict(Trigger.objects.of_user(user_id).values_list("pk", "name"))
    ids = []
    for line in wanted:
        found = [line] if line in own else [pk for pk, name in own.items() if name.strip() == line]
        if not found:
            message = _("The owner of the key has no trigger %(name)s: give its name or id.")
            raise ValidationError(message % {"name": line})
        if len(found) > 1:
            message = _("The owner of the key has several triggers %(name)s: give the id of one.")
            raise ValidationError(message % {"name": line})
        ids += found
    return list(dict.fromkeys(ids))


@require_safe
@for_operators()
def overview(request: HttpRequest) -> HttpResponse:
    """Your keys; admins see all."""
    operator = operator_of(request)
    rows = APIKey.objects.all()
    if not operator.has_role(Role.ADMIN):
        rows = rows.filter(user_id=operator.subject)
    found = list(rows[: MOST + 1])
    names = names_of([key.user_id for key in found]) if found else {}
    context = {
        "now": timezone.now(),
        "keys": [(key, names.get(key.user_id, key.user_id)) for key in found[:MOST]],
        "has_more": len(found) > MOST,
        "most": MOST,
        "sees_all": operator.has_role(Role.ADMIN),
    }
    return render(request, "console/api_keys.html", context)


@sensitive_variables("text")
@require_http_methods(["GET", "POST"])
@for_operators()
def new(request: HttpRequest) -> HttpResponse:
    """Make a key. Its text is shown once, in the response.

    `?for=agent` offers the scopes that an assistant needs, because it could only read by default.
    """
    entered = request.POST if request.method == "POST" else None
    initial = FOR_AGENTS if request.GET.get("for") == "agent" else None
    form = KeyForm(operator_of(request), entered, initial=initial)
    if form.is_bound and form.is_valid():
        key = form.save(commit=False)
        try:
            text = services.make(key, by=actor(request))
        except ValidationError as error:
            _add_errors(form, error)
        else:
            return render(request, "console/api_key_shown.html", {"key": key, "secret": text})
    return render(request, "console/api_key_form.html", {"form": form})


def _add_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Show a model's errors at the fields that the form has, and the others above it."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


@require_POST
@for_operators()
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """Revoke a key."""
    operator = operator_of(request)
    key = APIKey.objects.filter(pk=key_id).first()
    if key is None or not (key.user_id == operator.subject or operator.has_role(Role.ADMIN)):
        raise Http404
    try:
        services.revoke(key, by=actor(request))
    except (ConflictError, APIKey.DoesNotExist) as error:
        messages.warning(request, reason_of(error))
    else:
        messages.success(request, _("%(name)s: revoked.") % {"name": key})
    return HttpResponseRedirect(reverse("console:keys"))


@sensitive_variables("text", "address")
@require_POST
@for_operators(Role.EDITOR)
def make_fire_token(request: HttpRequest, trigger_id: str) -> HttpResponse:
    """Give a trigger a new fire token, which is shown once, in the response."""
    trigger = find_trigger(trigger_id)
    try:
        text = fire_tokens.make(trigger, by=actor(request))
    except ConflictError as error:
        messages.warning(request, reason_of(error))
        return HttpResponseRedirect(reverse("console:trigger", args=[trigger_id]))
    address = public_address(request, "api-fire")
    context = {"trigger": trigger, "secret": text, "address": f"{address}/{text}"}
    return render(request, "console/fire_token_shown.html", context)


@require_POST
@for_operators(Role.EDITOR)
def end_fire_token(request: HttpRequest, trigger_id: str) -> HttpResponse:
    """End the fire token of a trigger."""
    trigger = find_trigger(trigger_id)
    try:
        fire_tokens.end(trigger, by=actor(request))
    except ConflictError as error:
        messages.warning(request, reason_of(error))
    else:
        messages.success(request, _("The fire token has ended."))
    return HttpResponseRedirect(reverse("console:trigger", args=[trigger_id]))
