"""The pages that ask before something is done to several triggers."""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.selection import MOST, Selection
from triggers.models import Trigger

TITLES = {
    "enable": _("Enable"),
    "disable": _("Disable"),
    "pause": _("Pause"),
    "resume": _("Resume"),
    "run": _("Run now"),
    "delete": _("Delete"),
    "synchronize": _("Sync"),
}


def asked(request: HttpRequest, action: str, chosen: Selection, back: str) -> HttpResponse | None:
    """The page that asks first; None for what needs no question."""
    if action == "delete":
        context = {"triggers": chosen.triggers, "chosen": chosen, "back": back}
        return render(request, "console/delete.html", {**context, "most": MOST})
    if action == "run" and len(chosen.triggers) > 1:
        return _ask_to_run(request, chosen, back)
    return ask(request, action, chosen, back) if chosen.is_all else None


def ask(
    request: HttpRequest, action: str, chosen: Selection, back: str, *, goes_on: bool = False
) -> HttpResponse:
    """Show the triggers that an action is for, or for which there was no time (`goes_on`)."""
    context = {
        "action": action,
        "title": TITLES[action],
        "chosen": chosen,
        "back": back,
        "most": MOST,
        "goes_on": goes_on,
    }
    return render(request, "console/act_on_many.html", context)


def _ask_to_run(request: HttpRequest, chosen: Selection, back: str) -> HttpResponse:
    """Show which of the triggers would run now, and which are busy, before any does."""
    now = timezone.now()
    ready: list[Trigger] = []
    busy: list[Trigger] = []
    for trigger in chosen.triggers:
        is_busy = trigger.is_held(now)
        (busy if is_busy else ready).append(trigger)
    context = {
        "ready": ready,
        "busy": busy,
        "chosen": replace(chosen, triggers=ready),
        "back": back,
        "most": MOST,
    }
    return render(request, "console/run_now.html", context)
