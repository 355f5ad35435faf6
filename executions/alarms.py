"""Open alarms: a row for each thing that should have happened and has not, or lasts too long.

The row is written once, on the condition that there is none. However many processes notice the same
silence, one of them tells of it. The row goes when the reason is gone.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import IntegrityError, models
from django.utils.translation import gettext_lazy as _

from alerts.outbox import Execution, Happening, tell
from moca import audit, reasons, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError, ExpectingQuerySet
from moca.dynamodb.layout import Layout
from moca.ids import occurrence_id
from moca.reasons import CodeField, ParamsField
from moca.sentences import Part, Reason
from triggers.models import Trigger

logger = logging.getLogger(__name__)

WATCH = audit.system("watch")


class AlarmKind(models.TextChoices):
    # A run was due, and nothing fires it.
    SILENT = "silent", _("Did not run")
    # A run waits, though schedules are fired.
    LATE = "late", _("Late")
    TOO_LONG = "too_long", _("Takes too long")
    # No process fires schedules. It is about the installation.
    NO_PROCESS = "no_process", _("Nothing fires")


HAPPENINGS: dict[str, Happening] = {
    AlarmKind.SILENT: Happening.MISSED,
    AlarmKind.LATE: Happening.LATE,
    AlarmKind.TOO_LONG: Happening.TOO_LONG,
    AlarmKind.NO_PROCESS: Happening.NO_SCHEDULER,
}
# The id of the alarm that no process fires schedules.
NO_PROCESS_ID = "process"


class AlarmQuerySet(ExpectingQuerySet["Alarm"]):
    def about_trigger(self, trigger_id: str) -> Self:
        """The open alarms about a trigger and its runs."""
        return self.filter(pk__gte=f"{trigger_id}-", pk__lt=f"{trigger_id}.")


class Alarm(models.Model):
    """An open alarm about an occurrence of a trigger, a run, or the installation.

    Its id is made from what it is about, so that there is one at a time: `TRIGGER-due`,
    `TRIGGER-wait-EXECUTION`, `TRIGGER-long-EXECUTION` or `process`.
    """

    id = models.CharField(primary_key=True, max_length=90)
    kind = models.CharField(max_length=12, choices=AlarmKind)
    trigger_id = models.CharField(max_length=36, blank=True)
    user_id = models.CharField(max_length=128, blank=True)
    execution_id = models.CharField(max_length=36, blank=True)
    # When the occurrence was due, the run began to wait or to run, or the last process was seen.
    since = models.DateTimeField()
    raised_at = models.DateTimeField()
    reason = models.TextField()
    reason_code, reason_params = CodeField(), ParamsField()

    objects: ClassVar[Any] = AlarmQuerySet.as_manager()

    # There are few; one query reads them all.
    dynamodb = Layout("ALARM", "{id}")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.reason or self.id

    @classmethod
    def about_due(
        cls, kind: AlarmKind, trigger: Trigger, due: datetime, now: datetime, why: Reason
    ) -> "Alarm":
        """An alarm about an occurrence of a schedule, unsaved."""
        key = due_id(trigger.pk)
        return cls._of(kind, key, due, now, why, trigger_id=trigger.pk, user_id=trigger.user_id)

    @classmethod
    def about_run(
        cls, kind: AlarmKind, execution: Any, since: datetime, now: datetime, why: Reason
    ) -> "Alarm":
        """An alarm about a run that is on record, unsaved."""
        return cls._of(
            kind,
            run_id(execution, kind),
            since,
            now,
            why,
            trigger_id=execution.trigger_id,
            user_id=execution.user_id,
            execution_id=execution.pk,
        )

    @classmethod
    def about_processes(cls, since: datetime, now: datetime, why: Reason) -> "Alarm":
        """The alarm that no process fires schedules, unsaved."""
        return cls._of(AlarmKind.NO_PROCESS, NO_PROCESS_ID, since, now, why)

    @classmethod
    def _of(
        cls,
        kind: AlarmKind,
        key: str,
        since: datetime,
        now: datetime,
        why: Reason,
        **about: str,
    ) -> "Alarm":
        columns = reasons.columns("reason", why)
        return cls(id=key, kind=kind, since=since, raised_at=now, **about, **columns)

    @property
    def why(self) -> str:
        """Why it was raised, a `Reason`."""
        return reasons.of(self, "reason")

    @property
    def minutes(self) -> int:
        """How many minutes the reason had lasted when the alarm was raised."""
        return max(0, round((self.raised_at - self.since).total_seconds() / 60))


def due_id(trigger_id: str) -> str:
    """The id of the alarm about a trigger's occurrences."""
    return f"{trigger_id}-due"


def run_id(execution: Any, kind: AlarmKind) -> str:
    """The id of the alarm about a run."""
    word = "long" if kind == AlarmKind.TOO_LONG else "wait"
    return f"{execution.trigger_id}-{word}-{execution.pk}"


def raise_alarm(
    alarm: Alarm, trigger: Trigger | None = None, execution: Execution | None = None
) -> bool:
    """Put an alarm on record with its audit entry, and tell of it.

    Args:
        alarm: the alarm, unsaved.
        trigger: the trigger that it is about; None for the installation.
        execution: the run that it is about; None for an occurrence that has not begun.

    Returns:
        False if it is raised already, by this process or another.
    """
    why = alarm.why
    try:
        with reconcile.atomic():
            alarm.save(force_insert=True)
            changes = {"execution": ["", alarm.execution_id]} if alarm.execution_id else {}
            audit.note(
                AuditEntry.Action.ALARM, trigger or alarm, by=WATCH, why=why, changes=changes
            )
            _tell(alarm, trigger, execution)
    except (IntegrityError, ConflictError):
        return False
    ids = {"triggerId": alarm.trigger_id, "executionId": alarm.execution_id}
    logger.warning("%s", why, extra={name: value for name, value in ids.items() if value})
    return True


def _tell(alarm: Alarm, trigger: Trigger | None, execution: Execution | None) -> None:
    """Tell the outbox of an alarm, in the open transaction.

    Runs that were missed are told again when a scheduler puts them on record. The key is the same,
    so that this is one alert.
    """
    key = f"{alarm.pk} {alarm.since.isoformat()}"
    if alarm.kind == AlarmKind.SILENT:
        key = occurrence_id(alarm.trigger_id, alarm.since)
    params: dict[str, Part] = {"minutes": alarm.minutes, "reason": alarm.why}
    tell(HAPPENINGS[alarm.kind], trigger=trigger, execution=execution, params=params, key=key)


def close_alarms(alarms: Iterable[Alarm]) -> None:
    """Remove alarms whose reason is gone. An alarm that was raised anew meanwhile stays."""
    for alarm in alarms:
        Alarm.objects.filter(pk=alarm.pk, since=alarm.since).delete()
