"""Parses and validates the maps, prompts, tools and tags of triggers, for every caller.

An error about a part of a map has the part's name in `params["part"]`, and in
`params["suggestion"]` a corrected value or None. `params["suggestions"]` has all values that may be
meant, in the form of `triggers.i18n.suggestions_of`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache, partial
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from events import sources
from events.patterns import Pattern, PatternError, Work
from events.patterns import parse as parse_pattern
from events.validation import BUS_NAME, is_bus_open, open_buses, spelling_errors
from moca.times import parse_iso
from moca.validation import ONE_LINE
from triggers.i18n import Suggestion, suggestions_of, translated
from triggers.placeholders import not_understood
from triggers.schedules import (
    Expression,
    ExpressionError,
    Plan,
    Rate,
    describe,
    parse,
    parse_zone,
)
from triggers.schedules.grace import Expectation
from triggers.schedules.plan_parts import PLAN_PARTS, read_plan

MAX_TOOLS, MAX_TOOL_LENGTH = 50, 128
MAX_TAGS, MAX_TAG_LENGTH = 20, 50
# Characters of a text in one of the two maps.
MAX_TEXT_PART = 256
MAX_DEBOUNCE_SECONDS = 3600
MAX_RUNS_PER_HOUR = 100_000
# The most invalid placeholders that one message names.
MAX_NAMED = 3
# EventBridge Scheduler, CreateSchedule, FlexibleTimeWindow.
MAX_WINDOW_MINUTES = 1440
SCHEDULE_PARTS = ("expression", "timezone", "startDate", "endDate", "flexibleTimeWindowMinutes")
_PLAN_PARTS = frozenset(PLAN_PARTS)
# The `source` of the events that say how runs have ended; see `triggers.chains`.
RUN_ENDS = "moca.triggers"
_TAG = re.compile(r"[\w .:/@+-]{1,50}")


@dataclass(frozen=True, eq=False)
class Schedule:
    """A parsed schedule map: when to fire, in which zone and between which dates.

    Triggers with equal maps share one object, and so its cached results.
    """

    expression: Expression | Plan
    zone: ZoneInfo
    start: datetime | None
    end: datetime | None
    window_minutes: int
    # The last result of `next_runs()`: the moment, the number asked for, and the runs.
    _cached_runs: tuple[datetime, int, list[datetime]] = (datetime.max.replace(tzinfo=UTC), 0, [])

    @cached_property
    def words(self) -> str:
        """The schedule in English."""
        return describe(self.expression, self.zone)

    def next_runs(self, after: datetime, count: int, *, anchor: datetime | None) -> list[datetime]:
        """The next runs strictly after a moment, in UTC.

        Args:
            after: an aware time.
            count: the most runs to return.
            anchor: the time that a rate counts from.
        """
        since, asked, runs = self._cached_runs
        # The next runs stay the same until the first of them is due.
        is_cached = since <= after and count <= asked and (not runs or after < runs[0])
        if not is_cached or self._counts_from_anchor:
            runs = self.expression.next_runs(
                after, self.zone, count, start=self.start, end=self.end, anchor=anchor
            )
            self.__dict__["_cached_runs"] = after, count, runs
        return runs[:count]

    @property
    def _counts_from_anchor(self) -> bool:
        """Whether triggers with equal maps have different runs."""
        if isinstance(self.expression, Plan):
            return self.expression.counts_from_anchor
        return isinstance(self.expression, Rate)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Its expressions, of which each has a schedule in EventBridge Scheduler."""
        plan = self.expression
        return plan.expressions if isinstance(plan, Plan) else (plan,)

    def next_run_of(
        self, expression: Expression, after: datetime, *, anchor: datetime | None
    ) -> datetime | None:
        """The next run of one expression alone, between the schedule's dates."""
        return expression.next_run(after, self.zone, start=self.start, end=self.end, anchor=anchor)

    def is_meant(self, due: datetime, *, anchor: datetime | None) -> bool:
        """Whether an occurrence that was fired is one of the schedule's.

        EventBridge Scheduler fires the nearest expressions that it knows, which have more times.
        """
        if not isinstance(self.expression, Plan):
            return True
        return self.expression.is_meant(
            due, self.zone, start=self.start, end=self.end, anchor=anchor
        )

    def last_run(self, before: datetime, *, anchor: datetime | None) -> datetime | None:
        """The last run strictly before a moment, in UTC; None if there is none."""
        return self.expression.previous_run(
            before, self.zone, start=self.start, end=self.end, anchor=anchor
        )

    def expectation(self, anchor: datetime | None, allowed: timedelta | None) -> Expectation:
        """When its occurrences have to have begun.

        Args:
            anchor: the time that a rate counts from.
            allowed: how late they may begin; None for a grace that follows from the schedule.
        """
        return Expectation(
            self.expression,
            self.zone,
            timedelta(minutes=self.window_minutes),
            allowed=allowed,
            start=self.start,
            end=self.end,
            anchor=anchor,
        )


