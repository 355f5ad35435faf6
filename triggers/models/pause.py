"""The pause of the whole installation: one row, which says of the last pause when it was."""

from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxLengthValidator
from django.db import models

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout
from triggers.models.pausable import FOREVER, MAX_PAUSE_NOTE

# The key of the row.
INSTALLATION = "installation"


class InstallationPause(models.Model):
    """Keeps every trigger from firing until a moment. People can still run triggers by hand.

    The row stays when the pause is over, without who paused and why. If no process was there at the
    end, what was due during the pause is left out all the same.
    """

    id = models.CharField(primary_key=True, max_length=12, default=INSTALLATION, editable=False)
    paused_at = models.DateTimeField()
    paused_until = models.DateTimeField()
    paused_by = models.CharField(max_length=150)
    pause_note = models.TextField(blank=True, validators=[MaxLengthValidator(MAX_PAUSE_NOTE)])

    objects: ClassVar[Any] = ExpectingQuerySet.as_manager()

    dynamodb = Layout("PAUSE", "{id}")

    def __str__(self) -> str:
        return "the whole installation"

    def lasts(self, now: datetime) -> bool:
        """Whether it is not over."""
        return self.paused_until > now

    def leaves_out(self, due: datetime, now: datetime) -> bool:
        """Whether it forbids to start at `now` what was due at a moment."""
        return self.lasts(now) or self.paused_at <= due < self.paused_until

    @property
    def is_noted(self) -> bool:
        """Whether its end is in the audit log."""
        return not self.paused_by

    @property
    def ends_by_itself(self) -> bool:
        return self.paused_until != FOREVER
