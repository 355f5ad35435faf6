"""The plan of an import, and its execution: each row is written with its audit entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from django.db import DataError, IntegrityError

import events.services
from events.models import EventSource
from moca.api.errors import Detail, detail
from moca.concurrency import reason_of
from triggers import services
from triggers.failures import IMPORTED
from triggers.import_export.files import FileEntry
from triggers.models import Trigger

# The actor in the audit entries.
BY = "import_triggers"
CREATE, UPDATE = "create", "update"
NOT_WRITTEN: tuple[type[Exception], ...] = (
    *services.REFUSALS,
    EventSource.DoesNotExist,
    DataError,
)


@dataclass(frozen=True, slots=True)
class Note:
    """A fault of an entry of the file, or a warning about it.

    Attributes:
        entry: the entry.
        detail: the field, the message and the code, as the API has them.
    """

    entry: FileEntry
    detail: Detail

    @property
    def line(self) -> int | None:
        """The line of the field in the file; None if it is not known."""
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
    """A row to be written.

    Attributes:
        kind: `create` or `update`.
        row: the row, with its new values.
        fields: the names of the changed fields in the file; empty for a new row.
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
    """The plan of an import.

    Attributes:
        changes: rows to be written, event sources before the triggers that listen to them.
        unchanged: the number of entries that are equal to their rows.
        faults: errors; if there are any, nothing may be written.
        warnings: notes that do not prevent the import.
        unsigned: ids of event sources that take signed events and have no secret.
    """

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    faults: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)

    def put(self, row: Trigger | EventSource, fields: list[str]) -> None:
        """Add a row that is new, or differs in these fields; others count as unchanged."""
        if row._state.adding:
            self.changes.append(Change(CREATE, row))
        elif fields:
            self.changes.append(Change(UPDATE, row, tuple(fields)))
        else:
            self.unchanged += 1


def unknown_keys(
    value: Any, known: Sequence[str], where: str = "", *, passed_over: Sequence[str] = ()
) -> Iterator[Detail]:
    """An error for each unknown key of a map, since it may be a typing mistake.

    Args:
        value: the map; other values have no keys.
        known: the valid keys.
        where: the field that holds the map; empty for a whole entry.
        passed_over: keys that are ignored without an error.
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
    """Write the changes; yields each with the reason if it failed, or an empty text."""
    missing: set[str] = set()
    for change in plan.changes:
        reason = _missing_source(change.row, missing) or _write(change.row)
        if reason and isinstance(change.row, EventSource) and change.kind == CREATE:
            missing.add(change.row.pk)
        yield change, reason


def _write(row: Trigger | EventSource) -> str:
    """Write a row; the reason if that failed, or an empty text."""
    why = IMPORTED()
    try:
        if isinstance(row, Trigger):
            services.save(row, by=BY, why=why)
        else:
            events.services.save(row, by=BY, why=why)
    except NOT_WRITTEN as error:
        return reason_of(error)
    except IntegrityError:
        return "somebody else has made one of this id meanwhile."
    return ""


def _missing_source(row: Trigger | EventSource, missing: set[str]) -> str:
    """Why a trigger cannot be written, if its event source could not be created; else empty."""
    subscription = row.subscription if isinstance(row, Trigger) else None
    if subscription is None or subscription.source_id not in missing:
        return ""
    return f"its event source {subscription.source_id} could not be made."
