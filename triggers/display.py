"""Shows a trigger in the reader's language, for the admin and the operators' pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.models import EventSource
from moca import reasons
from moca.display import exact, pretty
from triggers import chains
from triggers.i18n import describe_schedule, translated
from triggers.models import FOREVER, Outcome, RunStatus, SyncState, Trigger, TriggerType
from triggers.schedules import find_warnings
from triggers.statistics import Tally
from triggers.validation import Schedule, Subscription, read_schedule, read_subscription

# The kind of badge for each status of a run; see `moca.display.badge()`.
RESULT_KINDS: dict[str, str] = {
    RunStatus.RUNNING: "busy",
    RunStatus.COMPLETED: "good",
    RunStatus.FAILED: "bad",
}


def result_word(status: str, outcome: str) -> str:
    """How a run ended, in a word: its outcome, if that says more than its status.

    Args:
        status: one of `RunStatus`.
        outcome: one of `Outcome`; empty if only the status is known.
    """
    if outcome in Outcome and outcome not in (Outcome.SUCCESS, Outcome.ERROR):
        return str(Outcome(outcome).label)
    return str(RunStatus(status).label) if status in RunStatus else status


def last_result(trigger: Trigger) -> str:
    """How the last run of a trigger ended, in a word."""
    return result_word(trigger.last_status, trigger.last_outcome)


def kinds_of_failures(tally: Tally) -> str:
    """The failures of a tally by kind: "2 timed out, 1 refused". Empty if all are errors."""
    failures = tally.failures
    if failures.keys() <= {Outcome.ERROR}:
        return ""
    most_first = sorted(failures.items(), key=lambda each: -each[1])
    return _(", ").join(_count_in_words(outcome, count) for outcome, count in most_first)


def _count_in_words(outcome: str, count: int) -> str:
    words = {
        Outcome.REFUSED: ngettext("%(number)s refused", "%(number)s refused", count),
        Outcome.LIMITED: ngettext(
            "%(number)s stopped by a limit", "%(number)s stopped by a limit", count
        ),
        Outcome.TIMED_OUT: ngettext("%(number)s timed out", "%(number)s timed out", count),
        Outcome.CANCELLED: ngettext("%(number)s cancelled", "%(number)s cancelled", count),
        Outcome.LOST: ngettext("%(number)s lost", "%(number)s lost", count),
        Outcome.MISSED: ngettext("%(number)s missed", "%(number)s missed", count),
        Outcome.UNKNOWN: ngettext(
            "%(number)s whose end is not known", "%(number)s whose end is not known", count
        ),
        Outcome.OVER_BUDGET: ngettext("%(number)s over budget", "%(number)s over budget", count),
        Outcome.ERROR: ngettext("%(number)s error", "%(number)s errors", count),
    }
    return words[Outcome(outcome)] % {"number": count}


@dataclass(frozen=True, slots=True)
class State:
    """A state of a trigger, in the reader's language.

    Attributes:
        kind: the kind of its badge: good, bad, warn or off.
        word: the text of the badge.
        reason: why it is in this state; empty if that needs no reason.
    """

    kind: str
    word: str
    reason: str = ""


def _words_of_chain(kinds: tuple[str, ...]) -> str:
    """What a trigger starts after, as a template with `name`."""
    words = {
        chains.ONLY_COMPLETED: _("After completed runs of %(name)s"),
        chains.ONLY_FAILED: _("After failed runs of %(name)s"),
        chains.EITHER: _("After completed or failed runs of %(name)s"),
    }
    return words[kinds]


class TriggerDisplay:
    """A trigger as pages show it at one moment; its schedule or subscription is parsed once."""

    def __init__(
        self,
        trigger: Trigger,
        now: datetime,
        sources: Mapping[str, EventSource] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Parse the schedule or the subscription.

        Args:
            trigger: the trigger.
            now: the moment that next runs and warnings are about.
            sources: all event sources by id, which give the source's name and show whether it was
                deleted; None if the page shows neither.
            names: the names of triggers by id, for the one whose runs this one follows; None if
                the page shows its pattern instead.
        """
        self.trigger = trigger
        self.now = now
        self.schedule: Schedule | None = None
        self.subscription: Subscription | None = None
        self.source: EventSource | None = None
        if trigger.type == TriggerType.SCHEDULE:
            self.schedule, errors = read_schedule(trigger.schedule_config)
        else:
            self.subscription, errors = read_subscription(trigger.event_config)
        self.problems = [message for error in errors for message in error.messages]
        self.follows = chains.follows(self.subscription) if self.subscription else None
        self.followed_name = (names or {}).get(self.follows[0], "") if self.follows else ""
        if sources is not None and self.source_id:
            self.source = sources.get(self.source_id)
            if self.source is None:
                gone = _("There is no event source %(source)s any more.")
                self.problems.append(gone % {"source": self.source_id})

    @property
    def source_id(self) -> str:
        """The id of the event source it listens to; empty if there is none."""
        return self.subscription.source_id if self.subscription else ""

    @cached_property
    def schedule_words(self) -> str:
        """The schedule in words; empty for an event trigger or an invalid schedule."""
        schedule = self.schedule
        if schedule is None:
            return ""
        return describe_schedule(schedule.expression, schedule.zone)

    @property
    def event_words(self) -> str:
        """The events that fire the trigger, in words; empty for a schedule trigger."""
        subscription = self.subscription
        if subscription is None:
            return ""
        source = self.source.name if self.source else subscription.source_id
        if self.follows and self.followed_name:
            return _words_of_chain(self.follows[1]) % {"name": self.followed_name}
        if not source:
            return _("Events of the bus %(bus)s, by a pattern") % {"bus": subscription.bus}
        if subscription.pattern is not None:
            return _("Events of %(source)s, by a pattern") % {"source": source}
        return _("Events of %(source)s") % {"source": source}

    @property
    def pattern_json(self) -> str:
        """The event pattern as indented JSON; empty if there is none."""
        pattern = self.subscription.pattern if self.subscription else None
        return pretty(pattern.document) if pattern else ""

    @property
    def tags(self) -> list[str]:
        """The tags; empty if another program stored something else than a list."""
        tags = self.trigger.tags
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    @property
    def debounce_seconds(self) -> int:
        """The debounce time in seconds; 0 if there is none."""
        return int(self.subscription.debounce.total_seconds()) if self.subscription else 0

    @property
    def event_json(self) -> str:
        """The event's map as indented JSON."""
        return pretty(self.trigger.event_config)

    @property
    def fires_on_events(self) -> bool:
        """Whether the trigger is enabled and fires on events, at times that nobody knows."""
        return self.trigger.type == TriggerType.EVENT and self.trigger.fires(self.now)

    @property
    def warnings(self) -> list[str]:
        """Warnings about the schedule, such as runs that a clock change skips."""
        schedule = self.schedule
        if schedule is None:
            return []
        return [
            translated(each) for each in find_warnings(schedule.expression, schedule.zone, self.now)
        ]

    @property
    def zone(self) -> tzinfo:
        """The schedule's zone; UTC if there is no schedule."""
        return self.schedule.zone if self.schedule else UTC

    @cached_property
    def next_run(self) -> datetime | None:
        """The next time the trigger is due; None if it is disabled or never fires again."""
        return next(iter(self.next_runs(1)), None)

    def next_runs(self, count: int) -> list[datetime]:
        """The next times the trigger is due, at most `count`; none if it is disabled."""
        return self.trigger.next_due(self.now, count)

    def states(self) -> list[State]:
        """The states of the trigger: first whether it is enabled, then its problems."""
        return [self._main_state(), *self._further_states()]

    def _main_state(self) -> State:
        trigger = self.trigger
        if trigger.enabled and self.is_paused:
            return State("warn", _("Paused"), self._pause_words())
        if trigger.enabled:
            return State("good", _("Enabled"))
        if trigger.waits_for_person:
            return State("warn", _("Waits for a person"), self._agent_words())
        if trigger.paused_reason:
            return State("warn", _("Paused"), reasons.shown(trigger, "paused_reason"))
        return State("off", _("Disabled"))

    @property
    def is_paused(self) -> bool:
        """Whether a person has paused the trigger."""
        return self.trigger.is_paused(self.now)

    @property
    def pause_end(self) -> datetime | None:
        """When the pause of a person ends; None if there is none, or if somebody has to end it."""
        is_open = not self.trigger.enabled or self.trigger.paused_until == FOREVER
        return self.trigger.paused_until if self.is_paused and not is_open else None

    def _agent_words(self) -> str:
        """Why the trigger waits for a person, and for whom."""
        name = self.trigger.created_by_name
        if name and self.trigger.created_by_agent:
            return _(
                "An agent created it with the API key %(name)s. It fires once its user, or an "
                "operator who may change it, has enabled it."
            ) % {"name": name}
        return _(
            "An agent changed it. It fires once its user, or an operator who may change it, has "
            "enabled it."
        )

    def _pause_words(self) -> str:
        """Who paused the trigger, until when and why."""
        trigger = self.trigger
        values = {"name": trigger.paused_by, "note": trigger.pause_note}
        if trigger.paused_until is None or trigger.paused_until == FOREVER:
            words = _("By %(name)s, until somebody resumes it.") % values
        else:
            end = exact(trigger.paused_until, self.zone)
            words = _("By %(name)s, until %(end)s.") % {**values, "end": end}
        return f"{words} {trigger.pause_note}".strip()

    def _has_runs(self) -> bool:
        """Whether the schedule has a time that lies ahead, and after the pause if that ends."""
        ends = self.trigger.paused_until != FOREVER
        return bool(self.next_run if ends else self.trigger.next_runs(self.now, 1))

    def _further_states(self) -> Iterator[State]:
        trigger = self.trigger
        if self.problems:
            yield State("bad", _("Cannot fire"), " ".join(self.problems))
        elif trigger.type == TriggerType.SCHEDULE and trigger.enabled and not self._has_runs():
            yield State("warn", _("Never fires again"), _("Its last time is past."))
        if trigger.sync_state != SyncState.SYNCED:
            yield State(
                "bad", str(trigger.get_sync_state_display()), reasons.shown(trigger, "sync_error")
            )
