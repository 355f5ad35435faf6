"""Template tags of the operators' pages: times in the form that the operator chose, and reasons."""

import json
from datetime import UTC, datetime, tzinfo
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents import errors
from console.times import Form, Times, times_of
from events.seen import header_words
from executions.agent_records import lookup
from executions.failures import MERGED
from executions.models import TriggerExecution
from moca import reasons
from moca.display import duration as duration_words
from moca.display import happened as past_words
from moca.display import relative
from moca.times import iso
from triggers.display import last_result
from triggers.models import Trigger
from triggers.pauses import installation_pause

# Errors that a try explains: the protocol is another one, or the address or its token is wrong.
TRIED_AFTER = {
    code.name
    for code in (
        errors.NOT_UNDERSTOOD,
        errors.OBJECT_UNREADABLE,
        errors.STREAM_ENDED_EARLY,
        errors.ANSWER_EMPTY,
        errors.LINE_NO_JSON,
        errors.DOCUMENT_NO_JSON,
        errors.EVENT_NO_JSON,
        errors.WEB_PAGE,
        errors.NOBODY_ANSWERS,
        errors.HTTP_STATUS,
        errors.HTTP_REDIRECT,
    )
}
DEFAULT_TRIAL = "console:default-agent-try"

register = template.Library()
register.filter("reason", reasons.shown)
register.filter("last_result", last_result)
register.filter("header_words", header_words)


@register.simple_tag(takes_context=True)
def ago(context: Any, moment: datetime | None, zone: tzinfo = UTC) -> SafeString | str:
    """A moment in the chosen form. Needs `now` in the context."""
    if moment is None:
        return ""
    return _times(context).tag(moment, relative(moment, context["now"]), zone)


@register.simple_tag(takes_context=True)
def happened(context: Any, moment: datetime | None) -> SafeString | str:
    """As `ago`, for the past: a later moment says that it is ahead of the clock."""
    if moment is None:
        return ""
    return _times(context).tag(moment, past_words(moment, context["now"]))


@register.simple_tag(takes_context=True)
def beside(context: Any, moment: datetime, zone: tzinfo = UTC) -> str:
    """A moment in the form that was not chosen, to stand below `ago` or `happened`."""
    return _times(context).other_words(moment, relative(moment, context["now"]), zone)


@register.simple_tag(takes_context=True)
def ago_words(context: Any, moment: datetime) -> str:
    """A moment in the chosen form, as text alone. Without `now` in the context, now is the time."""
    return _times(context).words(moment, relative(moment, context.get("now") or timezone.now()))


@register.simple_tag(takes_context=True)
def exact(context: Any, moment: datetime | None, zone: tzinfo = UTC) -> SafeString | str:
    """A moment in the chosen time zone, or in `zone` if none is chosen."""
    if moment is None:
        return ""
    words = _times(context).exact(moment, zone)
    return format_html('<time datetime="{}">{}</time>', iso(moment), words)


@register.simple_tag(takes_context=True)
def time_forms(context: Any) -> list[tuple[Form, bool]]:
    """The forms of times, and whether each is the chosen one."""
    chosen = _times(context).form
    return [(form, form == chosen) for form in Form]


@register.inclusion_tag("console/pause_banner.html", takes_context=True)
def pause_banner(context: Any) -> dict[str, Any]:
    """Who paused the whole installation, why and until when; nothing if it is not paused."""
    request = context["request"]
    return {
        "pause": installation_pause(timezone.now()),
        "may_resume": request.user.has_perm("triggers.change_trigger"),
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def try_address(execution: TriggerExecution, agent_id: str) -> str:
    """The page where the agent of a run can be tried; empty if that would explain nothing."""
    if execution.error_code not in TRIED_AFTER:
        return ""
    agent = lookup.find(agent_id)
    return reverse("console:agent-try", args=[agent.pk]) if agent else reverse(DEFAULT_TRIAL)


def _times(context: Any) -> Times:
    return times_of(context["request"])


@register.filter
def is_as_asked(trigger: Trigger) -> bool:
    """Whether an event was dropped since another stands for it, as a trigger that waits wants."""
    return trigger.last_skip_reason_code == MERGED.name


@register.filter
def duration(milliseconds: int | None) -> str:
    """A length of time in words."""
    return "" if milliseconds is None else duration_words(milliseconds)


@register.filter
def as_json(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)
