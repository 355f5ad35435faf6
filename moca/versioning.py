"""Optimistic locking: a save is conditional on the version that was read."""

import json
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, ClassVar, Self

from django.db import models, transaction

from moca.conflicts import ConflictError


class StaleVersionError(ConflictError):
    """Somebody else saved or deleted the row since it was read; nothing was written."""

    def __init__(self, instance: models.Model) -> None:
        super().__init__(
            f"The {instance._meta.verbose_name} was changed by someone else in the meantime: load "
            "it again and repeat your change."
        )


class VersionedModel(models.Model):
    """A model whose saves write what changed, and fail where they would undo another's.

    `version` counts the saves. `QuerySet.update()` leaves it as it is: what the runner notes on a
    trigger must not make an operator's open form stale.
    """

    version = models.PositiveIntegerField(default=1, editable=False)

    # Fields that name a row together with its primary key.
    key_fields: ClassVar[tuple[str, ...]] = ()

    # Values as they were loaded or last saved, by attribute name.
    _loaded: dict[str, Any] = {}

    class Meta:
        abstract = True

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        # From Django 6.1 on, it is called with a fetch mode.
        instance = super().from_db(db, field_names, values, **options)
        instance._loaded = instance._snapshot()
        return instance

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._loaded = self._snapshot()

    def changed_fields(self) -> set[str]:
        """Names of the fields whose value differs from what was loaded or last saved."""
        loaded = self._loaded
        return {
            name
            for name, value in self._values().items()
            if name not in loaded or not _same(loaded[name], value)
        }

    def changes(self) -> dict[str, list[Any]]:
        """The changed fields, each with its value before and after."""
        return {
            name: [self._loaded.get(name), getattr(self, name)]
            for name in sorted(self.changed_fields())
        }

    def loaded_value(self, name: str) -> Any:
        """The field's value when the row was loaded or last saved; None for a new row."""
        return self._loaded.get(name)

    def save(
        self,
        *,
        update_fields: Iterable[str] | None = None,
        savepoint: bool = True,
        **options: Any,
    ) -> None:
        """Insert a new row, or write the changed fields where the version is still the one read.

        Receivers of `post_save` run in the same transaction: what they raise undoes the write.

        Args:
            update_fields: write only these of the changed fields; None for all.
            savepoint: whether the write is undone by itself; False if the caller's block does so.

        Raises:
            StaleVersionError: the row has another version by now, or is gone.
        """
        adding, version = self._state.adding, self.version
        if adding:
            options["force_insert"] = True
        else:
            changed = self.changed_fields()
            changed &= set(update_fields) if update_fields is not None else changed
            if not changed:
                return
            options["update_fields"] = changed | {"version"} | self._automatic_fields()
            self.version += 1
        try:
            with transaction.atomic(savepoint=savepoint):
                super().save(**options)
        except BaseException as error:
            self._state.adding, self.version = adding, version
            if isinstance(error, ConflictError) and not adding:
                raise StaleVersionError(self) from error
            raise
        self._loaded = self._snapshot()

    def _do_update(self, base_qs: Any, *args: Any, **options: Any) -> Any:
        key = {name: self.loaded_value(name) for name in self.key_fields}
        expecting = base_qs.filter(version=self.version - 1, **key)
        # See `ExpectingQuerySet`: what was loaded is taken for granted.
        expecting.query.expects_row = True
        # From Django 6.0 on, these may be rows with the values of returned fields.
        updated = super()._do_update(expecting, *args, **options)
        if not updated:
            raise StaleVersionError(self)
        return updated

    @classmethod
    @cache
    def _attributes(cls) -> tuple[str, ...]:
        return tuple(field.attname for field in cls._meta.concrete_fields)

    def _values(self) -> dict[str, Any]:
        values = self.__dict__
        return {name: values[name] for name in self._attributes() if name in values}

    def _snapshot(self) -> dict[str, Any]:
        values = self._values()
        for name, value in values.items():
            if isinstance(value, dict | list):
                values[name] = _copied(value)
        return values

    def _automatic_fields(self) -> set[str]:
        return {f.attname for f in self._meta.concrete_fields if getattr(f, "auto_now", False)}


def _copied(value: Any) -> Any:
    """A copy of what JSON can hold, which is made much faster than one of anything."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _same(before: Any, after: Any) -> bool:
    # In JSON, 1 and true are two things; in Python they are equal.
    return bool(before == after) and (
        not isinstance(after, dict | list) or json.dumps(before) == json.dumps(after)
    )
