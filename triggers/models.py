"""Triggers: what to ask which agent, and when."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import connection, connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from moca import reasons
from moca.concurrency import ExpectingQuerySet, VersionedModel
from moca.dynamodb.layout import Absent, Index, Layout
from moca.ids import new_id
from moca.reasons import CodeField, ParamsField
from moca.validation import one_line
from triggers import validation
from triggers.failures import UNREADABLE
from triggers.validation import Schedule, Subscription


class TriggerType(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    EVENT = "event", _("Event")


class OverlapPolicy(models.TextChoices):
    SKIP = "skip", _("Skip the run while the one before is still going")
    ALLOW = "allow", _("Let runs overlap")


class ReasoningEffort(models.TextChoices):
    OFF = "off", _("Off")
    LOW = "low", _("Low")
    HIGH = "high", _("High")
    MAX = "max", _("Maximum")


class SyncState(models.TextChoices):
    SYNCED = "synced", _("In step")
    PENDING = "pending", _("Not yet in step")
    FAILED = "failed", _("Out of step")


class RunStatus(models.TextChoices):
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")


# How long an index may take to know a row that was just added.
LAG_SECONDS = 0.3

# What an agent is told beside the prompt: the trigger's field, and what it is called in the input
# of a schedule and in the agent's request. What is empty is left out of both.
AGENT_OPTIONS = (
    ("model_id", "modelId", "modelId"),
    ("reasoning_effort", "reasoningEffort", "reasoningEffort"),
    ("working_directory", "workingDirectory", "storagePath"),
)


def _note_malformed(row: dict[str, Any], names: list[str]) -> None:
    """Have a row that another program wrote wrongly never fire, and say on it what is wrong."""
    row["enabled"] = False
    row["sync_state"] = SyncState.FAILED
    row |= reasons.columns("sync_error", UNREADABLE(names=", ".join(names)))


def _policy_of_old(item: dict[str, Any]) -> str:
    """The overlap policy of a trigger that names none."""
    is_event = item.get("type", {}).get("S") == TriggerType.EVENT
    return OverlapPolicy.ALLOW if is_event else OverlapPolicy.SKIP


class TriggerQuerySet(ExpectingQuerySet["Trigger"]):
    def named(self, keys: Iterable[tuple[str, str]]) -> Self:
        """The triggers of these users and ids."""
        ids = defaultdict(list)
        for user_id, trigger_id in keys:
            ids[user_id].append(trigger_id)
        pairs = [models.Q(user_id=user_id, pk__in=own) for user_id, own in ids.items()]
        return self.filter(reduce(or_, pairs)) if pairs else self.none()

    def with_id(self, trigger_id: str) -> "Trigger | None":
        """The trigger of an id, whosever it is; an index that may lag is asked twice."""
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
            # Without the order that `first()` gives what has one row at the most.
            return self.get(user_id=user_id, pk=trigger_id)
        except Trigger.DoesNotExist:
            return None

    def schedules(self) -> Self:
        """The triggers that fire by a schedule, enabled or not."""
        return self.filter(type=TriggerType.SCHEDULE)

    def events(self) -> Self:
        """The triggers that fire on events, enabled or not."""
        return self.filter(type=TriggerType.EVENT)

    def listening_to(self, source_id: str) -> Self:
        """The enabled triggers that fire on the events of a source."""
        return self.events().filter(event_config__eventSourceId=source_id, enabled=True)

    def search(self, text: str) -> Self:
        """The triggers whose name or description holds the text, in any case."""
        return self.filter(models.Q(name__icontains=text) | models.Q(description__icontains=text))

    def tagged(self, tag: str) -> Self:
        """The triggers that have a tag, in any case."""
        # As it stands in JSON, with its quotation marks: a whole one and not a part.
        return self.filter(tags__icontains=json.dumps(tag))


class LocalScheduleQuerySet(ExpectingQuerySet["LocalSchedule"]):
    def upcoming(self, until: datetime) -> Self:
        """The schedules that fire until a moment, the longest waiting first."""
        return self.filter(due_at__lte=until).order_by("due_at")


class TriggerCountQuerySet(ExpectingQuerySet["TriggerCount"]):
    def take(self, user_id: str) -> None:
        """Count a new trigger; ConflictError where the user may have no more of them.

        Or where triggers went that were never counted, so that the count is below zero.
        """
        limit = settings.MAX_TRIGGERS_PER_USER
        if self._take_by_sql(user_id, limit):
            return
        below = self.filter(pk=user_id, triggers__gte=0, triggers__lt=limit)
        first = TriggerCount(user_id=user_id, triggers=1)
        below.update_expected(
            triggers=models.F("triggers") + 1, changes=models.F("changes") + 1, missing=first
        )

    def _take_by_sql(self, user_id: str, limit: int) -> bool:
        """Count a new trigger by the statement of `take()`, written down.

        Django compiles it for twenty times as long as SQLite runs it, which is a tenth of the time
        that it takes to create a trigger.
        """
        database = connections[self.db]
        if database.vendor == "dynamodb":
            return False
        with database.cursor() as cursor:
            cursor.execute(
                "UPDATE triggers_triggercount SET triggers = triggers + 1, changes = changes + 1 "
                "WHERE user_id = %s AND triggers >= 0 AND triggers < %s",
                [user_id, limit],
            )
            return bool(cursor.rowcount)

    def give_back(self, user_id: str) -> None:
        """Count a trigger that goes."""
        none = TriggerCount(user_id=user_id, triggers=-1)
        row = self.filter(pk=user_id)
        row.update_expected(
            triggers=models.F("triggers") - 1, changes=models.F("changes") + 1, missing=none
        )

    def recount(self, noted: "TriggerCount") -> int:
        """Count a user's triggers anew, since other programs make and delete some uncounted."""
        triggers: int = Trigger.objects.filter(user_id=noted.user_id).count()
        # Of those that come and go meanwhile none may be lost: whoever needs it counts again.
        self.correct(noted, triggers)
        return triggers

    def correct(self, noted: "TriggerCount", triggers: int) -> bool:
        """Note how many triggers a user has.

        Args:
            noted: the count as it was read before the triggers were counted.
            triggers: how many they are.

        Returns:
            Whether it was noted: False where triggers came or went since.
        """
        unchanged = self.filter(pk=noted.user_id, changes=noted.changes)
        return bool(unchanged.update(triggers=triggers, changes=models.F("changes") + 1))


