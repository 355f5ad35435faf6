"""The quota of triggers of a user: the counts that enforce it, and what a user is told."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.utils.translation import gettext as _

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Layout


class TriggerCountQuerySet(ExpectingQuerySet["TriggerCount"]):
    def check_quota(self, user_id: str, count_rows: Callable[[], int]) -> None:
        """Raise ValidationError if the user has reached MAX_TRIGGERS_PER_USER.

        A save beyond the quota raises ConflictError, which does not say why. This does.

        Args:
            user_id: the user.
            count_rows: counts the user's triggers in the table.
        """
        limit = settings.MAX_TRIGGERS_PER_USER
        count = self.filter(pk=user_id).first()
        if count is None or 0 <= count.triggers < limit:
            return
        # Other programs create and delete triggers uncounted, and so the stored count may be wrong.
        actual = count_rows()
        # If triggers come or go meanwhile, nothing is stored, and the next check counts again.
        self.correct(count, actual)
        if actual >= limit:
            raise ValidationError(
                _(
                    "You have %(limit)s triggers, which is the most a user may have: delete one "
                    "first."
                )
                % {"limit": limit},
                code="quota",
            )

    def reserve(self, user_id: str) -> None:
        """Count a new trigger of a user.

        Raises:
            ConflictError: the user has reached MAX_TRIGGERS_PER_USER; or the count is below zero,
                since uncounted triggers were deleted.
        """
        limit = settings.MAX_TRIGGERS_PER_USER
        if self._reserve_by_sql(user_id, limit):
            return
        below = self.filter(pk=user_id, triggers__gte=0, triggers__lt=limit)
        first = TriggerCount(user_id=user_id, triggers=1)
        below.update_expected(
            triggers=models.F("triggers") + 1, changes=models.F("changes") + 1, missing=first
        )

    def _reserve_by_sql(self, user_id: str, limit: int) -> bool:
        """Do what `reserve()` does by a written statement; False if no row was counted.

        Django takes twenty times as long to compile the statement as SQLite to run it: a tenth of
        the CPU of creating a trigger.
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

    def release(self, user_id: str) -> None:
        """Count a deleted trigger of a user."""
        none = TriggerCount(user_id=user_id, triggers=-1)
        row = self.filter(pk=user_id)
        row.update_expected(
            triggers=models.F("triggers") - 1, changes=models.F("changes") + 1, missing=none
        )

    def correct(self, noted: "TriggerCount", triggers: int) -> bool:
        """Store how many triggers a user has; False if triggers came or went meanwhile.

        Args:
            noted: the count as it was read before the triggers were counted.
            triggers: the number that was counted then.
        """
        unchanged = self.filter(pk=noted.user_id, changes=noted.changes)
        return bool(unchanged.update(triggers=triggers, changes=models.F("changes") + 1))


class TriggerCount(models.Model):
    """The number of triggers that a user has."""

    user_id = models.CharField(primary_key=True, max_length=128)
    triggers = models.IntegerField(default=0)
    # A count that changed and changed back differs in this.
    changes = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[Any] = TriggerCountQuerySet.as_manager()

    dynamodb = Layout("USER#{user_id}", "TRIGGERS")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.triggers}"


def import_beyond_quota(user_id: str, stored: int, new: int) -> str:
    """Say that an import would give a user too many triggers."""
    return (
        f"{user_id} has {stored} triggers and would get {new}: a user may have "
        f"{settings.MAX_TRIGGERS_PER_USER} (MAX_TRIGGERS_PER_USER)."
    )
