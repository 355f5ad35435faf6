"""The page of a trigger's prompts: which there were, how two of them differ, and the way back."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import for_operators
from console.lookups import find_trigger
from console.prompt_diff import difference
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import reason_of
from triggers import services
from triggers.prompt_versions import PromptVersion, versions_of


@require_safe
@for_operators()
def versions(request: HttpRequest, trigger_id: str) -> HttpResponse:
    """The versions; `from` and `to` name those that are compared."""
    trigger = find_trigger(trigger_id)
    known = versions_of(trigger)
    to = _chosen(known, request.GET.get("to", ""), known[0])
    before = known[known.index(to) + 1 :]
    start = _chosen(known, request.GET.get("from", ""), before[0] if before else to)
    context = {
        "trigger": trigger,
        "now": timezone.now(),
        "versions": known,
        "present": known[0],
        "start": start,
        "to": to,
        "pieces": difference(start.prompt, to.prompt),
    }
    return render(request, "console/prompt_versions.html", context)


def _chosen(known: list[PromptVersion], key: str, default: PromptVersion) -> PromptVersion:
    if not key:
        return default
    found = next((each for each in known if each.id == key), None)
    if found is None:
        raise Http404(_("There is no such version of the prompt."))
    return found


@require_POST
@for_operators(Role.EDITOR)
def restore(request: HttpRequest, trigger_id: str) -> HttpResponse:
    """Give a trigger one of its earlier prompts."""
    trigger = find_trigger(trigger_id)
    here = reverse("console:prompt-versions", args=[trigger_id])
    known = versions_of(trigger)
    earlier = _chosen(known, request.POST.get("version", ""), known[0])
    try:
        services.set_prompt(trigger, earlier.prompt, by=actor(request))
    except services.REFUSALS as error:
        messages.warning(request, _("Not restored: %(reason)s") % {"reason": reason_of(error)})
    else:
        messages.success(request, _("The trigger has this prompt again, from its next run on."))
    return HttpResponseRedirect(here)
