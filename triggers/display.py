"""A trigger's state as the pages say it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from django.utils.translation import gettext as _

from events.models import EventSource
from moca import reasons
from moca.display import pretty
from triggers.i18n import describe_schedule, translated
from triggers.models import RunStatus, SyncState, Trigger, TriggerType
from triggers.schedules import find_warnings
from triggers.validation import Schedule, Subscription, read_schedule, read_subscription

# How a run's status looks; see `moca.display.badge()`.
RESULT_KINDS: dict[str, str] = {
    RunStatus.RUNNING: "busy",
    RunStatus.COMPLETED: "good",
    RunStatus.FAILED: "bad",
}


@dataclass(frozen=True, slots=True)
class State:
    """One thing to know about a trigger, in the reader's language.

    It has a kind (good, bad, warn, off), a word and the reason.
    """

    kind: str
    word: str
    reason: str = ""


class View:
    """A trigger as the pages show it at one moment; its schedule or subscription is read once."""

    def __init__(
        self,
        trigger: Trigger,
        now: datetime,
        sources: Mapping[str, EventSource] | None = None,
    ) -> None:
        """Read the trigger.

        Args:
            trigger: the trigger.
            now: the moment.
            sources: all event sources by id, to tell by name what it listens to, or that this is
                gone; None where a list does not say so.
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
        if sources is not None and self.source_id:
            self.source = sources.get(self.source_id)
            if self.source is None:
                gone = _("There is no event source %(source)s any more.")
                self.problems.append(gone % {"source": self.source_id})

    @property
    def source_id(self) -> str:
        """The id of the event source it listens to; empty where it is none."""
        return self.subscription.source_id if self.subscription else ""

    @cached_property
    def schedule_words(self) -> str:
        """The schedule in words; empty for events and where it cannot be read."""
        schedule = self.schedule
        if schedule is None:
            return ""
        return describe_schedule(schedule.expression, schedule.zone)

    @property
    def event_words(self) -> str:
        """What events fire the trigger; empty for a schedule."""
        subscription = self.subscription
        if subscription is None:
            return ""
        source = self.source.name if self.source else subscription.source_id
        if not source:
            return _("Events of the bus %(bus)s, by a pattern") % {"bus": subscription.bus}
        if subscription.pattern is not None:
            return _("Events of %(source)s, by a pattern") % {"source": source}
        return _("Events of %(source)s") % {"source": source}

    @property
    def pattern_json(self) -> str:
        """The pattern of events, laid out to be read; empty where there is none."""
        pattern = self.subscription.pattern if self.subscription else None
        return pretty(pattern.document) if pattern else ""

    @property
    def tags(self) -> list[str]:
        """The tags; none where another program wrote what is no list of them."""
        tags = self.trigger.tags
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    @property
    def debounce_seconds(self) -> int:
        """How long it waits for its events to pause."""
        return int(self.subscription.debounce.total_seconds()) if self.subscription else 0

    @property
    def event_json(self) -> str:
        """The map of the event, laid out to be read."""
        return pretty(self.trigger.event_config)

    @property
    def fires_on_events(self) -> bool:
        """Whether events fire the trigger now, so that nobody knows when."""
        return self.trigger.type == TriggerType.EVENT and self.trigger.enabled

    @property
    def warnings(self) -> list[str]:
        """What may surprise about the schedule."""
        schedule = self.schedule
        if schedule is None:
            return []
        return [
            translated(each) for each in find_warnings(schedule.expression, schedule.zone, self.now)
        ]

    @property
    def zone(self) -> tzinfo:
        """The zone of the schedule's clock."""
        return self.schedule.zone if self.schedule else UTC

    @cached_property
    def next_run(self) -> datetime | None:
        """When the trigger is next due; None while it is disabled, or where nothing follows."""
        return next(iter(self.next_runs(1)), None)

    def next_runs(self, count: int) -> list[datetime]:
        """When the trigger is next due; never while it is disabled."""
        return self.trigger.next_runs(self.now, count) if self.trigger.enabled else []

    def states(self) -> list[State]:
        """Whether the trigger fires, and what stands in the way."""
        return [self._main_state(), *self._further_states()]

    def _main_state(self) -> State:
        trigger = self.trigger
        if trigger.enabled:
            return State("good", _("Enabled"))
        if trigger.paused_reason:
            return State("warn", _("Paused"), reasons.shown(trigger, "paused_reason"))
        return State("off", _("Disabled"))

    def _further_states(self) -> Iterator[State]:
        trigger = self.trigger
        if self.problems:
            yield State("bad", _("Cannot fire"), " ".join(self.problems))
        elif trigger.type == TriggerType.SCHEDULE and trigger.enabled and not self.next_run:
            yield State("warn", _("Never fires again"), _("Its last time is past."))
        if trigger.sync_state != SyncState.SYNCED:
            yield State(
                "bad", str(trigger.get_sync_state_display()), reasons.shown(trigger, "sync_error")
            )
