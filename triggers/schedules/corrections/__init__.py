"""What may be meant by a text that is no schedule expression.

People bring expressions of other schedulers along: Unix cron, Quartz, Spring, Jenkins, iCalendar,
ISO 8601, plain English. Each module here knows some of these. What it offers is read again, and
corrected again if need be, until it parses; each offer then says in words what it does.

Nothing here is loaded until an expression is wrong.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar
from zoneinfo import ZoneInfo

from moca.sentences import Sentence as _
from triggers.schedules.at import At
from triggers.schedules.corrections.crontab import crontab
from triggers.schedules.corrections.english import english
from triggers.schedules.corrections.intervals import interval, repetition
from triggers.schedules.corrections.moments import moment
from triggers.schedules.corrections.rrule import rrule
from triggers.schedules.corrections.wrapping import is_unclosed, opened, unwrapped
from triggers.schedules.cron import Cron
from triggers.schedules.description import describe
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.rate import Rate

Expression = TypeVar("Expression", bound=Cron | Rate | At)
Read = Callable[[str], Expression]

# A longer text is refused for its length, whatever it says.
_LONGEST = 256
# More than these help nobody to choose.
_OFFERED = 5
# A text can hold several mistakes; each step mends one.
_STEPS = 60


def with_corrections(
    error: ExpressionError, text: str, zone: ZoneInfo | None, read: Read[Expression]
) -> ExpressionError:
    """The error of a text that cannot be read, with the corrections that parse.

    Args:
        error: the fault that `read` found.
        text: what somebody wrote.
        zone: the schedule's timezone if it is known.
        read: reads an expression, and raises ExpressionError for what is none.
    """
    meant = _meant(error, text, zone, read)
    corrections = _settled(meant.corrections, zone, read)
    return ExpressionError(meant.field, meant.reason, corrections=corrections)


def _meant(
    error: ExpressionError, text: str, zone: ZoneInfo | None, read: Read[Expression]
) -> ExpressionError:
    """The error with corrections that may need correcting themselves."""
    if len(text) > _LONGEST or not text.strip():
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
            or rrule(body, zone)
            or moment(error, body, zone, bare=True)
            or _bare_interval(error, keyword, body)
            or english(body)
            or crontab(error, body, read)
        )
    return found.within(write) if found else error


def _bare_interval(error: ExpressionError, keyword: str, body: str) -> ExpressionError | None:
    # Inside cron(...) a word such as 15W is a field.
    if keyword and body[:1].isdigit():
        return None
    return interval(error, body, bare=True)


def _settled(
    corrections: Iterable[Correction], zone: ZoneInfo | None, read: Read[Expression]
) -> list[Correction]:
    """The corrections that parse, the likeliest first, each with its words."""
    found: dict[object, Correction] = {}
    waiting = [*corrections][::-1]
    seen: set[tuple[str, str]] = set()
    while waiting and len(seen) < _STEPS and len(found) < _OFFERED:
        correction = waiting.pop()
        key = (correction.expression, correction.timezone)
        if key in seen:
            continue
        seen.add(key)
        own = ZoneInfo(correction.timezone) if correction.timezone else zone
        try:
            expression = read(correction.expression)
        except ExpressionError as error:
            deeper = _meant(error, correction.expression, own, read).corrections
            waiting.extend(_onwards(correction, each) for each in reversed(deeper))
        else:
            runs = (_runs(expression), correction.timezone)
            found.setdefault(runs, _in_words(correction, expression, zone))
    return list(found.values())


def _onwards(correction: Correction, deeper: Correction) -> Correction:
    notes = dict.fromkeys((*correction.notes, *deeper.notes))
    return replace(deeper, notes=tuple(notes), timezone=deeper.timezone or correction.timezone)


def _runs(expression: Cron | Rate | At) -> object:
    """What is equal for two expressions that run at the same times."""
    if isinstance(expression, Cron):
        return (
            expression.minutes,
            expression.hours,
            expression.months,
            expression.days,
            (expression.years),
        )
    return expression


def _in_words(
    correction: Correction, expression: Cron | Rate | At, zone: ZoneInfo | None
) -> Correction:
    name = correction.timezone
    if not name or (zone and zone.key == name):
        return replace(correction, timezone="", words=describe(expression))
    note = _("Set the timezone to %(zone)s with it.", zone=name)
    words = describe(expression, ZoneInfo(name))
    return replace(correction, notes=(*correction.notes, note), words=words)
