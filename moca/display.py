"""Formats times, states, JSON and long texts for pages and the admin, as escaped HTML or text."""

import json
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.html import avoid_wrapping, format_html
from django.utils.safestring import SafeString
from django.utils.timesince import TIME_STRINGS
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from moca.times import iso

NOTHING = "\N{EN DASH}"
# The longest line of JSON, in characters.
WIDTH = 72
# Seconds per unit; a month is a twelfth of a year.
UNITS = [
    ("year", 31_557_600),
    ("month", 2_629_800),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
]


def badge(kind: str, words: str) -> SafeString:
    """A state in words, with a colour by its kind: good, bad, warn, busy or off."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, words)


def exact(moment: datetime, zone: tzinfo = UTC) -> str:
    """The moment in a zone, with its offset: "Mon 2027-02-01 09:00 +09:00"."""
    local = localtime(moment, zone)
    seconds = f"{local::%S}" if local.second else ""
    offset = "UTC" if str(zone) == "UTC" else local.isoformat(timespec="minutes")[16:]
    parts = {
        "day": WEEKDAYS_ABBR[local.weekday()],
        "date": date_words(local),
        "time": f"{local:%H:%M}{seconds}",
        "offset": offset,
    }
    # Translators: a moment, such as Mon 2027-02-01 09:00 +09:00
    return _("%(day)s %(date)s %(time)s %(offset)s") % parts


def date_words(day: date) -> str:
    """A date: "2027-02-01"."""
    parts = {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
    return _("%(year)s-%(month)s-%(day)s") % parts


def day_words(day: date) -> str:
    """A date with its weekday: "Mon 2027-02-01"."""
    parts = {"day": WEEKDAYS_ABBR[day.weekday()], "date": date_words(day)}
    return _("%(day)s %(date)s") % parts


def relative(moment: datetime, now: datetime) -> str:
    """The time from `now` to the moment: "in 3 hours", "2 days ago", "now"."""
    if abs(moment - now) < timedelta(seconds=1):
        return _("now")
    if abs(moment - now) < timedelta(minutes=1):
        words = (_("%(number)s s") % {"number": abs(moment - now).seconds}).replace(" ", "\xa0")
    else:
        words = _span_words(abs(moment - now))
    if moment > now:
        return _("in %(words)s") % {"words": words}
    return _("%(words)s ago") % {"words": words}


def happened(moment: datetime, now: datetime) -> str:
    """Like `relative()`, for past events. A later moment means that some clock was wrong."""
    if moment - now < timedelta(minutes=1):
        return relative(min(moment, now), now)
    return _("%(words)s ahead of the clock") % {"words": _span_words(moment - now)}


def _span_words(span: timedelta) -> str:
    """A duration, rounded down to the largest unit that fits at least twice.

    One of a unit needs a span that is no longer: 47 hours are "47 hours", since "1 day" would be
    wrong by half.
    """
    seconds = int(span.total_seconds())
    for (unit, length), (_unit, smaller) in pairwise(UNITS):
        number = seconds // length
        if number > 1 or (number and seconds // smaller == length // smaller):
            return avoid_wrapping(TIME_STRINGS[unit] % {"num": number})
    return avoid_wrapping(TIME_STRINGS["minute"] % {"num": seconds // 60})


def time_tag(moment: datetime, now: datetime, zone: tzinfo = UTC) -> SafeString:
    """The moment relative to now, with the exact time below."""
    return _tag(moment, relative(moment, now), exact(moment, zone))


def past_time_tag(moment: datetime, now: datetime) -> SafeString:
    """Like `time_tag()`, for past events."""
    return _tag(moment, happened(moment, now), exact(moment))


def short_time_tag(moment: datetime, now: datetime, zone: tzinfo = UTC) -> SafeString:
    """The moment relative to now, with the exact time as a tooltip."""
    return _short_tag(moment, relative(moment, now), exact(moment, zone))


def short_past_time_tag(moment: datetime, now: datetime) -> SafeString:
    """Like `short_time_tag()`, for past events."""
    return _short_tag(moment, happened(moment, now), exact(moment))


def _tag(moment: datetime, *parts: str) -> SafeString:
    tag = '<time datetime="{}">{}<span class="fine">{}</span></time>'
    return format_html(tag, iso(moment), *parts)


def _short_tag(moment: datetime, words: str, title: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', iso(moment), title, words)


def duration(milliseconds: int) -> str:
    """A duration in words: "80 ms", "1.4 s", "30 s", "3 min 20 s", "10 min", "2 h 5 min", "1 h"."""
    if milliseconds < 1000:
        return _("%(number)s ms") % {"number": milliseconds}
    if milliseconds < 60_000:
        whole, rest = divmod(milliseconds, 1000)
        return _("%(number)s s") % {"number": f"{milliseconds / 1000:.1f}" if rest else whole}
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours and not minutes:
        return _("%(hours)s h") % {"hours": hours}
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    if not seconds:
        return _("%(minutes)s min") % {"minutes": minutes}
    return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": seconds}


def duration_or_empty(milliseconds: int | None) -> str:
    """A duration in words; empty if there is none."""
    return "" if milliseconds is None else duration(milliseconds)


def shortened(text: str, length: int) -> SafeString:
    """An id without its middle if it is longer than `length`; the tooltip has all of it."""
    half = length // 2
    shown = text if len(text) <= length else f"{text[:half]}…{text[-half:]}"
    return format_html('<span title="{}">{}</span>', text, shown)


def excerpt(text: str, length: int) -> str:
    """The text's first line, cut after `length` characters."""
    first, _, rest = text.strip().partition("\n")
    cut = first[:length].rstrip()
    return cut + "…" if len(first) > length or rest.strip() else cut


def laid_out(text: str) -> str:
    """JSON text with a line for each part; any other text unchanged."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def pretty(value: Any, margin: str = "", before: str = "") -> str:
    """Format a value as JSON for people: parts that fit are on one line.

    Args:
        value: the decoded JSON.
        margin: the indentation of its first line, in spaces.
        before: the text before it on that line, after the margin.
    """
    line = json.dumps(value, ensure_ascii=False)
    fits = len(margin) + len(before) + len(line) <= WIDTH
    if fits or not value or not isinstance(value, dict | list):
        return f"{before}{line}"
    inner = f"{margin}  "
    if isinstance(value, dict):
        parts = [
            pretty(each, inner, f"{json.dumps(name, ensure_ascii=False)}: ")
            for name, each in value.items()
        ]
    else:
        parts = [pretty(each, inner) for each in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(f"{inner}{part}" for part in parts)
    return f"{before}{first}\n{lines}\n{margin}{last}"