class _Reader:
    """Parses the parts of a map, and collects the errors of each."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.errors: list[ValidationError] = []

    def part(self, name: str, read: Callable[[Any], Any], default: Any = None) -> Any:
        """The parsed part; the default if it is missing, empty or invalid."""
        value = self.config.get(name)
        if value is None or value == "":
            return default
        try:
            return read(value)
        except ExpressionError as error:
            self.expression_error(name, error)
        except PatternError as error:
            self.error(name, error.full_message, "pattern")
        except ValueError as error:
            self.error(name, str(error))
        return default

    def expression_error(self, part: str, error: ExpressionError) -> None:
        self.error(part, error.reason, error.field, error.suggestion, suggestions_of(error))

    def error(
        self,
        part: str,
        message: str,
        code: str = "invalid",
        suggestion: str | None = None,
        suggestions: Sequence[Suggestion] = (),
    ) -> None:
        params = {"part": part, "suggestion": suggestion, "suggestions": suggestions}
        # Django interpolates the message by %, which the text itself may contain.
        message = translated(message).replace("%", "%%")
        self.errors.append(ValidationError(message, code=code, params=params))


def read_schedule(config: Any) -> tuple[Schedule | None, list[ValidationError]]:
    """Parse a schedule's map; valid results are cached.

    Returns:
        The schedule and no errors, or None and the errors.
    """
    if not isinstance(config, dict):
        return _parse_schedule({})
    # An invalid map is parsed each time, since its errors are in the reader's language. A TypeError
    # is about parts that are lists or maps, which no cache can look up.
    with suppress(TypeError):
        if schedule := _cached_schedule(*map(config.get, SCHEDULE_PARTS), _plan_key(config)):
            return schedule, []
    return _parse_schedule(config)


def _plan_key(config: dict[str, Any]) -> str:
    """The parts of a plan as a text; empty if the map has none."""
    if _PLAN_PARTS.isdisjoint(config):
        return ""
    return json.dumps({part: config[part] for part in PLAN_PARTS if part in config})


@lru_cache(maxsize=2048, typed=True)
def _cached_schedule(*parts: Any) -> Schedule | None:
    *own, plan = parts
    config = dict(zip(SCHEDULE_PARTS, own, strict=True))
    return _parse_schedule(config | json.loads(plan) if plan else config)[0]


def _parse_schedule(config: dict[str, Any]) -> tuple[Schedule | None, list[ValidationError]]:
    reader = _Reader(config)
    zones = _Reader(config)
    zone = zones.part("timezone", lambda value: parse_zone(_text(value)), ZoneInfo("UTC"))
    valid_zone = None if zones.errors else zone
    expression = reader.part("expression", lambda value: parse(_text(value), valid_zone))
    if expression is None and not reader.errors:
        reader.error(
            "expression",
            _("Give a schedule such as cron(0 9 * * ? *) or rate(1 hour)."),
            "required",
        )
    reader.errors += zones.errors
    if expression is not None and not _PLAN_PARTS.isdisjoint(config):
        read = partial(parse, zone=valid_zone)
        expression = read_plan(expression, config, read, reader.expression_error)
    start = reader.part("startDate", _moment)
    end = reader.part("endDate", _moment)
    minutes = _("Give a whole number of minutes from 0 (exact) to %(most)s.")
    read_window = _whole_number(0, MAX_WINDOW_MINUTES, minutes % {"most": MAX_WINDOW_MINUTES})
    window = reader.part("flexibleTimeWindowMinutes", read_window, 0)
    if start and end and end <= start:
        reader.error("endDate", _("The end date is not after the start date: choose a later one."))
    if reader.errors:
        return None, reader.errors
    return Schedule(expression, zone, start, end, window), []


def schedule_errors(
    config: Any, now: datetime, *, anchor: datetime | None = None
) -> list[ValidationError]:
    """The errors of a schedule's map; also that it never fires after `now`.

    Args:
        config: the map.
        now: the present.
        anchor: the time that a rate counts from; None for the present.
    """
    schedule, errors = read_schedule(config)
    if schedule is None:
        return errors
    if schedule.next_runs(now, 1, anchor=anchor or now):
        return []
    reader = _Reader(config)
    reader.error(
        "expression",
        _("This never fires again: choose a time that lies ahead, within the start and end dates."),
        "never",
    )
    return reader.errors


@dataclass(frozen=True, slots=True)
class Subscription:
    """A parsed event map: which events fire the trigger, and how often at most.

    Attributes:
        source_id: the event source that it listens to; empty if it listens to a bus.
        bus_name: the event bus that it listens to if it has no source; empty for EVENT_BUS_NAME.
        pattern: selects the events; None for all events of the source.
        debounce: the time without further events after which one run starts for all of them.
        runs_per_hour: the most runs that may start within an hour; None for any number.
    """

    source_id: str
    bus_name: str
    pattern: Pattern | None
    debounce: timedelta
    runs_per_hour: int | None

    @property
    def has_own_rule(self) -> bool:
        """Whether it listens to a bus by a rule of its own, and not to an event source."""
        return not self.source_id and self.pattern is not None

    @property
    def names_runs(self) -> bool:
        """Whether its own rule names the source of the ends of runs, on whatever bus."""
        own = self.pattern if not self.source_id else None
        return own is not None and names_runs(own.document)

    @property
    def bus(self) -> str:
        """The name of the event bus that it listens to."""
        return self.bus_name or str(settings.EVENT_BUS_NAME)

    def takes(self, event: Mapping[str, Any], work: Work | None = None) -> bool:
        """Whether the pattern matches an event; True without a pattern.

        Args:
            event: the EventBridge envelope.
            work: counts and limits the work; None for the limit of one match.

        Raises:
            TooMuchWorkError: the match exceeds the limit.
        """
        return self.pattern is None or self.pattern.matches(event, work)


def read_subscription(config: Any) -> tuple[Subscription | None, list[ValidationError]]:
    """Parse an event trigger's map.

    Returns:
        The subscription and no errors, or None and the errors.
    """
    reader = _Reader(config if isinstance(config, dict) else {})
    source = reader.part("eventSourceId", _short_text, "")
    bus = reader.part("eventBusName", _bus_name, "")
    pattern = reader.part("eventPattern", _pattern)
    debounce = reader.part("debounceSeconds", _whole_number(0, MAX_DEBOUNCE_SECONDS), 0)
    most = reader.part("maxRunsPerHour", _whole_number(1, MAX_RUNS_PER_HOUR))
    if not reader.errors and not source and pattern is None:
        reader.error(
            "eventSourceId",
            "Name the event source to listen to, or give an event pattern of your own.",
            "required",
        )
    if reader.errors:
        return None, reader.errors
    return Subscription(source, bus, pattern, timedelta(seconds=debounce), most), []


def event_errors(config: Any) -> list[ValidationError]:
    """The errors of an event trigger's map; also that its event source does not exist.

    A pattern with misspelt fields of events is an error here, and not in `read_subscription()`:
    triggers of other programs may have one.
    """
    subscription, errors = read_subscription(config)
    if subscription is None:
        return errors
    if misspelt := spelling_errors(config.get("eventPattern")):
        reader = _Reader(config)
        for error in misspelt:
            reader.error("eventPattern", error.messages[0], "pattern")
        return reader.errors
    source_id = subscription.source_id
    if not source_id or sources.find(source_id) is not None:
        return []
    reader = _Reader(config)
    known = ", ".join(source.pk for source in sources.all_sources()) or "none so far"
    reader.error("eventSourceId", f"There is no event source {source_id!r}: use one of {known}.")
    return reader.errors


def own_pattern_errors(config: Any, before: Any, user_id: str) -> list[ValidationError]:
    """Errors if EVENT_BUSES or EVENT_PATTERN_USERS forbid a trigger its own pattern on a bus.

    Args:
        config: the trigger's map.
        before: the map as it was stored; a bus and a pattern that it had stay allowed.
        user_id: the owner of the trigger.
    """
    subscription, _errors = read_subscription(config)
    if subscription is None or not subscription.has_own_rule:
        return []
    earlier = read_subscription(before)[0] if before else None
    is_new = earlier is None or not earlier.has_own_rule
    reader = _Reader(config)
    if not is_bus_open(subscription.bus_name) and (
        earlier is None or is_new or earlier.bus != subscription.bus
    ):
        buses = ", ".join(open_buses())
        reader.error(
            "eventBusName",
            f"The event bus {subscription.bus} is not open to triggers: use one of {buses}, or "
            "have EVENT_BUSES name this one too.",
            "bus",
        )
    if is_new and not {"*", user_id} & set(settings.EVENT_PATTERN_USERS):
        reader.error(
            "eventPattern",
            "A trigger of this user may not listen to an event bus by a pattern alone: name an "
            "event source in eventSourceId, or have EVENT_PATTERN_USERS name the user.",
            "user",
        )
    return reader.errors


def loop_error(names: Sequence[str]) -> ValidationError:
    """The error that triggers of these names would start each other without end.

    Args:
        names: the triggers of the loop in their order, the first of which is saved.
    """
    if len(names) == 1:
        found = _("This would be a loop: the end of each run of %(name)s would start its next run.")
    else:
        found = _("This would be a loop, in which each run starts the next one: %(loop)s.")
    remedy = _(
        "Name in detail.triggerId the triggers whose runs it is to follow, or leave those of the "
        'loop out, such as by {"detail": {"triggerName": [{"anything-but": "%(last)s"}]}}.'
    )
    shown = {"name": names[0], "loop": " → ".join([*names, names[0]]), "last": names[-1]}
    reader = _Reader({})
    reader.error("eventPattern", f"{found % shown} {remedy % shown}", "loop")
    return reader.errors[0]


def prompt_errors(prompt: str) -> list[ValidationError]:
    """The error about invalid placeholders in a prompt; none if all are valid."""
    found = not_understood(prompt)
    if not found:
        return []
    message = _(
        "%(braces)s names no part of the event: write a path such as {{ event.detail.id }} or "
        '{{ event.detail["a name"] }}, with nothing else between the braces. Put a backslash '
        "before braces that the agent is to read: \\{{."
    ) % {"braces": ", ".join(found[:MAX_NAMED])}
    return [ValidationError(message, code="placeholder")]


def validate_tools(value: Any) -> None:
    """Accept a list of at most 50 tool names of at most 128 characters."""
    if not _is_list_of_names(value, most=MAX_TOOLS, longest=MAX_TOOL_LENGTH):
        raise ValidationError(
            _("Give a list of at most %(most)s tool names of 1 to 128 characters in one line each.")
            % {"most": MAX_TOOLS},
            code="names",
        )


def validate_tags(value: Any) -> None:
    """Accept a list of at most 20 different tags of letters, digits and `_ . : / @ + -`."""
    if (
        not _is_list_of_names(value, most=MAX_TAGS, longest=MAX_TAG_LENGTH)
        or len(set(value)) != len(value)
        or not all(_TAG.fullmatch(tag) for tag in value)
    ):
        raise ValidationError(
            _(
                "Give a list of at most %(most)s different tags of 1 to 50 letters, digits, spaces "
                "and . : / @ + - _ each."
            )
            % {"most": MAX_TAGS},
            code="names",
        )


def _is_list_of_names(value: Any, *, most: int, longest: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(isinstance(name, str) and 0 < len(name) <= longest for name in value)
        and all(ONE_LINE.match(name) for name in value)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _fail(_("Give a text."))


def _short_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_PART:
        _fail("Give a text of at most 256 characters.")
    return str(value)


def _moment(value: Any) -> datetime:
    try:
        return parse_iso(_text(value))
    except (ValueError, OverflowError):
        _fail(_("Give a date and time with its offset, such as 2027-01-31T09:00:00Z."))


def _whole_number(least: int, most: int, message: str = "") -> Callable[[Any], int]:
    """A function that reads a whole number within bounds; ValueError for anything else."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _fail(message or f"Give a whole number from {least} to {most:,}.")
        return int(value)

    return read


def _bus_name(value: Any) -> str:
    text = _short_text(value)
    if not BUS_NAME.fullmatch(text):
        _fail("Give the name of an event bus, such as default.")
    return text


def _pattern(value: Any) -> Pattern:
    if not isinstance(value, dict) or not value:
        _fail('Give an EventBridge event pattern, such as {"source": ["my.app"]}.')
    return compiled(json.dumps(value))


@lru_cache(maxsize=2048)
def compiled(text: str) -> Pattern:
    """The pattern of a JSON text, cached; PatternError if it is invalid."""
    return parse_pattern(json.loads(text))


def names_runs(pattern: Any) -> bool:
    """Whether a pattern lists the source of the ends of runs, outside of an `$or` or within."""
    if not isinstance(pattern, dict):
        return False
    listed, alternatives = pattern.get("source"), pattern.get("$or")
    if isinstance(listed, list) and RUN_ENDS in listed:
        return True
    return isinstance(alternatives, list) and any(map(names_runs, alternatives))


def _fail(message: str) -> NoReturn:
    raise ValueError(message)
