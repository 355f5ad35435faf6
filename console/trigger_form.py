"""The form in which operators create and edit a trigger, with its previews."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from console.access import for_operators
from console.event_tester import preview_prompt, sample_of, test
from console.lookups import agents_offered, find_trigger
from console.preview import preview as preview_of
from console.preview import with_creation
from moca.admin import actor, operator_of
from moca.authentication.models import Operator, Role
from moca.concurrency import reason_of
from moca.reconcile import ProjectionError
from triggers import services
from triggers.forms import TriggerForm
from triggers.models import OverlapPolicy, Trigger, TriggerType
from triggers.sections import SECTIONS, Section, entries_on_pages

# The section of what few triggers need, and the one that is shown within the schedule.
OPTIONS, CALENDAR = "limits", "calendar"
CALENDAR_SECTION = next(section for section in SECTIONS if section.key == CALENDAR)
NOT_SAVED: tuple[type[Exception], ...] = (*services.REFUSALS, IntegrityError)


class ShownSection:
    """A section of the form.

    The section of options and that of the calendar are folded while their fields have default
    values.
    """

    def __init__(self, form: TriggerForm, section: Section) -> None:
        self.key, self.title = section.key, section.title
        self.fields = [
            form[each.name] for each in entries_on_pages(section.key) if each.name in form.fields
        ]
        self.is_folded = section.key in (OPTIONS, CALENDAR) and not any(
            field.errors or _is_unusual(form, field) for field in self.fields
        )


def _is_unusual(form: TriggerForm, field: BoundField) -> bool:
    """Whether a field holds something other than a new trigger has."""
    value = field.value()
    if value in (None, "", [], form.owner) or field.name == "every_unit":
        return False
    if field.name == "overlap_policy":
        return bool(value != OverlapPolicy.default_for(form["type"].value()))
    model_fields = {each.name: each for each in Trigger._meta.fields}
    known = model_fields.get(field.name)
    if known is None:
        # A box that is not ticked.
        return value is not False
    return str(value) != str(known.get_default())


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@for_operators(Role.EDITOR)
def new(request: HttpRequest) -> HttpResponse:
    """Create a trigger.

    In the query, `copy` names a trigger to copy, `source` an event source, `agent` an agent.
    """
    if key := request.GET.get("copy"):
        return _form(request, None, find_trigger(key))
    initial: dict[str, Any] = {}
    if event_source := request.GET.get("source"):
        initial = {"type": TriggerType.EVENT, "event_source_id": event_source}
    if agent_id := request.GET.get("agent"):
        initial["agent_id"] = agent_id
    return _form(request, None, None, initial)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@for_operators(Role.EDITOR)
def edit(request: HttpRequest, trigger_id: str) -> HttpResponse:
    return _form(request, find_trigger(trigger_id), None)


def _copy_of(source: Trigger) -> Trigger:
    """A copy of a trigger, including settings that are not in the form.

    It is disabled, because an enabled copy would run everything twice.
    """
    names = [*TriggerForm.Meta.fields, "schedule_config", "event_config"]
    copy = Trigger(**{name: getattr(source, name) for name in names})
    copy.name = (_("Copy of %(name)s") % {"name": source.name})[:200]
    copy.enabled = False
    return copy


def _form(
    request: HttpRequest,
    trigger: Trigger | None,
    source: Trigger | None,
    initial: dict[str, Any] | None = None,
) -> HttpResponse:
    operator = operator_of(request)
    refusal = ""
    start = _copy_of(source) if source else trigger
    if request.method == "POST" and "check" not in request.POST:
        form = _bound(request, start, operator)
        try:
            if form.is_valid():
                saved: Trigger = form.save(commit=False)
                services.save(saved, by=actor(request))
                messages.success(request, _("%(name)s: saved.") % {"name": saved.name})
                return HttpResponseRedirect(reverse("console:trigger", args=[saved.pk]))
        except ProjectionError as error:
            refusal = reason_of(error)
        except NOT_SAVED as error:
            refusal = _("Nothing was saved: %(reason)s") % {"reason": reason_of(error)}
        if refusal:
            # The row is unchanged, and the form keeps the input.
            again = find_trigger(trigger.pk) if trigger else source and _copy_of(source)
            form = _bound(request, again, operator, refusal)
            form.is_valid()
    elif request.method == "POST":
        form = _bound(request, start, operator)
    else:
        form = _made(operator, instance=start, initial=initial)
    return _shown(request, form, trigger, source)


def _made(operator: Operator, *args: Any, refusal: str = "", **kwargs: Any) -> TriggerForm:
    kind = type("OwnedTriggerForm", (TriggerForm,), {"owner": operator.subject, "refusal": refusal})
    form: TriggerForm = kind(*args, **kwargs)
    form.fields["agent_id"].widget.attrs["list"] = "agents"
    if not operator.has_role(Role.ADMIN):
        # The user decides who sees the trigger in the API, so only admins may set it.
        del form.fields["user_id"]
    return form


def _bound(
    request: HttpRequest, trigger: Trigger | None, operator: Operator, refusal: str = ""
) -> TriggerForm:
    data = request.POST.copy()
    if (trigger is None or trigger._state.adding) and not data.get("user_id"):
        data["user_id"] = operator.subject
    return _made(operator, data, instance=trigger, refusal=refusal)


def _shown(
    request: HttpRequest, form: TriggerForm, trigger: Trigger | None, source: Trigger | None
) -> HttpResponse:
    values = {name: form[name].value() for name in form.fields}
    now = timezone.now()
    sample = sample_of({**values, **request.POST.dict()}, now, offers=True)
    context = {
        "form": form,
        "trigger": trigger,
        "source": source,
        "sections": [
            ShownSection(form, section) for section in SECTIONS if section.key != CALENDAR
        ],
        "calendar": ShownSection(form, CALENDAR_SECTION),
        "preview": preview_of(with_creation(values, trigger), now),
        "agents": agents_offered(),
        "sample": sample,
        "tester": test(values, sample),
        "prompt_preview": preview_prompt(values, sample, now),
    }
    return render(request, "console/form.html", context)


@require_POST
@for_operators()
def preview(request: HttpRequest) -> HttpResponse:
    """The preview of the form's schedule, as a part of a page."""
    shown = preview_of(request.POST.dict(), timezone.now())
    return render(request, "console/preview.html", {"preview": shown})


@require_POST
@for_operators()
def event_preview(request: HttpRequest) -> HttpResponse:
    """The match of a sample event with the form's pattern, and its prompt, as parts of a page."""
    entered, now = request.POST.dict(), timezone.now()
    sample = sample_of(entered, now)
    context = {
        "sample": sample,
        "tester": test(entered, sample),
        "prompt_preview": preview_prompt(entered, sample, now),
    }
    return render(request, "console/event_preview.html", context)
