"""The view that takes a person's answers to an agent's questions."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from console import runs
from console.access import for_operators
from console.answer_form import AnswerForm
from console.lookups import find_execution
from executions.answers import InvalidAnswersError
from executions.runner.answer import NotWaitingError, answer_run
from executions.runner.manual import NOT_RUN
from moca.admin import actor
from moca.authentication.models import Role
from moca.concurrency import reason_of


@require_POST
@for_operators(Role.EDITOR)
def answer(request: HttpRequest, trigger_id: str, execution_id: str) -> HttpResponse:
    """Answer the questions of a run, and redirect to the run that continues it."""
    found = find_execution(trigger_id, execution_id)
    form = AnswerForm(found.questions or [], request.POST)
    if form.is_valid():
        try:
            made = answer_run(found, form.answers, by=actor(request))
        except InvalidAnswersError as error:
            for fault in error.faults:
                form.add_fault(fault)
        except (NotWaitingError, *NOT_RUN) as error:
            reason = {"reason": reason_of(error)}
            messages.warning(request, _("The answer was not sent: %(reason)s") % reason)
            here = reverse("console:run", args=[trigger_id, execution_id])
            return HttpResponseRedirect(here)
        else:
            return HttpResponseRedirect(reverse("console:run", args=[made.trigger_id, made.pk]))
    return render(request, "console/run.html", runs.context_of(found, form))
