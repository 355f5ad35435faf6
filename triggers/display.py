"""A trigger's state as the pages say it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from django.utils.translation import gettext as _

from triggers.models import RunStatus, SyncState, Trigger, TriggerType
from triggers.schedules import warnings
from triggers.validation import Schedule, event_errors, read_schedule
from triggers.wording import translated, words_of

# How a run's status looks; see `moca.display.badge()`.
RESULT_KINDS: dict[str, str] = {
    RunStatus.RUNNING: "busy",
    RunStatus.COMPLETED: "good",
    RunStatus.FAILED: "bad",
}


@dataclass(frozen=True, slots=True)
class State:
    """One thing to know about a trigger: a kind (good, bad, warn, off), a word and the reason."""

    kind: str
    word: str
    reason: str = ""


class View:
    """A trigger as the pages show it at one moment; its schedule is read once."""

    def __init__(self, trigger: Trigger, now: datetime) -> None:
        self.trigger = trigger
        self.now = now
        self.schedule: Schedule | None = None
        self.problems: list[str] = []
        if trigger.type == TriggerType.SCHEDULE:
            self.schedule, errors = read_schedule(trigger.schedule_config)
        else:
            errors = event_errors(trigger.event_config)
        self.problems = [message for error in errors for message in error.messages]

    @cached_property
    def schedule_words(self) -> str:
        """The schedule in words; empty for events and where it cannot be read."""
        schedule = self.schedule
        if schedule is None:
            return ""
        return words_of(schedule.expression, schedule.zone)

    @property
    def event_words(self) -> str:
        """What events fire the trigger; empty for a schedule."""
        trigger = self.trigger
        if trigger.type != TriggerType.EVENT or not isinstance(trigger.event_config, dict):
            return ""
        source = trigger.event_config.get("eventSourceId")
        if source:
            return _("Events of %(source)s") % {"source": source}
        return _("Events that match a pattern")

    @property
    def event_json(self) -> str:
        """The map of the event, laid out to be read."""
        return json.dumps(self.trigger.event_config, ensure_ascii=False, indent=2)

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
        return [translated(each) for each in warnings(schedule.expression, schedule.zone, self.now)]

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
            return State("warn", _("Paused"), trigger.paused_reason)
        return State("off", _("Disabled"))

    def _further_states(self) -> Iterator[State]:
        trigger = self.trigger
        if self.problems:
            yield State("bad", _("Cannot fire"), " ".join(self.problems))
        elif trigger.type == TriggerType.SCHEDULE and trigger.enabled and not self.next_run:
            yield State("warn", _("Never fires again"), _("Its last time is past."))
        if trigger.sync_state != SyncState.SYNCED:
            yield State("bad", str(trigger.get_sync_state_display()), trigger.sync_error)
