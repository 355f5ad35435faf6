"""Times, states, JSON and long texts as the pages show them, escaped."""

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
# JSON that fits into so many characters stands on one line.
WIDTH = 72
# Seconds in each; a month is a twelfth of a year.
UNITS = [
    ("year", 31_557_600),
    ("month", 2_629_800),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
]


def badge(kind: str, words: str) -> SafeString:
    """A state in words, coloured by its kind: good, bad, warn, busy or off."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, words)


def exact(moment: datetime, zone: tzinfo = UTC) -> str:
    """The moment on a zone's clock with its offset: "Mon 2027-02-01 09:00 +09:00"."""
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
    """A date in figures: "2027-02-01"."""
    parts = {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
    return _("%(year)s-%(month)s-%(day)s") % parts


def day_words(day: date) -> str:
    """A date with its day of the week: "Mon 2027-02-01"."""
    parts = {"day": WEEKDAYS_ABBR[day.weekday()], "date": date_words(day)}
    return _("%(day)s %(date)s") % parts


def relative(moment: datetime, now: datetime) -> str:
    """How far away the moment is: "in 3 hours", "2 days ago", "now"."""
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
    """As `relative()`, for what has happened: a later moment is of a clock that was wrong."""
    if moment - now < timedelta(minutes=1):
        return relative(min(moment, now), now)
    return _("%(words)s ahead of the clock") % {"words": _span_words(moment - now)}


def _span_words(span: timedelta) -> str:
    """A length of time, rounded down to one unit of which it has at least two.

    "1 day" is said of 24 hours only: of 47 it would be wrong by half.
    """
    seconds = int(span.total_seconds())
    for (unit, length), (_unit, smaller) in pairwise(UNITS):
        number = seconds // length
        if number > 1 or (number and seconds // smaller == length // smaller):
            return avoid_wrapping(TIME_STRINGS[unit] % {"num": number})
    return avoid_wrapping(TIME_STRINGS["minute"] % {"num": seconds // 60})


def time_tag(moment: datetime, now: datetime, zone: tzinfo = UTC) -> SafeString:
    """The moment, how far away it is first and exactly below."""
    return format_html(
        '<time datetime="{}">{}<span class="fine">{}</span></time>',
        iso(moment),
        relative(moment, now),
        exact(moment, zone),
    )


def past_time_tag(moment: datetime, now: datetime) -> SafeString:
    """As `time_tag()`, for what has happened."""
    return format_html(
        '<time datetime="{}">{}<span class="fine">{}</span></time>',
        iso(moment),
        happened(moment, now),
        exact(moment),
    )


def short_past_time_tag(moment: datetime, now: datetime) -> SafeString:
    """As `short_time_tag()`, for what has happened."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        iso(moment),
        exact(moment),
        happened(moment, now),
    )


def short_time_tag(moment: datetime, now: datetime, zone: tzinfo = UTC) -> SafeString:
    """How far away the moment is; exactly, when one points at it."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        iso(moment),
        exact(moment, zone),
        relative(moment, now),
    )


def duration(milliseconds: int) -> str:
    """A length of time: "80 ms", "1.4 s", "30 s", "3 min 20 s", "10 min", "2 h 5 min", "1 h"."""
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


def shortened(text: str, length: int) -> SafeString:
    """An id with its middle left out where it is long; whole, when one points at it."""
    half = length // 2
    shown = text if len(text) <= length else f"{text[:half]}…{text[-half:]}"
    return format_html('<span title="{}">{}</span>', text, shown)


def excerpt(text: str, length: int) -> str:
    """The text's first line, cut where it is longer than `length`."""
    first, _, rest = text.strip().partition("\n")
    cut = first[:length].rstrip()
    return cut + "…" if len(first) > length or rest.strip() else cut


def laid_out(text: str) -> str:
    """A text in JSON with a line for each part; any other as it is."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def pretty(value: Any, margin: str = "", before: str = "") -> str:
    """JSON, laid out to be read: what fits stands on one line.

    Args:
        value: what was decoded from JSON.
        margin: the spaces before the line on which it begins.
        before: what else stands before it on that line.
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
