"""The model of a trigger: what to ask which agent, and when."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from moca import reasons
from moca.concurrency import VersionedModel
from moca.dynamodb.layout import Absent, Index, Layout
from moca.ids import new_id
from moca.reasons import CodeField, ParamsField
from moca.validation import one_line
from triggers import chains, output_checks, validation
from triggers.failures import UNREADABLE
from triggers.intervals import interval_errors
from triggers.models.budget import BudgetedTrigger
from triggers.models.choices import (
    CatchUp,
    OnDeadline,
    Outcome,
    OverlapPolicy,
    ReasoningEffort,
    RunStatus,
    SyncState,
    TriggerType,
)
from triggers.models.made_by import MadeByKey
from triggers.models.pausable import Pausable, PausableQuerySet
from triggers.models.process import has_lease
from triggers.models.quota import TriggerCount
from triggers.validation import Schedule, Subscription

# Seconds that an index of DynamoDB may take to show a new row.
LAG_SECONDS = 0.3

# The options that an agent gets beside the prompt. For each: the trigger's field, its name in the
# input of a schedule, and its name in the request to the agent. Empty ones are left out of both.
AGENT_OPTIONS = (
    ("model_id", "modelId", "modelId"),
    ("reasoning_effort", "reasoningEffort", "reasoningEffort"),
    ("working_directory", "workingDirectory", "storagePath"),
)


def _note_malformed(row: dict[str, Any], names: list[str]) -> None:
    """Disable a row whose fields of these names are invalid, and note that on the row."""
    row["enabled"] = False
    row["sync_state"] = SyncState.FAILED
    row |= reasons.columns("sync_error", UNREADABLE(names=", ".join(names)))


def _default_policy(item: dict[str, Any]) -> str:
    """The overlap policy of a DynamoDB item that has none."""
    return OverlapPolicy.default_for(item.get("type", {}).get("S"))


# The time-out of rows that the TypeScript service wrote, which waits for no run and cancels none.
TIMEOUT_OF_OTHERS = 3600


def _timeout_of_others(item: dict[str, Any]) -> int:
    """The time-out of a DynamoDB item that has none."""
    return TIMEOUT_OF_OTHERS


def _not_enabled(item: dict[str, Any]) -> bool:
    """Whether a DynamoDB item that does not say so is enabled."""
    return False


class TriggerQuerySet(PausableQuerySet["Trigger"]):
    """Queries for triggers by owner, id, type, event source, text and tag."""

    def named(self, keys: Iterable[tuple[str, str]]) -> Self:
        """The triggers with these keys, each a user id and a trigger id."""
        ids = defaultdict(list)
        for user_id, trigger_id in keys:
            ids[user_id].append(trigger_id)
        if ids and connection.vendor == "sqlite":
            # An id belongs to one user. A condition for each user takes longer than the query.
            every = [each for own in ids.values() for each in own]
            return self.filter(pk__in=every, user_id__in=list(ids))
        pairs = [models.Q(user_id=user_id, pk__in=own) for user_id, own in ids.items()]
        return self.filter(reduce(or_, pairs)) if pairs else self.none()

    def with_id(self, trigger_id: str) -> "Trigger | None":
        """The trigger of an id, whoever owns it; None if there is none.

        An index of DynamoDB may lag, so a miss there is looked up again after `LAG_SECONDS`.
        """
        found = self.filter(pk=trigger_id).first()
        if found is None and getattr(connection.features, "indexes_lag", False):
            time.sleep(LAG_SECONDS)
            found = self.filter(pk=trigger_id).first()
        return found

    def of_user(self, user_id: str) -> Self:
        """The triggers that belong to a user."""
        return self.filter(user_id=user_id)

    def find(self, user_id: str, trigger_id: str) -> "Trigger | None":
        """The user's trigger of an id; None if there is none."""
        try:
            # `first()` would add an order, which one row does not need.
            return self.get(user_id=user_id, pk=trigger_id)
        except Trigger.DoesNotExist:
            return None

    def schedules(self) -> Self:
        """The triggers that fire by a schedule, enabled or not."""
        return self.filter(type=TriggerType.SCHEDULE)

    def events(self) -> Self:
        """The triggers that fire on events, enabled or not."""
        return self.filter(type=TriggerType.EVENT)

    def hearing_runs(self) -> Self:
        """The triggers whose own pattern names the ends of runs, enabled or not."""
        return self.filter(hears_runs=True)

    def listening_to(self, source_id: str) -> Self:
        """The enabled triggers that fire on the events of a source."""
        return self.events().filter(event_config__eventSourceId=source_id, enabled=True)

    def search(self, text: str) -> Self:
        """The triggers whose name or description contains the text, in any case."""
        return self.filter(models.Q(name__icontains=text) | models.Q(description__icontains=text))

    def tagged(self, tag: str) -> Self:
        """The triggers that have a tag, in any case."""
        # The quotation marks of JSON keep "data" from matching "database".
        return self.filter(tags__icontains=json.dumps(tag))


