"""The page that makes up for missed and failed runs; what a trigger's page says of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from console import chains
from console.access import for_operators
from console.lookups import find_trigger
from executions.backfill import services
from executions.backfill.model import (
    DEFAULT_AT_ONCE,
    DEFAULT_PER_MINUTE,
    MOST_AT_ONCE,
    MOST_PER_MINUTE,
    Backfill,
    BackfillKind,
)
from executions.backfill.plan import Item, Plan, Wanted, make_plan
from executions.runner import spending
from moca import reasons
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import ConflictError, reason_of
from moca.display import duration
from moca.reasons import translated
from moca.times import iso, parse_local
from triggers import budgets
from triggers.models import Outcome, Trigger, TriggerType
from triggers.pauses import zone_of
from triggers.statistics import DAY, Tally, start_of

# How many runs of a preview and how many backfills the page shows.
NAMED, LISTED = 50, 50
# For how many days the page of a trigger offers to run what was missed.
OFFERED_DAYS = 7
# The form's field for each part of a request.
FIELDS = {"from": "since", "to": "until", "perMinute": "per_minute", "atOnce": "at_once"}


class BackfillForm(forms.Form):
    """Asks which runs to make up for, and at which pace."""

    kind = forms.ChoiceField(label=gettext_lazy("What"), choices=BackfillKind.choices)
    since = forms.CharField(
        label=gettext_lazy("From"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
    )
    until = forms.CharField(
        label=gettext_lazy("To"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text=gettext_lazy("Empty: now."),
    )
    newest_first = forms.BooleanField(label=gettext_lazy("The newest first"), required=False)
    with_left_out = forms.BooleanField(
        label=gettext_lazy("Also what was due while the trigger was disabled or paused"),
        required=False,
    )
    per_minute = forms.IntegerField(
        label=gettext_lazy("Runs per minute"),
        min_value=1,
        max_value=MOST_PER_MINUTE,
        initial=DEFAULT_PER_MINUTE,
    )
    at_once = forms.IntegerField(
        label=gettext_lazy("Runs at once"),
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=DEFAULT_AT_ONCE,
        help_text=gettext_lazy("One, if the runs of the trigger may not overlap."),
    )

    def __init__(self, data: QueryDict | None, *, zone: tzinfo, now: datetime) -> None:
        day_ago = (now - DAY).astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
        super().__init__(data, initial={"since": day_ago.isoformat(timespec="minutes")})
        self._zone = zone
        self.fields["since"].help_text = _("By the clock of %(zone)s.") % {"zone": zone}

    def clean_since(self) -> datetime | None:
        return self._moment("since")

    def clean_until(self) -> datetime | None:
        return self._moment("until")

    def _moment(self, name: str) -> datetime | None:
        text = self.cleaned_data[name].strip()
        if not text:
            return None
        try:
            return parse_local(text, self._zone)
        except (ValueError, OverflowError):
            raise ValidationError(
                _("Give a date and time, such as 2027-01-31T09:00."), code="invalid"
            ) from None

    @property
    def wanted(self) -> Wanted:
        """What the form asks for."""
        return Wanted(**self.cleaned_data)

    def refuse(self, error: ValidationError) -> None:
        """Show the errors of a request at their fields."""
        for name, found in error.message_dict.items():
            for message in found:
                self.add_error(FIELDS.get(name, name if name in self.fields else None), message)


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def backfill(request: HttpRequest, trigger_id: str) -> HttpResponse:
    """Preview a backfill of a trigger, start it, and see how far the earlier ones are."""
    trigger = find_trigger(trigger_id)
    now = timezone.now()
    posted = request.POST if request.method == "POST" else None
    form = BackfillForm(posted, zone=zone_of(trigger), now=now)
    plan: Plan | None = None
    if posted and form.is_valid():
        try:
            if "start" in posted:
                _start(request, trigger, form.wanted)
                return HttpResponseRedirect(reverse("console:backfill", args=[trigger.pk]))
            plan = make_plan(trigger, form.wanted, now)
        except ValidationError as error:
            form.refuse(error)
        except services.NotFiringError as error:
            messages.warning(request, str(error))
    found = list(Backfill.objects.of_trigger(trigger.pk)[:LISTED])
    context = {
        **chains.of_trigger(trigger),
        "trigger": trigger,
        "form": form,
        "plan": plan,
        "shown": _shown(plan, trigger) if plan else None,
        "rows": [(each, reasons.shown(each, "reason")) for each in found],
        "is_running": any(each.is_running for each in found),
        "now": now,
        "zone": zone_of(trigger),
    }
    return render(request, "console/backfill.html", context)


def _start(request: HttpRequest, trigger: Trigger, wanted: Wanted) -> None:
    plan, started = services.start(trigger, wanted, by=actor(request))
    if started is None:
        messages.info(request, _("There is nothing to run: each of these has run, or is waiting."))
        return
    number = len(plan.items)
    words = ngettext(
        "%(number)s run will be made up for.", "%(number)s runs will be made up for.", number
    )
    messages.success(request, words % {"number": number})


@require_POST
@for_operators(Role.EDITOR)
def stop(request: HttpRequest, trigger_id: str, backfill_id: str) -> HttpResponse:
    """Begin no further run of a backfill."""
    found = Backfill.objects.filter(trigger_id=trigger_id, pk=backfill_id).first()
    if found is not None:
        try:
            services.stop(found, by=actor(request))
        except ConflictError as error:
            messages.warning(request, reason_of(error))
    return HttpResponseRedirect(reverse("console:backfill", args=[trigger_id]))


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """A plan in words for the page."""

    items: list[Item]
    more: int
    length: str
    finish: str
    tokens: int
    cost: str


def _shown(plan: Plan, trigger: Trigger) -> ShownPlan:
    estimate = plan.estimate
    usage = {"inputTokens": estimate.input_tokens, "outputTokens": estimate.output_tokens}
    price = spending.price_for(trigger, trigger.agent_id)
    return ShownPlan(
        plan.items[:NAMED],
        max(0, len(plan.items) - NAMED),
        duration(estimate.milliseconds) if estimate.based_on else "",
        duration(1000 * estimate.seconds),
        estimate.input_tokens + estimate.output_tokens,
        translated(budgets.amount("cost", budgets.micros_of(usage, price))) if price else "",
    )


@dataclass(frozen=True, slots=True)
class Missed:
    """Runs that a trigger has missed lately, for its page.

    Attributes:
        number: how many; 0 if they are too many for one backfill.
        first: when the first of them was due.
        last: when the last of them was due.
        since: the moment that a backfill begins with, as a form sends it.
    """

    number: int
    first: datetime | None
    last: datetime | None
    since: str


def missed_lately(trigger: Trigger, days: list[Tally], now: datetime) -> Missed | None:
    """What the trigger has missed in the last days and not made up for; None if nothing.

    Args:
        trigger: the trigger.
        days: the counts of its last days, which say whether a run was missed at all.
        now: the present.
    """
    if trigger.type != TriggerType.SCHEDULE:
        return None
    noted = [day for day in days[-OFFERED_DAYS:] if day.outcomes.get(Outcome.MISSED)]
    if not noted:
        return None
    # A run was due before it was noted as missed.
    since = max(start_of(noted[0], DAY) - DAY, now - timedelta(days=OFFERED_DAYS))
    try:
        plan = make_plan(trigger, Wanted(since=since), now)
    except ValidationError:
        return Missed(0, None, None, iso(since))
    if not plan.items:
        return None
    return Missed(len(plan.items), plan.items[0].due, plan.items[-1].due, iso(since))
