"""Choices of the fields of triggers, which runs and pages use, too."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TriggerType(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    EVENT = "event", _("Event")


class OverlapPolicy(models.TextChoices):
    SKIP = "skip", _("Skip the run while the previous one is in progress")
    ALLOW = "allow", _("Let runs overlap")

    @classmethod
    def default_for(cls, trigger_type: str | None) -> "OverlapPolicy":
        """The policy of a trigger that names none: events overlap, schedules skip.

        A skipped event is lost, while a schedule comes again.
        """
        return cls.ALLOW if trigger_type == TriggerType.EVENT else cls.SKIP


class ReasoningEffort(models.TextChoices):
    OFF = "off", _("Off")
    LOW = "low", _("Low")
    HIGH = "high", _("High")
    MAX = "max", _("Maximum")


class SyncState(models.TextChoices):
    SYNCED = "synced", _("Synced")
    PENDING = "pending", _("Not synced yet")
    FAILED = "failed", _("Not synced")


class RunStatus(models.TextChoices):
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
