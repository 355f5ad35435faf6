"""The pages of deliveries: the list of messages, and one message with what it said."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from alerts import services, texts
from alerts.models import Delivery, DeliveryState
from console.access import for_operators
from console.filters import FilterForm
from moca.authentication.models import Role
from moca.paging import read_page
from moca.reasons import shown

PAGE = 25
KINDS = {
    DeliveryState.WAITING: "busy",
    DeliveryState.SENT: "good",
    DeliveryState.UNDELIVERED: "bad",
}


class DeliveryFilters(FilterForm):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All states")), *DeliveryState.choices],
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as pages show it."""

    delivery: Delivery
    subject: str
    error: str

    @property
    def kind(self) -> str:
        return KINDS[DeliveryState(self.delivery.state)]


def _row(delivery: Delivery) -> Row:
    subject = texts.text_of(delivery, get_language() or "en").subject
    return Row(delivery, subject.removeprefix(texts.PREFIX), shown(delivery, "error"))


@require_safe
@for_operators()
def deliveries(request: HttpRequest) -> HttpResponse:
    """All messages, the newest first."""
    filters = DeliveryFilters(request.GET)
    state = filters.chosen.get("state", "")
    rows = Delivery.objects.filter(state=state) if state else Delivery.objects.all()
    page = read_page(rows, request.GET.get("p", ""), PAGE, is_narrowed=bool(state))
    context = {
        "filters": filters,
        "page": page,
        "rows": [_row(delivery) for delivery in page.rows],
        "now": timezone.now(),
    }
    return render(request, "console/deliveries.html", context)


def _find(delivery_id: str) -> Delivery:
    found: Delivery | None = Delivery.objects.filter(pk=delivery_id).first()
    if found is None:
        raise Http404
    return found


@require_GET
@for_operators()
def delivery(request: HttpRequest, delivery_id: str) -> HttpResponse:
    """One message: its state, its tries, and what it said."""
    found = _find(delivery_id)
    context: dict[str, Any] = {
        "row": _row(found),
        "delivery": found,
        "text": texts.text_of(found, get_language() or "en"),
        "is_waiting": found.state == DeliveryState.WAITING,
        "now": timezone.now(),
    }
    return render(request, "console/delivery.html", context)


@require_POST
@for_operators(Role.EDITOR)
def send_again(request: HttpRequest, delivery_id: str) -> HttpResponse:
    """Have a message sent again, with the same id."""
    found = _find(delivery_id)
    if services.send_again(found, timezone.now()):
        messages.success(request, _("The message is sent within a minute."))
    else:
        messages.warning(request, _("Somebody else has just had it sent, or it is being sent."))
    return HttpResponseRedirect(reverse("console:delivery", args=[found.pk]))
