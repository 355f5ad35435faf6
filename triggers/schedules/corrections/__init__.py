"""Suggests valid schedules for a text that does not parse.

People bring expressions of other schedulers: Unix cron, Quartz, Spring, Jenkins, iCalendar, ISO
8601, plain English. Each module knows some of these and suggests a correction. A correction that
does not parse is corrected again, until it parses. Each result has a description of its runs.

`parser` imports this package on the first error only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import At
from triggers.schedules.corrections.crontab import crontab
from triggers.schedules.corrections.english import english
from triggers.schedules.corrections.intervals import interval, repetition
from triggers.schedules.corrections.moments import moment
from triggers.schedules.corrections.recurrence import planned
from triggers.schedules.corrections.rrule import rrule
from triggers.schedules.corrections.wrapping import is_unclosed, opened, unwrapped
from triggers.schedules.cron import Cron
from triggers.schedules.description import describe
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.form import MAX_LENGTH
from triggers.schedules.plan import Plan
from triggers.schedules.rate import Rate

Expression = TypeVar("Expression", bound=Cron | Rate | At)
Read = Callable[[str], Expression]

# More suggestions than this are hard to choose from.
_MAX_SUGGESTIONS = 5
# A text can hold several mistakes, and each step corrects one.
_MAX_STEPS = 60


def with_corrections(
    error: ExpressionError, text: str, zone: ZoneInfo | None, read: Read[Expression]
) -> ExpressionError:
    """The error for an invalid text, with corrections that parse.

    Args:
        error: the error that `read` raised.
        text: the text that somebody wrote.
        zone: the schedule's timezone, if it is known.
        read: parses an expression, or raises ExpressionError.
    """
    found = _suggest(error, text, zone, read)
    corrections = _valid_corrections(found.corrections, zone, read)
    return ExpressionError(found.field, found.reason, corrections=corrections)


def _suggest(
    error: ExpressionError, text: str, zone: ZoneInfo | None, read: Read[Expression]
) -> ExpressionError:
    """The error with corrections, which may be invalid themselves."""
    if len(text) > MAX_LENGTH or not text.strip():
        return error
    text = text.strip()
    if found := unwrapped(text):
        return found
    keyword, body, write = opened(text)
    if keyword and error.corrections and is_unclosed(text):
        return error
    if keyword == "at":
        found = moment(error, body, zone) or english(text)
    elif keyword == "rate":
        found = interval(error, body)
    else:
        found = (
            repetition(body, zone)
            or rrule(body, zone, read)
            or moment(error, body, zone, bare=True)
            or _bare_interval(error, keyword, body)
            or english(body)
            or crontab(error, body, read)
        )
    return found.within(write) if found else error


def _bare_interval(error: ExpressionError, keyword: str, body: str) -> ExpressionError | None:
    # Inside cron(...), a word such as 15W is a field.
    if keyword and body[:1].isdigit():
        return None
    return interval(error, body, bare=True)


def _valid_corrections(
    corrections: Iterable[Correction], zone: ZoneInfo | None, read: Read[Expression]
) -> list[Correction]:
    """The corrections that parse, the likeliest first, each with its description."""
    found: dict[object, Correction] = {}
    waiting = [*corrections][::-1]
    seen: set[tuple[str, str, str]] = set()
    while waiting and len(seen) < _MAX_STEPS and len(found) < _MAX_SUGGESTIONS:
        correction = waiting.pop()
        key = (correction.expression, correction.timezone, repr(correction.parts))
        if key in seen:
            continue
        seen.add(key)
        own = ZoneInfo(correction.timezone) if correction.timezone else zone
        try:
            expression = read(correction.expression)
        except ExpressionError as error:
            deeper = _suggest(error, correction.expression, own, read).corrections
            waiting.extend(_chain(correction, each) for each in reversed(deeper))
        else:
            try:
                correction = replace(correction, parts=_valid_parts(correction.parts, own, read))
                plan = planned(expression, dict(correction.parts), read)
            except ExpressionError:
                # One of the further expressions has no meaning.
                continue
            runs = (_run_times(expression), correction.timezone, repr(correction.parts))
            found.setdefault(runs, _with_description(correction, plan, zone))
    return list(found.values())


def _valid_parts(
    parts: Mapping[str, Any], zone: ZoneInfo | None, read: Read[Expression]
) -> Mapping[str, Any]:
    """The parts with the likeliest correction of each further expression that does not parse."""
    if "moreExpressions" not in parts:
        return parts
    more = [_valid_text(text, zone, read) for text in parts["moreExpressions"]]
    return {**parts, "moreExpressions": more}


def _valid_text(text: str, zone: ZoneInfo | None, read: Read[Expression]) -> str:
    try:
        read(text)
    except ExpressionError as error:
        offered = with_corrections(error, text, zone, read)
        if offered.suggestion is None:
            raise
        return offered.suggestion
    return text


def _chain(correction: Correction, deeper: Correction) -> Correction:
    """A correction of a correction, with the notes of both."""
    notes = dict.fromkeys((*correction.notes, *deeper.notes))
    zone, parts = deeper.timezone or correction.timezone, deeper.parts or correction.parts
    return replace(deeper, notes=tuple(notes), timezone=zone, parts=parts)


def _run_times(expression: Cron | Rate | At) -> object:
    """A value that is equal for two expressions with the same runs."""
    if isinstance(expression, Cron):
        cron = expression
        return (cron.minutes, cron.hours, cron.months, cron.days, cron.years)
    return expression


def _with_description(
    correction: Correction, expression: Cron | Rate | At | Plan, zone: ZoneInfo | None
) -> Correction:
    name = correction.timezone
    if not name or (zone and zone.key == name):
        return replace(correction, timezone="", words=describe(expression))
    note = _("Set the timezone to %(zone)s with it.", zone=name)
    words = describe(expression, ZoneInfo(name))
    return replace(correction, notes=(*correction.notes, note), words=words)
