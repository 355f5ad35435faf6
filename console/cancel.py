"""The page that asks before it cancels a run."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from console.access import for_operators
from console.lookups import find_execution
from executions.runner.cancel import NOT_CANCELLED, cancel_run
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import reason_of
from triggers.models import RunStatus


@require_http_methods(["GET", "POST"])
@for_operators(Role.EDITOR)
def cancel(request: HttpRequest, trigger_id: str, execution_id: str) -> HttpResponse:
    """Cancel a run, after a page that says what happens then."""
    found = find_execution(trigger_id, execution_id)
    back = HttpResponseRedirect(reverse("console:run", args=[trigger_id, execution_id]))
    if request.method == "POST":
        try:
            cancel_run(found, by=actor(request))
        except NOT_CANCELLED as error:
            messages.warning(request, _("Not cancelled: %(reason)s") % {"reason": reason_of(error)})
        return back
    found.close_if_lost(timezone.now())
    if found.status != RunStatus.RUNNING or found.cancel_requested_at:
        return back
    context = {"execution": found, "trigger": found.find_trigger()}
    return render(request, "console/cancel_run.html", context)
