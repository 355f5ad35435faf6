"""Executions: one run of a trigger, and what the agent said."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.output import Output
from executions.failures import LOST, NOT_PICKED_UP
from moca import reasons
from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Absent, Index, Layout
from moca.reasons import CodeField, ParamsField
from triggers.models import RunStatus, Trigger


class Source(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    EVENT = "event", _("Event")
    MANUAL = "manual", _("Run now")
    REPLAY = "replay", _("Replay")


def _status_of_old(item: dict[str, Any]) -> str:
    """The status of a record by the TypeScript service, which writes one at the end of a run."""
    return RunStatus.FAILED if item.get("errorMessage") else RunStatus.COMPLETED


class TriggerExecutionQuerySet(ExpectingQuerySet["TriggerExecution"]):
    def of_trigger(self, trigger: Trigger) -> Self:
        """The executions of a trigger, newest first."""
        return self.filter(trigger_id=trigger.pk)

    def of_user(self, user_id: str) -> Self:
        """The executions of a user's triggers, those of deleted triggers among them.

        Records of the TypeScript service name no user, so they are not among these.
        """
        return self.filter(user_id=user_id)

    def running(self) -> Self:
        return self.filter(status=RunStatus.RUNNING)

    def lost(self, now: datetime) -> Self:
        """Runs on record as running whose process has given no sign of life in time."""
        return self.running().filter(lease_until__lt=now).order_by("lease_until")

    def shown_as(self, status: str, now: datetime) -> Self:
        """The executions that show a status now, those of lost runs among the failed.

        Args:
            status: one of `RunStatus`; empty for all.
            now: the moment; see `close_if_lost()`.
        """
        if status == RunStatus.RUNNING:
            alive = models.Q(lease_until__isnull=True) | models.Q(lease_until__gte=now)
            return self.running().filter(alive)
        if status == RunStatus.FAILED:
            lost = models.Q(status=RunStatus.RUNNING, lease_until__lt=now)
            return self.filter(models.Q(status=status) | lost)
        return self.filter(status=status) if status else self


class TriggerExecution(models.Model):
    """One run of a trigger.

    A record with `attempt` 0 has been accepted and waits for a process to run it. While it runs,
    `lease_until` says how long its process vouches for it: past that, it is taken for lost.
    The trigger may be deleted before its executions, so nothing but its id ties them.
    """

    id = models.CharField(primary_key=True, max_length=36, editable=False)
    trigger_id = models.CharField("trigger", max_length=36)
    user_id = models.CharField("user", max_length=128)
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.RUNNING)
    source = models.CharField(max_length=10, choices=Source)
    attempt = models.PositiveIntegerField(default=0)
    scheduled_at = models.DateTimeField("due", null=True, blank=True)
    started_at = models.DateTimeField("started")
    completed_at = models.DateTimeField("ended", null=True, blank=True)
    duration_ms = models.PositiveBigIntegerField("duration (ms)", null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # Whether the agent may have begun: only a run that never reached it is tried again.
    reached_agent = models.BooleanField(default=False)
    request_id = models.CharField("agent's request", max_length=200, blank=True)
    session_id = models.CharField("session", max_length=256, blank=True)
    # The first and the last 64 KB of what the agent said, and how much it was.
    output = models.TextField(blank=True)
    output_tail = models.TextField(blank=True)
    output_bytes = models.PositiveBigIntegerField(default=0)
    usage = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    error_code, error_params = CodeField(), ParamsField()
    # What is wrong with the run's input, though it ran.
    warning = models.TextField(blank=True)
    warning_code, warning_params = CodeField(), ParamsField()
    event_payload = models.TextField(blank=True)
    replay_of = models.CharField(max_length=36, blank=True)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the record goes.")

    objects: ClassVar[Any] = TriggerExecutionQuerySet.as_manager()

    dynamodb = Layout(
        "TRIGGER#{trigger_id}",
        "EXECUTION#{id}",
        indexes=[
            # Four partitions, since each takes a thousand new rows a second.
            Index("GSI3", "EXECUTION#{id:4}", "{id}"),
            Index("GSI4", "RUNNING", "{lease_until}", when={"status": RunStatus.RUNNING}),
            Index("GSI5", "USER#{user_id}", "{id}"),
        ],
        # As the TypeScript service names them.
        attributes={"id": "executionId", "started_at": "executedAt", "error": "errorMessage"},
        absent={
            "status": Absent(
                _status_of_old,
                frozenset({RunStatus.COMPLETED, RunStatus.FAILED}),
                looks_at=("errorMessage",),
            )
        },
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "execution"
        indexes = [
            models.Index(fields=["trigger_id", "id"]),
            models.Index(fields=["user_id", "id"]),
            models.Index(fields=["status", "lease_until"]),
            models.Index(fields=["ttl"]),
        ]

    def __str__(self) -> str:
        return self.id

    def _do_update(self, base_qs: Any, *args: Any, **options: Any) -> Any:
        # A record is found by its trigger and its id; see `dynamodb` above.
        return super()._do_update(base_qs.filter(trigger_id=self.trigger_id), *args, **options)

    @property
    def said(self) -> Output:
        """What the agent said so far."""
        return Output.stored(self.output, self.output_tail, self.output_bytes)

    def set_output(self, output: Output) -> None:
        """Take over what the agent said; the caller saves."""
        self.output, self.output_tail = output.head, output.tail
        self.output_bytes = output.total_bytes

    def is_lost(self, now: datetime) -> bool:
        """Whether the record says running though no process vouches for the run any more."""
        return (
            self.status == RunStatus.RUNNING
            and self.lease_until is not None
            and self.lease_until < now
        )

    def close_if_lost(self, now: datetime) -> None:
        """Show a lost run as what it is, failed, before housekeeping has written that down."""
        if self.is_lost(now):
            self.status = RunStatus.FAILED
            reasons.put(self, "error", LOST() if self.attempt else NOT_PICKED_UP())
            # The process may have died while the agent was at work: never sent again.
            self.reached_agent = self.attempt > 0


class QueuedRun(models.Model):
    """A run that was asked for and waits for the local scheduler process.

    Its id is the execution's. The process that deletes the row runs it.
    """

    id = models.CharField(primary_key=True, max_length=36)
    trigger_id = models.CharField(max_length=36)

    dynamodb = Layout("QUEUE", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class PendingEventQuerySet(ExpectingQuerySet["PendingEvent"]):
    def due(self, now: datetime) -> Self:
        """The events whose pause is over, the longest waiting first."""
        return self.filter(due_at__lte=now).order_by("due_at")


class PendingEvent(models.Model):
    """The latest event of a trigger that waits for its events to pause (`debounceSeconds`)."""

    trigger_id = models.CharField(primary_key=True, max_length=36)
    user_id = models.CharField(max_length=128)
    execution_id = models.CharField(max_length=36)
    envelope = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # When it runs, if no further event comes.
    due_at = models.DateTimeField()
    # How many came since the first, which tells a row from that of a moment ago.
    events = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = PendingEventQuerySet.as_manager()

    dynamodb = Layout(
        "PENDING#{trigger_id}", "PENDING", indexes=[Index("GSI4", "PENDING", "{due_at}")]
    )

    class Meta:
        indexes = [models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.trigger_id


def expiry(started_at: datetime) -> int:
    """When the record of a run goes, in epoch seconds."""
    return int((started_at + timedelta(days=settings.EXECUTION_TTL_DAYS)).timestamp())


def usage_map(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """Token counts in the form of the HTTP contract."""
    return {"inputTokens": input_tokens, "outputTokens": output_tokens}
