"""Audited writes: each change and its audit entry in one transaction.

Changes that the product makes by itself have an entry too: by `system()`, with the reason.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.text import capfirst

from moca import reasons, reconcile
from moca.authentication.api_keys.grant import key_of
from moca.authentication.models import AuditEntry
from moca.concurrency import StaleVersionError, VersionedModel
from moca.ids import first_id

# Fields whose values are hidden in entries, and fields that entries leave out.
SECRET = {"password", "secrets", "url", "secret_hash"}
SILENT = {"version", "updated_at", "last_login", "session_key", "ttl"}
# The prefix of actors that are parts of the product.
SYSTEM = "system: "
# How many entries are read to find a row's earlier values.
MOST_READ = 50
# How far the clocks of two processes may be apart, and how long a change takes to be written.
UNCERTAIN = timedelta(seconds=2)
# The key in `changes` for the number of removed rows, in the place of a field.
EXPIRED = "removed"


class System(str):
    """A part of the product as an actor. `note()` prefixes a person's name that looks like one."""

    __slots__ = ()


def system(process: str) -> System:
    """The actor of changes that the product makes by itself.

    Args:
        process: the part of the product, such as `reconciler`.
    """
    return System(SYSTEM + process)


def save(
    instance: VersionedModel,
    *,
    by: str,
    why: str = "",
    update_fields: Collection[str] | None = None,
    covered: bool = False,
) -> bool:
    """Save the instance with an audit entry: who changed it, and the values before and after.

    Args:
        instance: a new or changed row; without a change, nothing is written.
        by: the operator's name, the user id of an API caller, or `system()`.
        why: a `Reason`; empty for changes by a person.
        update_fields: save only these of the changed fields; None for all.
        covered: whether the caller is in a transaction that it gives up if this fails, so that no
            savepoint is needed.

    Returns:
        Whether an entry was written.

    Raises:
        StaleVersionError: the row was saved by somebody else since it was read.
    """
    created = instance._state.adding
    changes = {} if created else _readable(instance)
    if update_fields is not None:
        changes = {name: values for name, values in changes.items() if name in update_fields}
    is_noted = created or bool(changes)
    with nullcontext() if covered else reconcile.atomic():
        instance.save(update_fields=update_fields, covered=True)
        if is_noted:
            action = AuditEntry.Action.CREATED if created else AuditEntry.Action.UPDATED
            note(action, instance, by=by, why=why, changes=changes)
    return is_noted


def delete(instance: models.Model, *, by: str) -> None:
    """Delete the instance with an audit entry.

    Raises:
        StaleVersionError: somebody else has deleted the row.
    """
    with reconcile.atomic():
        note(AuditEntry.Action.DELETED, instance, by=by)
        if not instance.delete()[0]:
            raise StaleVersionError(instance)


def note(
    action: AuditEntry.Action,
    instance: models.Model,
    *,
    by: str,
    why: str = "",
    changes: dict[str, list[Any]] | None = None,
) -> None:
    """Write an audit entry about an action on the instance; arguments as for `save()`."""
    key = key_of(by)
    if by.startswith(SYSTEM) and not isinstance(by, System):
        by = f"user {by}"
    AuditEntry.objects.create(
        actor=by[:150],
        api_key=key.label if key else "",
        **reasons.columns("reason", why),
        action=action,
        object_type=instance._meta.label_lower,
        object_id=instance.pk,
        object_name=str(instance)[:200],
        changes=changes or {},
    )


def note_expired(model: type[models.Model], number: int, *, why: str) -> None:
    """Record that expired rows were removed, in one entry per day and model."""
    label, today = model._meta.label_lower, f"{timezone.now():%Y-%m-%d}"
    key = f"expired-{today}"
    entry = AuditEntry.objects.filter(object_id=key, object_type=label).first()
    if entry is None:
        name = str(model._meta.verbose_name_plural)
        AuditEntry.objects.create(
            actor=str(system("housekeeping")),
            **reasons.columns("reason", why),
            action=AuditEntry.Action.DELETED,
            object_type=label,
            object_id=key,
            object_name=f"{name} that expired on {today}",
            changes={EXPIRED: ["", number]},
        )
        return
    before = entry.changes.get(EXPIRED, ["", 0])[1]
    entry.changes = {EXPIRED: ["", before + number]}
    entry.save(update_fields=["changes"])


@dataclass(frozen=True, slots=True)
class Earlier:
    """Values of a row at an earlier time.

    Attributes:
        values: the values by field: those of that time, or the present ones if nobody knows.
        is_sure: whether the row had them at that time.
        is_close: whether one of the fields was changed within seconds of that time.
        differs: whether some are not the present ones.
    """

    values: dict[str, Any]
    is_sure: bool = True
    is_close: bool = False
    differs: bool = False


def values_at(row: Any, names: Collection[str], moment: datetime) -> Earlier:
    """Find the values that a row had, by its audit entries since; one bounded read.

    Nothing is read if the row has not changed since.

    Args:
        row: the row as it is now, which has `updated_at`.
        names: the fields.
        moment: the time in the past.
    """
    present = {name: getattr(row, name) for name in names}
    if row.updated_at < moment - UNCERTAIN:
        return Earlier(present)
    since = AuditEntry.objects.filter(
        object_id=row.pk,
        object_type=row._meta.label_lower,
        pk__gte=first_id(moment - UNCERTAIN),
    )
    entries = list(since.order_by("pk")[: MOST_READ + 1])
    found: dict[str, Any] = {}
    is_close = False
    for entry in entries:
        for name in present.keys() & entry.changes.keys():
            is_close |= abs(entry.at - moment) <= UNCERTAIN
            if entry.at > moment:
                found.setdefault(name, entry.changes[name][0])
    # A program that writes no entries, or an entry beyond those that are read, may have changed it.
    has_all = len(entries) <= MOST_READ and any(
        entry.at >= row.updated_at - UNCERTAIN for entry in entries
    )
    is_unchanged = row.updated_at <= moment
    if not (has_all or is_unchanged or found.keys() == present.keys()):
        return Earlier(present, is_sure=False)
    values = present | found
    return Earlier(values, not is_close, is_close, differs=values != present)


def changed_values(
    entry: AuditEntry, model: type[models.Model], labels: Mapping[str, Any] | None = None
) -> list[tuple[str, str, str]]:
    """The changed fields of an entry: label, value before, value after.

    Args:
        entry: the entry.
        model: the model of the changed object.
        labels: labels of fields that differ from the model's verbose names.

    Returns:
        Values as texts or JSON; empty if there was none.
    """
    named = {field.name: capfirst(str(field.verbose_name)) for field in model._meta.fields}
    named |= labels or {}
    return [
        (str(named.get(name, name)), _text(before), _text(after))
        for name, (before, after) in entry.changes.items()
    ]


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _readable(instance: VersionedModel) -> dict[str, list[Any]]:
    codes = {field.name for field in instance._meta.fields if reasons.is_beside(field)}
    return {
        name: ["(hidden)", "(hidden)"] if name in SECRET else values
        for name, values in instance.changes().items()
        if name not in SILENT | codes
    }
