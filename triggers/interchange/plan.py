"""What an import is to do, and doing it: each row with its audit entry, in a transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from events.buses import BusError
from events.models import EventSource
from moca import audit
from moca.api.errors import Detail, detail
from moca.conflicts import ConflictError, reason_of
from triggers.failures import IMPORTED
from triggers.interchange.files import Entry
from triggers.models import Trigger
from triggers.schedulers import SchedulerError
from triggers.synchronization import in_step

# Who made the changes, in their audit entries.
BY = "import_triggers"
CREATE, UPDATE = "create", "update"


@dataclass(frozen=True, slots=True)
class Note:
    """What there is to say about an entry of the file.

    Attributes:
        entry: the entry.
        detail: about which field, and what.
    """

    entry: Entry
    detail: Detail

    @property
    def line(self) -> int | None:
        """The line of the file that it is about; None where lines are not known."""
        return self.entry.line(self.detail["field"])

    def __str__(self) -> str:
        value = self.entry.value
        label = value.get("name") or value.get("id")
        parts = [
            f"{self.entry.what} {self.entry.place}" + (f" {str(label)[:60]!r}" if label else ""),
            self.detail["field"],
            self.detail["message"],
        ]
        return ": ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is to be written.

    Attributes:
        kind: `create` or `update`.
        row: the row, with its new values.
        fields: what changes, in the file's names; empty for a new row.
    """

    kind: str
    row: Trigger | EventSource
    fields: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """`trigger` or `event source`."""
        return str(self.row._meta.verbose_name)


@dataclass(slots=True)
class Plan:
    """What an import is to do.

    Attributes:
        changes: rows to be written, event sources before what listens to them.
        unchanged: how many entries say what there is already.
        faults: what is wrong; where there is anything, nothing may be done.
        warnings: what is odd.
        unsigned: event sources that take signed events and have no secret.
    """

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    faults: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)

    def put(self, row: Trigger | EventSource, fields: list[str]) -> None:
        """Have a row written that is new, or differs in these fields."""
        if row._state.adding:
            self.changes.append(Change(CREATE, row))
        elif fields:
            self.changes.append(Change(UPDATE, row, tuple(fields)))
        else:
            self.unchanged += 1


def unknown_keys(
    value: Any, known: Sequence[str], where: str = "", *, passed_over: Sequence[str] = ()
) -> Iterator[Detail]:
    """The keys of a map that stand for nothing, lest a slip go unseen.

    Args:
        value: the map; anything else has none.
        known: the keys that there are.
        where: the field that the map stands in; empty for a whole entry.
        passed_over: keys that may stand there for nothing.
    """
    for name in value if isinstance(value, dict) else ():
        if name not in known and name not in passed_over:
            close = get_close_matches(name, known, 1)
            yield detail(
                f"{where}.{name}" if where else name,
                "There is no such field.",
                "unknown",
                close[0] if close else None,
            )


def carry_out(plan: Plan) -> Iterator[tuple[Change, str]]:
    """Write what is to be written; tells of each row why it could not be, or nothing."""
    missing: set[str] = set()
    for owner in sorted({_new_owner(change) for change in plan.changes}):
        # Counts anew where other programs have deleted triggers, which `save()` cannot know.
        _fullness(owner)
    for change in plan.changes:
        reason = _lack(change.row, missing) or _write(change)
        if reason and isinstance(change.row, EventSource) and change.kind == CREATE:
            missing.add(change.row.pk)
        yield change, reason


def _write(change: Change) -> str:
    """Why a row could not be written; empty where it was."""
    try:
        with in_step(), transaction.atomic():
            audit.save(change.row, by=BY, why=IMPORTED())
    except (SchedulerError, BusError, DataError) as error:
        return reason_of(error)
    except IntegrityError:
        return "somebody else has made one of this id meanwhile."
    except ConflictError as error:
        return _fullness(_new_owner(change)) or reason_of(error)
    return ""


def _new_owner(change: Change) -> str:
    """The user who is to get a trigger; empty where it is another change."""
    return change.row.user_id if isinstance(change.row, Trigger) and change.kind == CREATE else ""


def _fullness(user_id: str) -> str:
    """Why a user may have no more triggers; empty where one more is possible."""
    if not user_id:
        return ""
    try:
        Trigger(user_id=user_id).check_quota()
    except ValidationError as error:
        return reason_of(error)
    return ""


def _lack(row: Trigger | EventSource, missing: set[str]) -> str:
    subscription = row.subscription if isinstance(row, Trigger) else None
    if subscription is None or subscription.source_id not in missing:
        return ""
    return f"its event source {subscription.source_id} could not be made."