class Trigger(VersionedModel):
    """A prompt for an agent, and the schedule or the events that send it.

    `schedule_config` and `event_config` are the maps of the HTTP contract, keys and all:
    `expression`, `timezone`, `startDate`, `endDate`, `flexibleTimeWindowMinutes`; and
    `eventSourceId`, `eventBusName`, `eventPattern`, `debounceSeconds`, `maxRunsPerHour`. The
    expression is kept as it was written.
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
        max_length=5, choices=OverlapPolicy, default=OverlapPolicy.SKIP
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
    tags = models.JSONField(default=list, blank=True, validators=[validation.validate_tags])

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    # What the runner notes; never part of an operator's save.
    last_executed_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_status = models.CharField(max_length=10, choices=RunStatus, blank=True, editable=False)
    # Which run that was and how its error begins, so that a list shows them without reading runs.
    last_execution_id = models.CharField(max_length=36, blank=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_error_code, last_error_params = CodeField(), ParamsField()
    # How its runs have fared, for lists; see `triggers.statistics`.
    statistics = models.TextField(blank=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, editable=False)
    paused_reason = models.TextField(blank=True, editable=False)
    paused_reason_code, paused_reason_params = CodeField(), ParamsField()
    # The start of the run that holds the trigger against overlaps, and when that hold ends.
    running_since = models.DateTimeField(null=True, blank=True, editable=False)
    running_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Runs that were due and not started.
    skipped_runs = models.PositiveIntegerField(default=0, editable=False)
    last_skipped_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_skip_reason = models.TextField(blank=True, editable=False)
    last_skip_reason_code, last_skip_reason_params = CodeField(), ParamsField()

    # Runs of events that began within the hour that counts against `maxRunsPerHour`.
    hour_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    runs_in_hour = models.PositiveIntegerField(default=0, editable=False)

    # How the scheduler's copy compares with this row.
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
            # On attributes that every trigger has, so that those of other programs are found too.
            Index("TriggersByType", "{type}", "{id}", hash_key="type", range_key="id"),
        ],
        # The TypeScript service lets the runs of events overlap, and knows no other policy.
        absent={
            "overlap_policy": Absent(
                _policy_of_old, frozenset(OverlapPolicy.values), looks_at=("type",)
            )
        },
        malformed=_note_malformed,
    )

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["user_id", "id"])]

    def __str__(self) -> str:
        return self.name

    # Validation

    def clean(self) -> None:
        """Check what concerns more than one field; see `triggers.validation`.

        Raises:
            ValidationError: by field, each error with a code, and for parts of a map with the
                part's name in `params["part"]`.
        """
        # What another program wrote stays editable in its other parts, even where it is wrong.
        is_concerned = self.changed_fields() & {"type", "schedule_config", "event_config"}
        is_enabling = self.enabled and not self.loaded_value("enabled")
        errors = self._map_errors() if is_concerned or is_enabling else {}
        if "prompt" in self.changed_fields() and (found := validation.prompt_errors(self.prompt)):
            errors["prompt"] = found
        if errors:
            raise ValidationError(errors)

    def _map_errors(self) -> dict[str, list[ValidationError]]:
        if self.type == TriggerType.SCHEDULE:
            errors = validation.schedule_errors(
                self.schedule_config, timezone.now(), anchor=self.anchor
            )
            found = {"schedule_config": errors}
        elif self.type == TriggerType.EVENT:
            found = {
                "event_config": validation.event_errors(self.event_config)
                or validation.own_pattern_errors(
                    self.event_config, self._event_config_before(), self.user_id
                )
            }
        else:
            found = {}
        found |= self._unused_map_errors()
        return {name: errors for name, errors in found.items() if errors}

    def _event_config_before(self) -> Any:
        """What the map was when it was read; None for a new trigger, or one of another type."""
        was_event = self.loaded_value("type") == TriggerType.EVENT
        return self.loaded_value("event_config") if was_event else None

    def _unused_map_errors(self) -> dict[str, list[ValidationError]]:
        """What is wrong with the map of the other type, which may be left empty but not odd."""
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
        """Raise ValidationError if the user has as many triggers as a user may have.

        Every save counts the triggers of users, and raises ConflictError; this says why.
        """
        limit = settings.MAX_TRIGGERS_PER_USER
        count = TriggerCount.objects.filter(pk=self.user_id).first()
        if count is None or 0 <= count.triggers < limit:
            return
        if TriggerCount.objects.recount(count) >= limit:
            raise ValidationError(
                _(
                    "You have %(limit)s triggers, which is the most a user may have: delete one "
                    "first."
                )
                % {"limit": limit},
                code="quota",
            )

    # Schedule

    @property
    def schedule(self) -> Schedule | None:
        """What the schedule's map says; None for an event trigger or an unreadable map."""
        if self.type != TriggerType.SCHEDULE:
            return None
        return validation.read_schedule(self.schedule_config)[0]

    @property
    def subscription(self) -> Subscription | None:
        """What the event's map says; None for a schedule trigger or an unreadable map."""
        if self.type != TriggerType.EVENT:
            return None
        return validation.read_subscription(self.event_config)[0]

    @property
    def schedule_description(self) -> str:
        """The schedule in words; empty where there is none."""
        schedule = self.schedule
        return schedule.words if schedule else ""

    def next_runs(self, after: datetime, count: int = 3) -> list[datetime]:
        """When the schedule is next due, whether the trigger is enabled or not (UTC).

        Args:
            after: runs strictly after this moment (aware).
            count: how many at the most.
        """
        schedule = self.schedule
        if schedule is None:
            return []
        return schedule.next_runs(after, count, anchor=self.anchor)

    def last_run(self, before: datetime) -> datetime | None:
        """When the schedule was last due before a moment (UTC)."""
        schedule = self.schedule
        return schedule.last_run(before, anchor=self.anchor) if schedule else None

    @property
    def anchor(self) -> datetime:
        """Where a rate counts from, to the second as EventBridge Scheduler has it."""
        return self.created_at.replace(microsecond=0)

    # Agent

    @property
    def agent_options(self) -> dict[str, Any]:
        """What the agent is told beside the prompt, as its request names it."""
        values = {named: getattr(self, field) for field, _, named in AGENT_OPTIONS}
        return {named: value for named, value in values.items() if value}

    # State

    @property
    def is_unreadable(self) -> bool:
        """Whether another program wrote parts of the row that are not shown as they stand there."""
        return self.sync_error_code == UNREADABLE.name

    def enable(self) -> None:
        """Let the trigger fire again; failures counted so far are forgiven."""
        self.enabled = True
        reasons.put(self, "paused_reason", "")
        self.consecutive_failures = 0

    def disable(self, reason: str = "") -> None:
        """Keep the trigger from firing.

        Args:
            reason: a `Reason`, where it was not an operator's doing.
        """
        self.enabled = False
        reasons.put(self, "paused_reason", reason)

    def is_held(self, now: datetime) -> bool:
        """Whether a run is going that a further one may not overlap."""
        return (
            self.overlap_policy == OverlapPolicy.SKIP
            and self.running_until is not None
            and self.running_until > now
        )

    def note_skip(self, reason: str, due: datetime, runs: int = 1) -> None:
        """Record runs that were due and not started, where an operator sees it.

        Args:
            reason: a `Reason`.
            due: when the last of them was due.
            runs: how many they were.
        """
        type(self)._default_manager.filter(user_id=self.user_id, pk=self.pk).update(
            skipped_runs=models.F("skipped_runs") + runs,
            last_skipped_at=due,
            **reasons.columns("last_skip_reason", reason),
        )


