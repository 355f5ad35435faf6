"""Keeps projections equal to their rows: schedules and rules that EventBridge has of them.

A schedule is the projection of a trigger, a rule that of an event source. The transaction that
changes the row writes the projection before its commit: if the service refuses, nothing is stored.
If the transaction fails later, `atomic()` restores the projection from the stored row. A process
that dies in between leaves drift, which the next pass of the reconciler repairs.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import models, transaction
from django.utils.translation import gettext_noop as _

from moca.sentences import Code, Reason

logger = logging.getLogger(__name__)

# Reasons in audit entries of repairs.
MISSING = Code("copy_missing", _("The %(what)s was missing."))
DIFFERED = Code("copy_differed", _("The %(what)s differs in %(parts)s."))
REMOVED = Code("copy_removed", _("The %(what)s was removed, since %(cause)s."))
KINDS = {
    "schedule": Code("schedule", _("schedule"))(),
    "rule": Code("rule", _("rule"))(),
}

# The longest time from the write of a projection to the commit of its row.
COMMIT_SECONDS = 5.0


class ProjectionError(Exception):
    """A service refused a write or could not be reached; the message names the remedy.

    Attributes:
        reason: the message, with its code.
        is_refusal: whether the service answered that it did nothing. If not, the outcome is
            unknown.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refusal = is_refusal


class Projection(ABC):
    """The projection of one row. It is hashable, so that each is restored once.

    Attributes:
        what: its kind: `schedule` or `rule`.
        id: the id of the row.
    """

    what: str
    id: str
    # The id's key on log lines.
    id_name: ClassVar[str] = "id"

    @abstractmethod
    def restore(self) -> None:
        """Write it as the stored row says; ProjectionError if that fails."""

    @abstractmethod
    def note_drift(self, reason: str) -> None:
        """Note on the row that its projection may differ, if the row has a field for that."""


class _State(threading.local):
    written: list[Projection] | None = None


_state = _State()


@contextmanager
def atomic() -> Iterator[None]:
    """Like `transaction.atomic()`; if the outermost of these fails, projections are restored."""
    with restoring(), transaction.atomic():
        yield


@contextmanager
def restoring() -> Iterator[None]:
    """Wrap a transaction: if an error leaves the outermost such block, projections are restored."""
    if _state.written is not None:
        yield
        return
    _state.written = []
    try:
        yield
    except BaseException:
        written, _state.written = _state.written, None
        for projection in dict.fromkeys(written):
            _restore(projection)
        raise
    finally:
        _state.written = None


@contextmanager
def writing(projection: Projection, *, is_transactional: bool) -> Iterator[None]:
    """Wrap the write of a projection, so that `restoring()` can restore it.

    Args:
        projection: the projection that is written.
        is_transactional: whether a rollback undoes the write; it is then never restored.
    """
    written = _state.written
    if written is None or is_transactional:
        yield
        return
    written.append(projection)
    try:
        yield
    except ProjectionError as error:
        if error.is_refusal:
            # The service did nothing, so there is nothing to restore.
            written.pop()
        raise


def _restore(projection: Projection) -> None:
    extra = {projection.id_name: projection.id}
    try:
        projection.restore()
    except Exception as error:
        reason = error.reason if isinstance(error, ProjectionError) else ""
        name = f"{projection.what} of {projection.id}"
        message = f"The {name} could not be restored; sync_schedules will: {error}"
        logger.error(message, extra=extra, exc_info=not reason)
        try:
            projection.note_drift(reason)
        except Exception:
            logger.exception("The drift of %s could not be noted", projection.id, extra=extra)


def write_stored(rows: "models.QuerySet[Any]", write: Callable[[Any], None]) -> None:
    """Write the projection of a stored row, and repeat if the row has changed meanwhile.

    Args:
        rows: a queryset that finds the row; the row has a `version`.
        write: writes the projection of the row; its argument is None if the row is gone.
    """
    written: Any = None
    while (row := rows.first()) is not None:
        if written is not None and written.version == row.version:
            return
        write(row)
        written = row
    write(None)


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the reconciler on one projection, done or planned.

    Attributes:
        kind: `create`, `update`, `delete`, `fail`, or `wait` if a later pass should delete it.
        what: the projection's kind: `schedule` or `rule`.
        id: the id of the trigger or event source.
        reason: the reason in a few words.
        parts: the parts that differ; empty if it does not differ.
    """

    kind: str
    what: str
    id: str
    reason: str
    parts: tuple[str, ...] = ()

    @property
    def sentence(self) -> Reason:
        """The reason for the audit entry."""
        what = KINDS[self.what]
        if self.kind == "delete":
            return REMOVED(what=what, cause=self.reason)
        if self.parts:
            return DIFFERED(what=what, parts=", ".join(self.parts))
        return MISSING(what=what)


def repair_of(what: str, key: str, differences: Sequence[str] | None) -> Action:
    """The action that repairs a projection.

    Args:
        what: its kind, `schedule` or `rule`.
        key: the id of its row.
        differences: the parts that differ; None if the projection is missing.
    """
    if differences is None:
        return Action("create", what, key, "was missing")
    reason = f"differs in {', '.join(differences)}"
    return Action("update", what, key, reason, tuple(differences))
