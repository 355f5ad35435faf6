"""What a file says, compared with what there is.

A trigger in the file stands for all of it: what is left out is as in a new trigger. `enabled` alone
stays as it is where it is left out, lest something fire for want of a line; and `createdAt`, which
nobody changes.
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
from moca.api.parsers import faults
from moca.api.serializers import Column, RowSerializer
from moca.times import parse_iso
from triggers.import_export.files import Contents, Entry
from triggers.import_export.plan import Note, Plan, unknown_keys
from triggers.import_export.serialize import (
    MAPS,
    OF_SOURCE,
    OF_TRIGGER,
    body,
    given,
    given_of_source,
    same,
    source_entry,
)
from triggers.models import OverlapPolicy, Trigger, TriggerType
from triggers.serializers import TriggerSerializer

# Triggers that are looked up at a time.
BATCH = 100

# A part of addresses and of the names of schedules.
_ID = re.compile(r"[0-9A-Za-z_-]{1,36}")
_KNOWN = ["id", "userId", "createdAt", *OF_TRIGGER]
# What the API tells of a trigger besides.
_TOLD = [each.name for each in TriggerSerializer.columns() if each.name not in _KNOWN]
_NEEDED = [column.name for column in OF_TRIGGER.values() if column.is_needed]


def compare(contents: Contents, *, user_id: str = "", disabled: bool = False) -> Plan:
    """Plan how to bring what there is to what a file says.

    Args:
        contents: what stands in the file.
        user_id: whose all triggers are to be; empty for whom the file names.
        disabled: have none of the triggers enabled.
    """
    plan = Plan()
    for entry in contents.sources:
        _compare_source(entry, plan)
    _refuse_twice(contents.sources, plan)
    comparison = _Triggers(plan, contents, user_id, disabled=disabled)
    for first in range(0, len(contents.triggers), BATCH):
        comparison.take(contents.triggers[first : first + BATCH])
    _refuse_twice(contents.triggers, plan)
    comparison.check_quotas()
    return plan


def _refuse_twice(entries: Sequence[Entry], plan: Plan) -> None:
    first: dict[Any, int] = {}
    for entry in entries:
        own = entry.value.get("id")
        if isinstance(own, str) and own and first.setdefault(own, entry.place) != entry.place:
            message = f"Number {first[own]} of the list has this id too."
            plan.faults.append(Note(entry, detail("id", message)))


# Event sources


def _compare_source(entry: Entry, plan: Plan) -> None:
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
        wanted = given_of_source(entry.value)
        names = [name for name in OF_SOURCE if not same(before.get(name), wanted.get(name))]
        body_of = _body(OF_SOURCE, wanted, names)
        found = _filled(EventSourceSerializer(row, data=body_of), names)
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


def _filled(row: RowSerializer, names: Collection[str]) -> list[Detail]:
    """Set fields of a row as a file says; what is wrong with them."""
    try:
        row.fill(expected=names)
    except InvalidFieldsError as error:
        return error.details
    return []


def _body(columns: Mapping[str, Column], wanted: dict[str, Any], names: list[str]) -> Any:
    """The request that makes of these fields what a file wants; null clears what it leaves out."""
    return {
        name: _whole(name, wanted.get(name))
        for name in names
        if name in wanted or columns[name].may_be_empty
    }


# Triggers


class _Triggers:
    """The triggers of a file, compared a batch at a time."""

    def __init__(self, plan: Plan, contents: Contents, user_id: str, *, disabled: bool) -> None:
        self.plan, self.user_id, self.disabled = plan, user_id, disabled
        self.sources = [entry.value.get("id") for entry in contents.sources]
        self.named = {str(entry.value.get("id")) for entry in contents.triggers}
        self.new: dict[str, list[Entry]] = defaultdict(list)
        # By user, what the triggers say that the file does not name.
        self.unnamed: dict[str, Counter[str]] = {}

    def take(self, entries: Sequence[Entry]) -> None:
        """Compare some of the file's triggers."""
        sound = [entry for entry in entries if self._notes(entry, self._faults(entry.value))]
        keys = [(self._owner(entry), entry.value.get("id") or "") for entry in sound]
        rows = {
            (row.user_id, row.pk): row
            for row in Trigger.objects.named([key for key in keys if key[1]])
        }
        for key, entry in zip(keys, sound, strict=True):
            if row := rows.get(key):
                self._update(entry, row)
            else:
                self._create(entry, *key)

    def check_quotas(self) -> None:
        """Note where users would have more triggers than they may."""
        most = settings.MAX_TRIGGERS_PER_USER
        for owner, entries in self.new.items():
            there = Trigger.objects.of_user(owner).count()
            if there + len(entries) > most:
                message = (
                    f"{owner} has {there} triggers and would get {len(entries)}: a user may have "
                    f"{most} (MAX_TRIGGERS_PER_USER)."
                )
                self._notes(entries[max(most - there, 0)], [detail("userId", message, "quota")])

    def _owner(self, entry: Entry) -> Any:
        return self.user_id or entry.value.get("userId")

    def _notes(self, entry: Entry, details: Iterable[Detail]) -> bool:
        """Note what there is to say about an entry; whether nothing is wrong."""
        is_sound = True
        for each in details:
            if each["code"] == "never":
                # One that has fired for the last time is moved with the others.
                self.plan.warnings.append(Note(entry, each))
            elif not self._is_about_source_of_file(entry, each):
                self.plan.faults.append(Note(entry, each))
                is_sound = False
        return is_sound

    def _is_about_source_of_file(self, entry: Entry, found: Detail) -> bool:
        """Whether an event source is missed that is there once the file's are."""
        config = entry.value.get("eventConfig")
        is_about_source = found["field"] == "eventConfig.eventSourceId" and bool(config)
        return is_about_source and config.get("eventSourceId") in self.sources

    def _faults(self, value: dict[str, Any]) -> Iterator[Detail]:
        """What is wrong with an entry beside what the API looks at."""
        yield from faults(value)
        yield from unknown_keys(value, _KNOWN, passed_over=_TOLD)
        for name, parts in MAPS.items():
            others = OF_TRIGGER[name].field.parts(written=False)
            yield from unknown_keys(value.get(name), parts, name, passed_over=others)
        own, owner = value.get("id") or "", self.user_id or value.get("userId")
        if not isinstance(own, str) or (own and not _ID.fullmatch(own)):
            yield detail("id", "Give 1 to 36 letters, digits, - and _.")
        if not isinstance(owner, str) or not owner:
            yield detail("userId", "Give the id of the user, or --user.", "required")
        if value.get("createdAt") and _moment(value["createdAt"]) is None:
            yield detail(
                "createdAt", "Give a date and time with its offset, such as 2027-01-31T09:00:00Z."
            )

    def _wanted(self, entry: Entry) -> dict[str, Any]:
        """What the entry says, as far as it is not empty."""
        shared = {name: entry.value[name] for name in OF_TRIGGER if name in entry.value}
        return given(shared) | ({"enabled": False} if self.disabled else {})

    def _create(self, entry: Entry, owner: str, own: str) -> None:
        known = {"pk": own} if own else {}
        trigger = Trigger(user_id=owner, **known)
        trigger.created_at = _moment(entry.value.get("createdAt")) or trigger.created_at
        if not self._notes(
            entry, _filled(TriggerSerializer(trigger, data=self._wanted(entry)), ())
        ):
            return
        if not own and self._has_alike(trigger):
            self.plan.unchanged += 1
            return
        if own and (other := Trigger.objects.filter(pk=own).first()):
            message = (
                f"The user {other.user_id} has the trigger of this id: leave out the id to make "
                "another."
            )
            self._notes(entry, [detail("id", message)])
            return
        self.new[owner].append(entry)
        self.plan.put(trigger, [])

    def _has_alike(self, trigger: Trigger) -> bool:
        """Whether the user has a trigger that says the same, so that there need be no other."""
        owner = trigger.user_id
        if owner not in self.unnamed:
            rows = Trigger.objects.of_user(owner).order_by("pk").iterator()
            self.unnamed[owner] = Counter(_saying(row) for row in rows if row.pk not in self.named)
        alike = self.unnamed[owner]
        alike.subtract([_saying(trigger)])
        return alike[_saying(trigger)] >= 0

    def _update(self, entry: Entry, row: Trigger) -> None:
        before, wanted = body(row), self._wanted(entry)
        wanted = _default(wanted) | {"enabled": row.enabled} | wanted
        names = [name for name in OF_TRIGGER if not same(before.get(name), wanted.get(name))]
        changes = TriggerSerializer(row, data=_body(OF_TRIGGER, wanted, names))
        if self._notes(entry, _filled(changes, names)):
            after = body(row)
            self.plan.put(
                row, [name for name in names if not same(before.get(name), after.get(name))]
            )


def _whole(name: str, value: Any) -> Any:
    """A value, with null for the parts that a map lacks: the API would leave them as they are."""
    if name not in MAPS or not isinstance(value, dict):
        return value
    return {**dict.fromkeys(MAPS[name]), **value}


def _default(wanted: dict[str, Any]) -> dict[str, Any]:
    """What a new trigger has, of what may be left out."""
    fresh = Trigger()
    if wanted.get("type") == TriggerType.EVENT:
        fresh.overlap_policy = OverlapPolicy.ALLOW
    return {name: value for name, value in body(fresh).items() if name not in _NEEDED}


def _moment(value: Any) -> datetime | None:
    try:
        return parse_iso(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _saying(trigger: Trigger) -> str:
    """What a trigger says, enabled or not, as a text that compares."""
    return json.dumps({**body(trigger), "enabled": None}, sort_keys=True)