class LocalSchedule(models.Model):
    """When the local scheduler is to fire a trigger: what EventBridge keeps, on one machine.

    `next_run_at` is the occurrence that comes next, None where none does; `due_at` is when to
    look at it, which is later where the schedule has a window or the run has to wait.
    """

    trigger_id = models.CharField(primary_key=True, max_length=36)
    user_id = models.CharField(max_length=128)
    # The parts of the trigger from which the times follow; a change of others leaves them alone.
    spec = models.JSONField(default=dict)
    next_run_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = LocalScheduleQuerySet.as_manager()

    dynamodb = Layout(
        "SCHEDULE#{trigger_id}",
        "SCHEDULE",
        indexes=[
            Index("GSI3", "SCHEDULE", "{trigger_id}"),
            Index("GSI4", "DUE", "{due_at}"),
        ],
    )

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.trigger_id


class TriggerCount(models.Model):
    """How many triggers a user has, so that a new one is not preceded by a count."""

    user_id = models.CharField(primary_key=True, max_length=128)
    triggers = models.IntegerField(default=0)
    # Tells a count that has changed and changed back from one that has not.
    changes = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[Any] = TriggerCountQuerySet.as_manager()

    dynamodb = Layout("USER#{user_id}", "TRIGGERS")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.triggers}"


class IdempotencyKey(models.Model):
    """The trigger that a create request with an `Idempotency-Key` made, kept for 24 hours."""

    id = models.CharField(primary_key=True, max_length=64)
    trigger_id = models.CharField(max_length=36)
    request_hash = models.CharField(max_length=64)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("IDEMPOTENCY#{id}", "IDEMPOTENCY")

    class Meta:
        indexes = [models.Index(fields=["ttl"])]

    def __str__(self) -> str:
        return self.trigger_id
