"""Changes that are on record: the write and its audit entry in one transaction."""

import json
from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.utils.text import capfirst

from moca.authentication.models import AuditEntry
from moca.versioning import StaleVersionError, VersionedModel

# What an entry never shows, and what every save changes anyhow.
SECRET = {"password", "secrets"}
SILENT = {"version", "updated_at", "last_login", "session_key"}


def save(instance: VersionedModel, *, by: str) -> None:
    """Save the instance and record who did so, with the values before and after.

    Args:
        instance: a new or changed row; nothing happens where nothing changed.
        by: the operator's name, or the user id of an API caller.

    Raises:
        StaleVersionError: somebody else saved it since it was read.
    """
    created = instance._state.adding
    changes = {} if created else _readable(instance.changes())
    with transaction.atomic():
        instance.save()
        if created or changes:
            action = AuditEntry.Action.CREATED if created else AuditEntry.Action.UPDATED
            note(action, instance, by=by, changes=changes)


def delete(instance: models.Model, *, by: str) -> None:
    """Delete the instance and record who did so.

    Raises:
        StaleVersionError: somebody else has deleted it.
    """
    with transaction.atomic():
        note(AuditEntry.Action.DELETED, instance, by=by)
        if not instance.delete()[0]:
            raise StaleVersionError(instance)


def note(
    action: AuditEntry.Action,
    instance: models.Model,
    *,
    by: str,
    changes: dict[str, list[Any]] | None = None,
) -> None:
    """Record an action that somebody took on the instance."""
    AuditEntry.objects.create(
        actor=by,
        action=action,
        object_type=instance._meta.label_lower,
        object_id=instance.pk,
        object_name=str(instance)[:200],
        changes=changes or {},
    )


def told(
    entry: AuditEntry, model: type[models.Model], labels: Mapping[str, Any] | None = None
) -> list[tuple[str, str, str]]:
    """The fields that an entry says were changed: label, value before, value after.

    Args:
        entry: the entry.
        model: of the object that it is about.
        labels: what fields are called there, where that is not as the model calls them.

    Returns:
        Values are texts or JSON; empty where there was none.
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


def _readable(changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: ["(hidden)", "(hidden)"] if name in SECRET else values
        for name, values in changes.items()
        if name not in SILENT
    }
