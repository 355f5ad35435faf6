"""The pages of budgets: prices and users' budgets with their forms and deletions, and the bars.

Only admins change prices and users' budgets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import page_versions
from console.access import for_operators
from console.lookups import names_of
from console.records import bound_form, reason_not_saved, refusal_of_delete, refused_form
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import ConflictError, reason_of
from moca.display import exact
from moca.forms import VersionedForm
from moca.reasons import translated
from triggers import budget_records, budgets
from triggers.models import Price, Trigger, UserBudget

# How many users' budgets the page shows, each of which takes a read, and the dashboard names.
MOST, NAMED = 100, 5


class _KeyedForm(VersionedForm):
    """A form of a row whose key cannot be changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields.pop(self.instance._meta.pk.name, None)


class PriceForm(_KeyedForm):
    kind = gettext_lazy("price")

    class Meta:
        model = Price
        fields = [
            "id",
            *("input_price", "output_price", "cache_read_price", "cache_write_price"),
            "input_has_cached",
        ]
        labels: ClassVar[dict[str, Any]] = {
            "id": gettext_lazy("Model or agent"),
            "input_price": gettext_lazy("Input"),
            "output_price": gettext_lazy("Output"),
            "cache_read_price": gettext_lazy("Cache read"),
            "cache_write_price": gettext_lazy("Cache write"),
            "input_has_cached": gettext_lazy("The input counts cached tokens as well"),
        }

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in self.fields:
            # An empty price is 0.
            if name.endswith("_price") and cleaned is not None and cleaned.get(name) is None:
                cleaned[name] = 0.0
        return cleaned


class UserBudgetForm(_KeyedForm):
    kind = gettext_lazy("budget")

    class Meta:
        model = UserBudget
        fields = [
            "user_id",
            "timezone",
            *("max_tokens_per_day", "max_tokens_per_month"),
            *("max_cost_per_day", "max_cost_per_month"),
        ]
        labels: ClassVar[dict[str, Any]] = {
            "user_id": gettext_lazy("User"),
            "timezone": gettext_lazy("Time zone"),
            "max_tokens_per_day": gettext_lazy("Tokens per day"),
            "max_tokens_per_month": gettext_lazy("Tokens per month"),
            "max_cost_per_day": gettext_lazy("Money per day"),
            "max_cost_per_month": gettext_lazy("Money per month"),
        }
        help_texts: ClassVar[dict[str, Any]] = dict.fromkeys(
            ["max_tokens_per_day", "max_tokens_per_month", "max_cost_per_day"],
            gettext_lazy("Empty: no limit."),
        ) | {"max_cost_per_month": gettext_lazy("Empty: no limit.")}


@dataclass(frozen=True, slots=True)
class Bar:
    """How a limit stands, as pages show it.

    Attributes:
        label: the period of the limit.
        percent: what is spent, in percent of the limit; more than 100 if it is exceeded.
        kind: good, warn or bad.
        words: what is spent, and of how much.
        resets: when the period ends, in words.
    """

    label: str
    percent: int
    kind: str
    words: str
    resets: str

    @property
    def width(self) -> int:
        """The length of the bar, in percent."""
        return min(self.percent, 100)


def bars(owner: budgets.Owner | None, now: datetime) -> list[Bar]:
    """The bars of an owner's limits; none without a budget."""
    return [_bar(each, owner) for each in budgets.standings(owner, now)] if owner else []


def _bar(standing: budgets.Standing, owner: budgets.Owner) -> Bar:
    limit = standing.limit
    kind = "good"
    if standing.is_nearly_used_up:
        kind = "bad" if standing.is_used_up else "warn"
    values = {
        "spent": budgets.bare(limit.unit, standing.spent),
        "most": translated(budgets.amount(limit.unit, limit.most)),
    }
    return Bar(
        label=_("Today") if limit.period == "day" else _("This month"),
        percent=standing.percent,
        kind=kind,
        words=_("%(spent)s of %(most)s") % values,
        resets=exact(standing.resets_at, owner.zone),
    )


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user's budget as lists show it."""

    budget: UserBudget
    name: str
    bars: list[Bar]
    is_used_up: bool


def user_rows(found: list[UserBudget], now: datetime) -> list[UserRow]:
    """Users' budgets as pages show them; a read for each."""
    names = names_of([row.pk for row in found]) if found else {}
    return [
        UserRow(
            row, names.get(row.pk, row.pk), bars(budgets.Owner.user(row), now), row.is_used_up(now)
        )
        for row in found
    ]


