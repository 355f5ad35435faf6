"""Times as the pages show them, and addresses of the same list with something changed."""

import json
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions.failures import MERGED
from moca import reasons
from moca.display import duration as duration_words
from moca.display import exact as exact_words
from moca.display import relative, short_past_time_tag
from moca.times import iso
from triggers.models import Trigger

register = template.Library()
register.filter("reason", reasons.shown)


@register.simple_tag(takes_context=True)
def ago(context: Any, moment: datetime | None, zone: tzinfo = UTC) -> SafeString | str:
    """How far away a moment is; exactly when pointed at. Needs `now` in the context."""
    if moment is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        iso(moment),
        exact_words(moment, zone),
        relative(moment, context["now"]),
    )


@register.simple_tag(takes_context=True)
def happened(context: Any, moment: datetime | None) -> SafeString | str:
    """How long ago something happened; exactly when pointed at. Needs `now` in the context."""
    return "" if moment is None else short_past_time_tag(moment, context["now"])


@register.simple_tag(takes_context=True)
def ago_words(context: Any, moment: datetime) -> str:
    """How far away a moment is, as text alone. Needs `now` in the context, or takes the present."""
    return relative(moment, context.get("now") or timezone.now())


@register.simple_tag
def exact(moment: datetime | None, zone: tzinfo = UTC) -> SafeString | str:
    """A moment on a zone's clock."""
    if moment is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', iso(moment), exact_words(moment, zone))


@register.filter
def is_as_asked(trigger: Trigger) -> bool:
    """Whether an event was dropped since another stands for it, as a trigger that waits wants."""
    return trigger.last_skip_reason_code == MERGED.name


@register.filter
def duration(milliseconds: int | None) -> str:
    """A length of time in words."""
    return "" if milliseconds is None else duration_words(milliseconds)


@register.simple_tag(takes_context=True)
def with_query(context: Any, **changed: str) -> str:
    """The page's own query with something else in it; empty values are left out."""
    query = context["request"].GET.dict() | changed
    query = {name: value for name, value in query.items() if value}
    return "?" + urlencode(query)


@register.filter
def as_json(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)
