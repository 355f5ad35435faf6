"""Projections: what a service outside of the database keeps of a row, and how both stay equal.

A schedule or a rule of EventBridge is the projection of a trigger or of an event source. It is
written within the transaction that changes the row, before the commit: what the service refuses is
not stored. If the transaction fails after that, `atomic()` restores the projection from what is
stored. A process that dies in between leaves drift, which the next pass of the reconciler repairs.
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

# What the audit entry of a repair says.
MISSING = Code("copy_missing", _("The %(what)s was missing."))
DIFFERED = Code("copy_differed", _("The %(what)s differs in %(parts)s."))
REMOVED = Code("copy_removed", _("The %(what)s was removed, since %(cause)s."))
KINDS = {
    "schedule": Code("schedule", _("schedule"))(),
    "rule": Code("rule", _("rule"))(),
}

# How long it may take from writing a projection to the commit of its row.
COMMIT_SECONDS = 5.0


class ProjectionError(Exception):
    """A service refused or could not be reached; the message says what to do about it.

    Attributes:
        reason: the message, with its code.
        is_refusal: whether it answered clearly that it did nothing. Otherwise nobody knows.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refusal = is_refusal


class Projection(ABC):
    """Names the projection of one row; equal ones are restored once.

    Attributes:
        what: what it is: `schedule` or `rule`.
        id: the id of the row.
    """

    what: str
    id: str
    # By which name logs have the id.
    id_name: ClassVar[str] = "id"

    @abstractmethod
    def restore(self) -> None:
        """Make it what is stored in the database; ProjectionError if that fails."""

    @abstractmethod
    def note_drift(self, reason: str) -> None:
        """Note on the row, if it has a field for that, that its projection may differ."""


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
    """Wrap a transaction that somebody else opens: if it fails, projections are restored.

    An error has to leave the outermost of these blocks to count.
    """
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
    """Wrap the write of a projection before the commit, so that `restoring()` knows of it.

    Args:
        projection: what is written.
        is_transactional: whether a rollback undoes the write, so that nothing is to be restored.
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
    """Write the projection of a row as it is stored, again if the row changes meanwhile.

    Args:
        rows: finds the row, which has a `version`.
        write: writes the projection of the row; of None, if the row is gone.
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
    """What a pass of the reconciler did, or would do, about one projection.

    Attributes:
        kind: `create`, `update`, `delete`, `fail`, or `wait` for what a later pass removes.
        what: what the projection is: `schedule` or `rule`.
        id: the id of the trigger or the event source.
        reason: why, in a few words.
        parts: the parts in which it differed, if it did.
    """

    kind: str
    what: str
    id: str
    reason: str
    parts: tuple[str, ...] = ()

    @property
    def sentence(self) -> Reason:
        """What was repaired, for the audit entry."""
        what = KINDS[self.what]
        if self.kind == "delete":
            return REMOVED(what=what, cause=self.reason)
        if self.parts:
            return DIFFERED(what=what, parts=", ".join(self.parts))
        return MISSING(what=what)


def repair_of(what: str, key: str, differences: Sequence[str] | None) -> Action:
    """The action that repairs a projection.

    Args:
        what: as `Action` has it.
        key: the id of its row.
        differences: the parts in which it differs; None if it is missing.
    """
    if differences is None:
        return Action("create", what, key, "was missing")
    reason = f"differs in {', '.join(differences)}"
    return Action("update", what, key, reason, tuple(differences))