def used_up(now: datetime) -> dict[str, Any]:
    """The users whose budgets are used up, for the dashboard."""
    found = budgets.used_up(now)
    return {
        "used_up": user_rows(found[:NAMED], now),
        "other_used_up": len(found) - NAMED,
    }


def of_trigger(trigger: Trigger, now: datetime) -> dict[str, Any]:
    """The bars of a trigger, and those of its user, for the trigger's page."""
    budget = budgets.budget_of(trigger.user_id)
    return {
        "budget_bars": bars(budgets.Owner.trigger(trigger), now),
        "user_bars": bars(budgets.Owner.user(budget), now) if budget else [],
        "user_is_used_up": bool(budget and budget.is_used_up(now)),
        "run_limits": [
            translated(budgets.amount(limit.unit, limit.most)) for limit in trigger.run_limits
        ],
    }


def _turns(**_path: str) -> page_versions.Turns:
    return [[page_versions.changes]]


@require_GET
@for_operators()
@page_versions.polled(_turns)
def overview(request: HttpRequest) -> HttpResponse:
    """All prices and users' budgets."""
    found = list(UserBudget.objects.all()[: MOST + 1])
    context = {
        "prices": list(Price.objects.all()[: budgets.MOST_ROWS]),
        "users": user_rows(found[:MOST], timezone.now()),
        "has_more": len(found) > MOST,
        "most": MOST,
        "currency": settings.BUDGET_CURRENCY,
    }
    return render(request, "console/budgets.html", context)


def _row(model: Any, key: str) -> Any:
    found = model.objects.filter(pk=key).first()
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def new_price(request: HttpRequest) -> HttpResponse:
    """Enter a price."""
    return _form(request, PriceForm, lambda: None)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def price(request: HttpRequest, key: str) -> HttpResponse:
    """Change a price."""
    return _form(request, PriceForm, partial(_row, Price, key))


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def new_user(request: HttpRequest) -> HttpResponse:
    """Give a user a budget."""
    return _form(request, UserBudgetForm, lambda: None)


@require_http_methods(["GET", "POST"])
@for_operators(Role.ADMIN)
def user(request: HttpRequest, key: str) -> HttpResponse:
    """Change a user's budget."""
    return _form(request, UserBudgetForm, partial(_row, UserBudget, key))


def _form(request: HttpRequest, kind: type[_KeyedForm], row: Callable[[], Any]) -> HttpResponse:
    form = bound_form(kind, request, row())
    try:
        if form.is_bound and form.is_valid():
            saved = form.save(commit=False)
            budget_records.save(saved, by=actor(request))
            messages.success(request, _("%(name)s: saved.") % {"name": saved})
            return HttpResponseRedirect(reverse("console:budgets"))
    except (ConflictError, IntegrityError) as error:
        form = refused_form(kind, request, row(), reason_not_saved(error))
    stored = None if form.instance._state.adding else form.instance
    context = {
        "form": form,
        "row": stored,
        "is_price": kind is PriceForm,
        "currency": settings.BUDGET_CURRENCY,
    }
    return render(request, "console/budget_form.html", context)


@require_POST
@for_operators(Role.ADMIN)
def delete_price(request: HttpRequest, key: str) -> HttpResponse:
    """Delete a price."""
    return _delete(request, _row(Price, key))


@require_POST
@for_operators(Role.ADMIN)
def delete_user(request: HttpRequest, key: str) -> HttpResponse:
    """Delete a user's budget."""
    return _delete(request, _row(UserBudget, key))


def _delete(request: HttpRequest, row: Any) -> HttpResponse:
    delete_it = partial(budget_records.delete, row, by=actor(request))
    if refusal := refusal_of_delete(request, str(row), delete_it, budget_records.REFUSALS):
        messages.warning(request, refusal)
    return HttpResponseRedirect(reverse("console:budgets"))


@require_POST
@for_operators(Role.ADMIN)
def resume_user(request: HttpRequest, key: str) -> HttpResponse:
    """Let a user's triggers fire again, although the budget is used up."""
    found = _row(UserBudget, key)
    try:
        budgets.resume_user(found.pk, by=actor(request))
    except budget_records.REFUSALS as error:
        messages.warning(request, reason_of(error))
    else:
        messages.success(request, _("The triggers of %(name)s fire again.") % {"name": found})
    return HttpResponseRedirect(reverse("console:budgets"))
