"""Writes that somebody else's came before, and such as take for granted what is known."""

from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from moca.dynamodb.errors import ConflictError
from moca.reasons import translated
from moca.sentences import Reason

__all__ = ["ConflictError", "ExpectingQuerySet", "reason_of"]

Row = TypeVar("Row", bound=models.Model)


class ExpectingQuerySet(models.QuerySet[Row]):
    """Writes whose caller knows what stands in the rows, so that none has to be read first.

    The filters name rows by their keys. A database that collects the writes of a transaction makes
    these as they are, and finds out at the commit whether they were possible.
    """

    def update_expected(
        self, *, missing: models.Model | None = None, rows: int = 1, **values: Any
    ) -> None:
        """Update rows that are expected to be there, and as the filters say.

        Args:
            missing: for one row: the row to insert where there is none. `F()` counts from its
                default then.
            rows: how many they are.
            values: as for `update()`.

        Raises:
            ConflictError: there are no such rows; see there for when it is raised.
        """
        expecting = self._chain()  # type: ignore[attr-defined]
        expecting.query.expects_row = missing or True
        if expecting.update(**values) == rows:
            return
        if missing is None:
            raise ConflictError(f"The {self.model._meta.verbose_name} has changed meanwhile.")
        try:
            with transaction.atomic(using=self.db):
                missing.save(force_insert=True, using=self.db)
        except IntegrityError as error:
            raise ConflictError(str(error)) from error

    def discard(self) -> None:
        """Delete the rows that the filters name, whether they are there or not; no signals."""
        expecting = self._chain()  # type: ignore[attr-defined]
        expecting.query.expects_row = "any"
        expecting._raw_delete(self.db)


def reason_of(error: Exception) -> str:
    """Why something was refused, for an operator, in the language in use."""
    if isinstance(error, ConflictError):
        return _("somebody else changed or deleted it at the same moment.")
    if isinstance(reason := getattr(error, "reason", None), Reason):
        return translated(reason)
    return "; ".join(getattr(error, "messages", [str(error)]))
