"""Choices of the fields of triggers, which runs and pages use, too."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TriggerType(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    EVENT = "event", _("Event")


class OverlapPolicy(models.TextChoices):
    SKIP = "skip", _("Skip the run while the previous one is in progress")
    ALLOW = "allow", _("Let runs overlap")
    BUFFER_ONE = "buffer_one", _("Let one run wait until the previous one has ended")
    CANCEL_OTHER = "cancel_other", _("Cancel the previous run, then begin")

    @classmethod
    def default_for(cls, trigger_type: str | None) -> "OverlapPolicy":
        """The policy of a trigger that names none: events overlap, schedules skip.

        A skipped event is lost, while a schedule comes again.
        """
        return cls.ALLOW if trigger_type == TriggerType.EVENT else cls.SKIP


class CatchUp(models.TextChoices):
    """What runs late, after nobody was there to start it in time. All else is missed."""

    RECENT = "recent", _("Run what was due in the last minutes")
    NONE = "none", _("Run nothing late")
    LAST = "last", _("Run the last one, however late")
    ALL = "all", _("Run all of them, the newest 100 at most")


class OnDeadline(models.TextChoices):
    WARN = "warn", _("Warn")
    CANCEL = "cancel", _("Warn and cancel the run")


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


class Outcome(models.TextChoices):
    """How a run ended. The status says only whether it completed or failed."""

    SUCCESS = "success", _("Success")
    # The agent asks a person, and the run has completed until there is an answer.
    INTERRUPTED = "interrupted", _("Waits for a person")
    # All others are failures. A guardrail or a content filter stopped the answer.
    REFUSED = "refused", _("Refused")
    # The answer reached a limit of tokens or turns.
    LIMITED = "limited", _("Limit reached")
    ERROR = "error", _("Error")
    TIMED_OUT = "timed_out", _("Timed out")
    CANCELLED = "cancelled", _("Cancelled")
    # The process of the run died.
    LOST = "lost", _("Lost")
    # The run was due, and did not start.
    MISSED = "missed", _("Missed")
    # The agent was asked, and no process of ours reads on: the agent may still be at work.
    UNKNOWN = "unknown", _("End unknown")
    # The run took more than its trigger allows, and was cancelled.
    OVER_BUDGET = "over_budget", _("Over budget")