class Trigger(Pausable, BudgetedTrigger, MadeByKey, VersionedModel):
    """A prompt for an agent, and the schedule or the events that send it.

    `schedule_config` and `event_config` are stored with the keys of the HTTP API: `expression`,
    `timezone`, `startDate`, `endDate`, `flexibleTimeWindowMinutes`; and `eventSourceId`,
    `eventBusName`, `eventPattern`, `debounceSeconds`, `maxRunsPerHour`. The expression is stored as
    it was written.
    """

    key_fields = ("user_id",)

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    user_id = models.CharField("user", max_length=128, db_index=True)
    name = models.CharField(max_length=200, validators=[one_line])
    description = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    type = models.CharField(max_length=10, choices=TriggerType, default=TriggerType.SCHEDULE)
    enabled = models.BooleanField(default=True)

    agent_id = models.CharField("agent", max_length=200, validators=[one_line])
    prompt = models.TextField(validators=[MaxLengthValidator(50_000)])
    include_context = models.BooleanField(
        "add context to the prompt",
        default=True,
        help_text=_("Append a section that tells the agent which trigger fired, when and by what."),
    )
    session_id = models.CharField(
        "session",
        max_length=256,
        blank=True,
        validators=[
            MinLengthValidator(33),
            RegexValidator(r"\A[!-~]*\Z", _("Give printable ASCII characters without spaces.")),
        ],
        help_text=_("33 to 256 characters. Empty: each run is a session of its own."),
    )
    model_id = models.CharField("model", max_length=200, blank=True, validators=[one_line])
    reasoning_effort = models.CharField(
        max_length=4,
        blank=True,
        choices=ReasoningEffort,
        help_text=_("How much the model thinks before it answers. Empty: the agent's own."),
    )
    working_directory = models.CharField(max_length=1000, blank=True, validators=[one_line])
    enabled_tools = models.JSONField(
        null=True,
        blank=True,
        validators=[validation.validate_tools],
        help_text="Names of the tools the agent may use. Unset: the agent's own.",
    )

    schedule_config = models.JSONField("schedule", null=True, blank=True)
    event_config = models.JSONField("event", null=True, blank=True)

    timeout_seconds = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(10), MaxValueValidator(86_400)],
        help_text=_("Seconds after which a run is cancelled and counts as failed."),
    )
    overlap_policy = models.CharField(
        max_length=12, choices=OverlapPolicy, default=OverlapPolicy.SKIP
    )
    # Runs with the same key share the places; see `executions.runner.entering`.
    concurrency_key = models.CharField(
        max_length=200,
        blank=True,
        validators=[one_line],
        help_text=_(
            "Runs of all your triggers with the same key share the places: agent for the trigger's "
            "agent, a name such as a tag, or a value such as {{ event.detail.customer.id }}. "
            "Empty: the trigger's own runs."
        ),
    )
    max_concurrent = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_(
            "So many runs of the key may be under way at once. Further ones wait, or are dropped, "
            "as the policy says. Empty: 1 if there is a key."
        ),
    )
    catch_up = models.CharField(
        max_length=6,
        choices=CatchUp,
        default=CatchUp.RECENT,
        help_text=_("What runs late, after nobody was there to start it. The rest is missed."),
    )
    max_retries = models.PositiveIntegerField(
        default=3,
        validators=[MaxValueValidator(185)],
        help_text=_("How often a run is tried again while the agent has not begun on it."),
    )
    pause_after_failures = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Disable the trigger after this many failed runs in a row. Empty: never."),
    )
    answer_within_hours = models.PositiveIntegerField(
        default=72,
        validators=[MinValueValidator(1), MaxValueValidator(8760)],
        help_text=_(
            "Hours that a run waits for a person if the agent asks one. After that, it has failed."
        ),
    )
    begin_within_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1440)],
        help_text=_(
            "Warn if a run has not begun so many minutes after it was due. Empty: a tenth of the "
            "time between two runs."
        ),
    )
    run_within_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(10), MaxValueValidator(86_400)],
        help_text=_("Warn if a run takes longer than so many seconds. Empty: never."),
    )
    on_deadline = models.CharField(
        max_length=6,
        choices=OnDeadline,
        default=OnDeadline.WARN,
    )
    output_checks = models.JSONField(null=True, blank=True, validators=[output_checks.validate])
    tags = models.JSONField(default=list, blank=True, validators=[validation.validate_tags])

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    # The runner writes these fields. Saves of operators leave them alone.
    last_executed_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_status = models.CharField(max_length=10, choices=RunStatus, blank=True, editable=False)
    # Empty if the last run was one of an earlier edition.
    last_outcome = models.CharField(max_length=12, choices=Outcome, blank=True, editable=False)
    # The last run and the beginning of its error. A list shows them without reading runs.
    last_execution_id = models.CharField(max_length=36, blank=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_error_code, last_error_params = CodeField(), ParamsField()
    # Results of recent runs, for lists; see `triggers.statistics`.
    statistics = models.TextField(blank=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, editable=False)
    paused_reason = models.TextField(blank=True, editable=False)
    paused_reason_code, paused_reason_params = CodeField(), ParamsField()
    # The start of the run that further runs may not overlap, and when its lease ends. If the run
    # names a process, the lease of the process counts, too.
    running_since = models.DateTimeField(null=True, blank=True, editable=False)
    running_until = models.DateTimeField(null=True, blank=True, editable=False)
    running_process = models.CharField(max_length=36, blank=True, editable=False)
    # Runs that were due and did not start.
    skipped_runs = models.PositiveIntegerField(default=0, editable=False)
    last_skipped_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_skip_reason = models.TextField(blank=True, editable=False)
    last_skip_reason_code, last_skip_reason_params = CodeField(), ParamsField()

    # Whether its own pattern names the ends of runs; each save writes it. See `triggers.chains`.
    hears_runs = models.BooleanField(default=False, editable=False)

    # Runs of events that started within the hour that `maxRunsPerHour` is about.
    hour_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    runs_in_hour = models.PositiveIntegerField(default=0, editable=False)

    # Whether the schedule or rule, a projection of this row, is known to be equal to it.
    sync_state = models.CharField(
        max_length=10, choices=SyncState, default=SyncState.SYNCED, editable=False
    )
    sync_error = models.TextField(blank=True, editable=False)
    sync_error_code, sync_error_params = CodeField(), ParamsField()

    objects: ClassVar[Any] = TriggerQuerySet.as_manager()

    dynamodb = Layout(
        "TRIGGER#{user_id}",
        "TRIGGER#{id}",
        indexes=[
            Index("GSI1", "TYPE#{type}", "USER#{user_id}#{id}", projects_all=True),
            Index(
                "GSI2",
                "EVENTSOURCE#{event_config.eventSourceId}",
                "USER#{user_id}#TRIGGER#{id}",
                when={"type": TriggerType.EVENT},
                projects_all=True,
            ),
            # Its keys are attributes that triggers of other programs have, too.
            Index("TriggersByType", "{type}", "{id}", hash_key="type", range_key="id"),
            # The few triggers that hear of the ends of runs.
            Index("GSI3", "HEARS_RUNS", "{id}", when={"hears_runs": True}),
            # The paused triggers, of which those whose pause is over are read.
            Index("GSI4", "PAUSED", "{paused_until}"),
        ],
        absent={
            # If a trigger is deleted during its run, the TypeScript service writes a row with the
            # time of that run alone. It must not fire.
            "enabled": Absent(_not_enabled, frozenset({False})),
            "timeout_seconds": Absent(_timeout_of_others, frozenset({TIMEOUT_OF_OTHERS})),
            # The TypeScript service stores no policy, and lets the runs of events overlap.
            "overlap_policy": Absent(
                _default_policy, frozenset(OverlapPolicy.values), looks_at=("type",)
            ),
        },
        malformed=_note_malformed,
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user_id", "id"]),
            models.Index(fields=["paused_until"]),
            models.Index(fields=["hears_runs"]),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, **options: Any) -> None:
        """Save as `VersionedModel.save()` does, and note whether it hears of the ends of runs."""
        if self._state.adding or {"type", "event_config"} & self.changed_fields():
            subscription = self.subscription
            self.hears_runs = subscription is not None and subscription.names_runs
            names = options.get("update_fields")
            if names is not None and {"type", "event_config"} & set(names):
                options["update_fields"] = {*names, "hears_runs"}
        super().save(**options)

    # Validation

    def clean(self) -> None:
        """Check the maps and the prompt by the rules of `triggers.validation`.

        Unchanged maps are not checked, unless the trigger is enabled: other fields of a trigger
        that another program wrote stay editable even if its map is invalid.

        Raises:
            ValidationError: by field, each error with a code. Errors about a part of a map have its
                name in `params["part"]`.
        """
        is_concerned = self.changed_fields() & {"type", "schedule_config", "event_config"}
        is_enabling = self.enabled and not self.loaded_value("enabled")
        errors = self._map_errors() if is_concerned or is_enabling else {}
        # By the other fields, triggers find the ends of each other's runs.
        concerns_loops = is_concerned or self.changed_fields() & {"name", "agent_id", "tags"}
        if not errors and self.type == TriggerType.EVENT and (concerns_loops or is_enabling):
            errors = self._loop_errors()
        if "prompt" in self.changed_fields() and (found := validation.prompt_errors(self.prompt)):
            errors["prompt"] = found
        if "concurrency_key" in self.changed_fields() and (
            found := validation.prompt_errors(self.concurrency_key)
        ):
            errors["concurrency_key"] = found
        if errors:
            raise ValidationError(errors)

    def _map_errors(self) -> dict[str, list[ValidationError]]:
        if self.type == TriggerType.SCHEDULE:
            now = timezone.now()
            errors = validation.schedule_errors(self.schedule_config, now, anchor=self.anchor)
            before = self._before(TriggerType.SCHEDULE, "schedule_config")
            found = {
                "schedule_config": errors or interval_errors(self.schedule_config, before, now)
            }
        elif self.type == TriggerType.EVENT:
            found = {
                "event_config": validation.event_errors(self.event_config)
                or validation.own_pattern_errors(
                    self.event_config,
                    self._before(TriggerType.EVENT, "event_config"),
                    self.user_id,
                )
            }
        else:
            found = {}
        found |= self._unused_map_errors()
        return {name: errors for name, errors in found.items() if errors}

    def _loop_errors(self) -> dict[str, list[ValidationError]]:
        loop = [each.name for each in chains.loop_of(self)]
        return {"event_config": [validation.loop_error(loop)]} if loop else {}

    def _before(self, type_: TriggerType, name: str) -> Any:
        """A type's map as it was loaded; None for a new trigger, or if it had another type."""
        return self.loaded_value(name) if self.loaded_value("type") == type_ else None

    def _unused_map_errors(self) -> dict[str, list[ValidationError]]:
        """Errors in the map of the other type, which may be empty but not invalid."""
        changed = self.changed_fields()
        found = {}
        if (
            self.type != TriggerType.SCHEDULE
            and self.schedule_config
            and "schedule_config" in changed
        ):
            found["schedule_config"] = validation.read_schedule(self.schedule_config)[1]
        if self.type != TriggerType.EVENT and self.event_config and "event_config" in changed:
            found["event_config"] = validation.read_subscription(self.event_config)[1]
        return {
            name: [error for error in errors if error.code != "required"]
            for name, errors in found.items()
        }

    def check_quota(self) -> None:
        """Raise ValidationError if the user may have no further trigger."""
        TriggerCount.objects.check_quota(self.user_id, Trigger.objects.of_user(self.user_id).count)

    # Schedule

    @property
    def schedule(self) -> Schedule | None:
        """The parsed schedule; None for an event trigger or an invalid map."""
        if self.type != TriggerType.SCHEDULE:
            return None
        return validation.read_schedule(self.schedule_config)[0]

    @property
    def subscription(self) -> Subscription | None:
        """The parsed subscription; None for a schedule trigger or an invalid map."""
        if self.type != TriggerType.EVENT:
            return None
        return validation.read_subscription(self.event_config)[0]

    @property
    def schedule_description(self) -> str:
        """The schedule in words, in English; empty if there is none."""
        schedule = self.schedule
        return schedule.words if schedule else ""

    def next_runs(self, after: datetime, count: int = 3) -> list[datetime]:
        """The next times of the schedule in UTC, even if the trigger is disabled.

        Args:
            after: an aware time; all runs are later than it.
            count: the most times to return.
        """
        schedule = self.schedule
        if schedule is None:
            return []
        return schedule.next_runs(after, count, anchor=self.anchor)

    def last_run(self, before: datetime) -> datetime | None:
        """The last time of the schedule before a moment, in UTC; None if there is none."""
        schedule = self.schedule
        return schedule.last_run(before, anchor=self.anchor) if schedule else None

    def expected_by(self, due: datetime) -> datetime | None:
        """When an occurrence of the schedule has to have begun; None if there is no schedule."""
        schedule = self.schedule
        return (
            schedule.expectation(self.anchor, self._allowed).expected_by(due) if schedule else None
        )

    def overdue(self, since: datetime, now: datetime, most: int) -> list[datetime]:
        """The occurrences that had to begin between two times, the last one first; at most `most`.

        A trigger that is disabled has none.
        """
        schedule = self.schedule
        if schedule is None or not self.enabled:
            return []
        return schedule.expectation(self.anchor, self._allowed).overdue(since, now, most)

    def is_too_late(self, due: datetime, now: datetime) -> bool:
        """Whether an occurrence must not begin any more, because of `begin_within_minutes`."""
        if self.on_deadline != OnDeadline.CANCEL or not self.begin_within_minutes:
            return False
        by = self.expected_by(due)
        return by is not None and now > by

    @property
    def _allowed(self) -> timedelta | None:
        """How late a run may begin, if an operator has said so."""
        minutes = self.begin_within_minutes
        return timedelta(minutes=minutes) if minutes else None

    @property
    def anchor(self) -> datetime:
        """The time that a rate counts from, in whole seconds as EventBridge Scheduler has it."""
        return self.created_at.replace(microsecond=0)

    # Agent

    @property
    def agent_options(self) -> dict[str, Any]:
        """The options for the agent beside the prompt, by their names in its request."""
        values = {named: getattr(self, field) for field, _, named in AGENT_OPTIONS}
        return {named: value for named, value in values.items() if value}

    # State

    @property
    def is_unreadable(self) -> bool:
        """Whether another program wrote invalid fields, which are shown with other values."""
        return self.sync_error_code == UNREADABLE.name

    def next_due(self, now: datetime, count: int = 1) -> list[datetime]:
        """The next times at which the trigger fires: none while it is disabled or paused."""
        after = self.due_after(now)
        return self.next_runs(after, count) if self.enabled and after else []

    def enable(self) -> None:
        """Let the trigger fire, end its pause, and reset its count of consecutive failures."""
        self.enabled = True
        self.end_pause()
        reasons.put(self, "paused_reason", "")
        self.consecutive_failures = 0

    def disable(self, reason: str = "") -> None:
        """Keep the trigger from firing.

        Args:
            reason: a `Reason` if it was paused automatically; empty if an operator disables it.
        """
        self.enabled = False
        self.end_pause()
        reasons.put(self, "paused_reason", reason)

    @property
    def has_line(self) -> bool:
        """Whether its runs take places of a concurrency key, or wait for them."""
        waits = (OverlapPolicy.BUFFER_ONE, OverlapPolicy.CANCEL_OTHER)
        return bool(self.concurrency_key or self.max_concurrent or self.overlap_policy in waits)

    @property
    def holds_itself(self) -> bool:
        """Whether a run of it keeps further ones from beginning, without a line."""
        return self.overlap_policy == OverlapPolicy.SKIP and not self.has_line

    def is_held(self, now: datetime) -> bool:
        """Whether the overlap policy forbids a further run now, since one is running."""
        return (
            self.holds_itself
            and self.running_until is not None
            and self.running_until > now
            and (not self.running_process or has_lease(self.running_process, now))
        )

    def note_skip(self, reason: str, due: datetime, runs: int = 1) -> None:
        """Record on the trigger, for operators, runs that were due and did not start.

        Args:
            reason: why, as a `Reason`.
            due: when the last of them was due.
            runs: the number of runs.
        """
        type(self)._default_manager.filter(user_id=self.user_id, pk=self.pk).update(
            skipped_runs=models.F("skipped_runs") + runs,
            last_skipped_at=due,
            **reasons.columns("last_skip_reason", reason),
        )
