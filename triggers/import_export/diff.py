"""Compares a file with the database, and plans the import.

An entry describes a trigger completely: a missing field gets the default of a new trigger. There
are two exceptions. A missing `enabled` leaves the trigger as it is, since a forgotten line must not
make it fire. `createdAt` of an existing trigger never changes.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from events import sources
from events.models import EventSource
from events.serializers import EventSourceSerializer
from moca.api.errors import Detail, InvalidFieldsError, detail
from moca.api.serializers import Column, RowSerializer
from moca.api.storable import faults
from moca.times import parse_iso
from triggers import chains
from triggers.import_export.files import Contents, FileEntry
from triggers.import_export.plan import Note, Plan, unknown_keys
from triggers.import_export.serialize import (
    MAPS,
    OF_SOURCE,
    OF_TRIGGER,
    body,
    json_equal,
    source_entry,
    without_defaults,
    without_empty,
)
from triggers.models import OverlapPolicy, Trigger
from triggers.models.quota import import_beyond_quota
from triggers.serializers import TriggerSerializer
from triggers.validation import loop_error

# The number of triggers that are looked up at a time.
BATCH = 100

# An id is part of addresses and of names of schedules.
_ID = re.compile(r"[0-9A-Za-z_-]{1,36}")
_KNOWN = ["id", "userId", "createdAt", *OF_TRIGGER]
# The read-only fields of the API, which a file may contain for nothing.
_READ_ONLY = [each.name for each in TriggerSerializer.columns() if each.name not in _KNOWN]
_NEEDED = [column.name for column in OF_TRIGGER.values() if column.is_needed]


def compare(contents: Contents, *, user_id: str = "", disabled: bool = False) -> Plan:
    """Plan an import that makes the database equal to a file.

    Args:
        contents: the entries of the file.
        user_id: the owner of all triggers; empty for the owners that the file names.
        disabled: whether to import all triggers disabled.
    """
    plan = Plan()
    for entry in contents.sources:
        _compare_source(entry, plan)
    _note_duplicate_ids(contents.sources, plan)
    comparison = _TriggerComparison(plan, contents, user_id, disabled=disabled)
    for first in range(0, len(contents.triggers), BATCH):
        comparison.compare_batch(contents.triggers[first : first + BATCH])
    _note_duplicate_ids(contents.triggers, plan)
    comparison.check_quotas()
    comparison.check_loops()
    return plan


def _note_duplicate_ids(entries: Sequence[FileEntry], plan: Plan) -> None:
    """Add a fault for each entry whose id an earlier entry has."""
    first: dict[Any, int] = {}
    for entry in entries:
        own = entry.value.get("id")
        if isinstance(own, str) and own and first.setdefault(own, entry.place) != entry.place:
            message = f"Number {first[own]} of the list has this id too."
            plan.faults.append(Note(entry, detail("id", message)))


# Event sources


def _compare_source(entry: FileEntry, plan: Plan) -> None:
    source_id = entry.value.get("id")
    if not isinstance(source_id, str):
        row = EventSource()
    elif source_id in sources.configured():
        plan.warnings.append(Note(entry, detail("", "The settings have it: it is passed over.")))
        return
    else:
        row = EventSource.objects.filter(pk=source_id).first() or EventSource(pk=source_id)
    before = {} if row._state.adding else source_entry(row)
    if not (found := list(_source_faults(entry.value))):
        wanted = without_defaults(entry.value)
        names = [name for name in OF_SOURCE if not json_equal(before.get(name), wanted.get(name))]
        body_of = _body(OF_SOURCE, wanted, names)
        found = _fill(EventSourceSerializer(row, data=body_of), names)
    if found:
        plan.faults += [Note(entry, each) for each in found]
        return
    plan.put(row, names)
    if row.has_address and not row.active_secrets(timezone.now()):
        plan.unsigned.append(row.pk)


def _source_faults(value: dict[str, Any]) -> Iterator[Detail]:
    yield from faults(value)
    if "secrets" in value:
        yield detail("secrets", "Secrets are set on the pages alone: leave them out.")
    yield from unknown_keys(value, [*OF_SOURCE, "secrets"])


def _fill(row: RowSerializer, names: Collection[str]) -> list[Detail]:
    """Set the fields of these names on a row; returns the errors."""
    try:
        row.fill(expected=names)
    except InvalidFieldsError as error:
        return error.details
    return []


def _body(columns: Mapping[str, Column], wanted: dict[str, Any], names: list[str]) -> Any:
    """The request that sets these fields as a file wants; null clears fields that it leaves out."""
    return {
        name: _with_cleared_parts(name, wanted.get(name))
        for name in names
        if name in wanted or columns[name].may_be_empty
    }


# Triggers


class _TriggerComparison:
    """Compares the triggers of a file with the database, batch by batch."""

    def __init__(self, plan: Plan, contents: Contents, user_id: str, *, disabled: bool) -> None:
        self.plan, self.user_id, self.disabled = plan, user_id, disabled
        self.sources = [entry.value.get("id") for entry in contents.sources]
        self.named = {str(entry.value.get("id")) for entry in contents.triggers}
        self.new: dict[str, list[FileEntry]] = defaultdict(list)
        # The triggers that the import writes, each with its entry.
        self.written: list[tuple[FileEntry, Trigger]] = []
        # For each user, the contents of the triggers that the file does not name by id.
        self.unnamed: dict[str, Counter[str]] = {}

    def compare_batch(self, entries: Sequence[FileEntry]) -> None:
        """Compare some of the file's triggers, and add the changes and faults to the plan."""
        valid = [entry for entry in entries if self._note(entry, self._faults(entry.value))]
        keys = [(self._owner(entry), entry.value.get("id") or "") for entry in valid]
        rows = {
            (row.user_id, row.pk): row
            for row in Trigger.objects.named([key for key in keys if key[1]])
        }
        for key, entry in zip(keys, valid, strict=True):
            if row := rows.get(key):
                self._update(entry, row)
            else:
                self._create(entry, *key)

    def check_quotas(self) -> None:
        """Add a fault for each user who would exceed MAX_TRIGGERS_PER_USER."""
        most = settings.MAX_TRIGGERS_PER_USER
        for owner, entries in self.new.items():
            stored = Trigger.objects.of_user(owner).count()
            if stored + len(entries) > most:
                message = import_beyond_quota(owner, stored, len(entries))
                self._note(entries[max(most - stored, 0)], [detail("userId", message, "quota")])

    def check_loops(self) -> None:
        """Add a fault for each loop that triggers of the file close with each other.

        Each of them alone was compared with the triggers that are stored.
        """
        owners = {trigger.user_id for _, trigger in self.written if chains.as_listener(trigger)}
        for owner in owners:
            listeners = {each.trigger.pk: each for each in chains.listeners_of(owner)}
            for entry, trigger in self.written:
                if trigger.user_id != owner:
                    continue
                listeners.pop(trigger.pk, None)
                own = chains.as_listener(trigger)
                if own is None:
                    continue
                listeners[trigger.pk] = own
                if loop := chains.loop_of(trigger, listeners.values()):
                    message = loop_error([each.name for each in loop]).messages[0]
                    self._note(entry, [detail("eventConfig.eventPattern", message, "loop")])

    def _owner(self, entry: FileEntry) -> Any:
        return self.user_id or entry.value.get("userId")

    def _note(self, entry: FileEntry, details: Iterable[Detail]) -> bool:
        """Add the errors of an entry to the plan; True if the entry is valid."""
        is_valid = True
        for each in details:
            if each["code"] == "never":
                # A trigger that never fires again is imported with the others.
                self.plan.warnings.append(Note(entry, each))
            elif not self._is_source_in_file(entry, each):
                self.plan.faults.append(Note(entry, each))
                is_valid = False
        return is_valid

    def _is_source_in_file(self, entry: FileEntry, found: Detail) -> bool:
        """Whether an error is about a missing event source that the file contains."""
        config = entry.value.get("eventConfig")
        is_about_source = found["field"] == "eventConfig.eventSourceId" and bool(config)
        return is_about_source and config.get("eventSourceId") in self.sources

    def _faults(self, value: dict[str, Any]) -> Iterator[Detail]:
        """The errors of an entry that the serializer does not check."""
        yield from faults(value)
        yield from unknown_keys(value, _KNOWN, passed_over=_READ_ONLY)
        for name, parts in MAPS.items():
            others = OF_TRIGGER[name].field.parts(written=False)
            yield from unknown_keys(value.get(name), parts, name, passed_over=others)
        own, owner = value.get("id") or "", self.user_id or value.get("userId")
        if not isinstance(own, str) or (own and not _ID.fullmatch(own)):
            yield detail("id", "Give 1 to 36 letters, digits, - and _.")
        if not isinstance(owner, str) or not owner:
            yield detail("userId", "Give the id of the user, or --user.", "required")
        if value.get("createdAt") and _parsed_time(value["createdAt"]) is None:
            yield detail(
                "createdAt", "Give a date and time with its offset, such as 2027-01-31T09:00:00Z."
            )

    def _wanted(self, entry: FileEntry) -> dict[str, Any]:
        """The fields of the entry that are not empty."""
        shared = {name: entry.value[name] for name in OF_TRIGGER if name in entry.value}
        return without_empty(shared) | ({"enabled": False} if self.disabled else {})

    def _create(self, entry: FileEntry, owner: str, own: str) -> None:
        known = {"pk": own} if own else {}
        trigger = Trigger(user_id=owner, **known)
        trigger.created_at = _parsed_time(entry.value.get("createdAt")) or trigger.created_at
        serializer = TriggerSerializer(trigger, data=self._wanted(entry))
        if not self._note(entry, _fill(serializer, ())):
            return
        if not own and self._has_equal(trigger):
            self.plan.unchanged += 1
            return
        if own and (other := Trigger.objects.filter(pk=own).first()):
            message = (
                f"The user {other.user_id} has the trigger of this id: leave out the id to make "
                "another."
            )
            self._note(entry, [detail("id", message)])
            return
        self.new[owner].append(entry)
        self.written.append((entry, trigger))
        self.plan.put(trigger, [])

    def _has_equal(self, trigger: Trigger) -> bool:
        """Whether the user has an equal trigger that no other entry stands for."""
        owner = trigger.user_id
        if owner not in self.unnamed:
            rows = Trigger.objects.of_user(owner).order_by("pk").iterator()
            self.unnamed[owner] = Counter(_content(row) for row in rows if row.pk not in self.named)
        content = _content(trigger)
        self.unnamed[owner].subtract([content])
        return self.unnamed[owner][content] >= 0

    def _update(self, entry: FileEntry, row: Trigger) -> None:
        before, wanted = body(row), self._wanted(entry)
        wanted = _defaults(wanted) | {"enabled": row.enabled} | wanted
        names = [name for name in OF_TRIGGER if not json_equal(before.get(name), wanted.get(name))]
        changes = TriggerSerializer(row, data=_body(OF_TRIGGER, wanted, names))
        if self._note(entry, _fill(changes, names)):
            after = body(row)
            self.written.append((entry, row))
            self.plan.put(
                row, [name for name in names if not json_equal(before.get(name), after.get(name))]
            )


def _with_cleared_parts(name: str, value: Any) -> Any:
    """A value; a map gets null for its missing parts, which the API would leave unchanged."""
    if name not in MAPS or not isinstance(value, dict):
        return value
    return {**dict.fromkeys(MAPS[name]), **value}


def _defaults(wanted: dict[str, Any]) -> dict[str, Any]:
    """The values of a new trigger for the optional fields."""
    fresh = Trigger(overlap_policy=OverlapPolicy.default_for(wanted.get("type")))
    return {name: value for name, value in body(fresh).items() if name not in _NEEDED}


def _parsed_time(value: Any) -> datetime | None:
    try:
        return parse_iso(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _content(trigger: Trigger) -> str:
    """The fields of a trigger as a comparable text, without `enabled`."""
    return json.dumps({**body(trigger), "enabled": None}, sort_keys=True)
