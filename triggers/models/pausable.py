"""Pauses that people make of triggers: the fields, and what they mean at a moment."""

from datetime import UTC, datetime
from typing import Self, TypeVar

from django.core.validators import MaxLengthValidator
from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.times import INSTANT

# `paused_until` of a pause that only a person ends.
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
MAX_PAUSE_NOTE = 500

Row = TypeVar("Row", bound=models.Model)


class PausableQuerySet(ExpectingQuerySet[Row]):
    def firing(self, now: datetime, *, wanted: bool = True) -> Self:
        """The triggers that are enabled and not paused; with `wanted=False`, the others."""
        paused = models.Q(paused_until__gt=now)
        if wanted:
            return self.filter(enabled=True).exclude(paused)
        return self.filter(models.Q(enabled=False) | paused)

    def paused(self, now: datetime) -> Self:
        """The triggers that a person has paused, those first that end first."""
        return self.filter(paused_until__gt=now).order_by("paused_until")

    def over(self, now: datetime) -> Self:
        """The triggers whose pause is over and not yet removed from their rows."""
        return self.filter(paused_until__lte=now).order_by("paused_until")


class Pausable(models.Model):
    """A row that a person can pause until a moment, beside its being enabled or not.

    The pause is over once its end has come, although the fields stay for a while.
    """

    enabled: bool

    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=150, blank=True, editable=False)
    pause_note = models.TextField(
        blank=True, editable=False, validators=[MaxLengthValidator(MAX_PAUSE_NOTE)]
    )

    class Meta:
        abstract = True

    def is_paused(self, now: datetime) -> bool:
        """Whether a person has paused the trigger, and the pause is not over."""
        return self.paused_until is not None and self.paused_until > now

    def fires(self, now: datetime) -> bool:
        """Whether the trigger fires: it is enabled and not paused."""
        return self.enabled and not self.is_paused(now)

    def leaves_out(self, due: datetime, now: datetime) -> bool:
        """Whether a pause forbids to start at `now` what was due at a moment."""
        if self.paused_at is None or self.paused_until is None:
            return False
        return self.is_paused(now) or self.paused_at <= due < self.paused_until

    def due_after(self, now: datetime) -> datetime | None:
        """The moment after which the trigger fires next: now, or the end of its pause.

        None if only a person ends the pause. What is due at the very end of a pause fires.
        """
        if self.paused_until is None or not self.is_paused(now):
            return now
        if self.paused_until == FOREVER:
            return None
        return self.paused_until - INSTANT

    def pause(self, now: datetime, until: datetime | None, *, by: str, note: str = "") -> None:
        """Keep the trigger from firing until a moment, or until a person resumes it.

        A pause that is under way keeps its start.
        """
        if not self.is_paused(now):
            self.paused_at = now
        self.paused_until, self.paused_by, self.pause_note = until or FOREVER, by[:150], note

    def end_pause(self) -> None:
        """Remove the pause, so that the trigger fires if it is enabled."""
        self.paused_at = self.paused_until = None
        self.paused_by = self.pause_note = ""
