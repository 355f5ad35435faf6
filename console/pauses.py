"""Pages that pause: the form for chosen triggers, and the switch for the whole installation."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from console.access import for_operators
from console.selection import MOST, Selection
from console.times import times_of
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import ConflictError, reason_of
from triggers import pauses
from triggers.models import MAX_PAUSE_NOTE

OTHER = "other"


class PauseForm(forms.Form):
    """How long to pause, and why."""

    end = forms.ChoiceField(
        label=gettext_lazy("Until"),
        choices=[
            ("1h", gettext_lazy("In 1 hour")),
            ("tomorrow 09:00", gettext_lazy("Tomorrow 09:00")),
            ("monday 09:00", gettext_lazy("Monday 09:00")),
            ("", gettext_lazy("Until I resume")),
            (OTHER, gettext_lazy("Another time")),
        ],
        required=False,
        initial="1h",
        widget=forms.RadioSelect,
    )
    other = forms.CharField(
        label=gettext_lazy("Another time"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=MAX_PAUSE_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Why, for those who find it paused."),
    )

    def __init__(self, data: QueryDict | None = None, *, zone: tzinfo | None = None) -> None:
        super().__init__(data)
        self.zone = zone
        words = (
            gettext_lazy("By the clock of each schedule, and by UTC for events.")
            if zone is None
            else _("By the clock of %(zone)s.") % {"zone": zone}
        )
        self.fields["other"].help_text = words

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        end = cleaned.get("end", "")
        if end == OTHER:
            end = cleaned.get("other", "")
            if not end:
                self.add_error("other", _("Give a date and time."))
                return cleaned
        try:
            pauses.parse_end(end, timezone.now(), self.zone or UTC)
        except ValidationError as error:
            self.add_error("other", error)
        return cleaned | {"until": end}

    @property
    def until(self) -> str:
        """The end, as `pauses.parse_end()` reads it."""
        return str(self.cleaned_data["until"])


def form_of(request: HttpRequest, chosen: Selection) -> PauseForm:
    """The form for chosen triggers; bound once it has been sent."""
    zones = {str(pauses.zone_of(trigger)): pauses.zone_of(trigger) for trigger in chosen.triggers}
    zone = next(iter(zones.values())) if len(zones) == 1 else None
    return PauseForm(request.POST if "sure" in request.POST else None, zone=zone)


def ask(request: HttpRequest, form: PauseForm, chosen: Selection, back: str) -> HttpResponse:
    """The page that asks how long to pause chosen triggers."""
    context = {"form": form, "chosen": chosen, "back": back, "most": MOST}
    return render(request, "console/pause.html", context)


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def installation(request: HttpRequest) -> HttpResponse:
    """The switch that pauses the whole installation."""
    zone = times_of(request).zone or UTC
    now = timezone.now()
    form = PauseForm(request.POST if request.method == "POST" else None, zone=zone)
    if request.method == "POST" and form.is_valid():
        end: datetime | None = pauses.parse_end(form.until, now, zone)
        pauses.pause_installation(end, by=actor(request), note=form.cleaned_data["note"])
        messages.success(request, _("The whole installation is paused."))
        return HttpResponseRedirect(reverse("console:dashboard"))
    context = {"form": form, "pause": pauses.installation_pause(now), "now": now}
    return render(request, "console/pause_installation.html", context)


@require_POST
@for_operators(Role.EDITOR)
def resume_installation(request: HttpRequest) -> HttpResponse:
    """End the pause of the whole installation."""
    try:
        pauses.resume_installation(by=actor(request))
    except ConflictError as error:
        messages.warning(request, reason_of(error))
    else:
        messages.success(request, _("Triggers fire again."))
    return HttpResponseRedirect(reverse("console:dashboard"))
