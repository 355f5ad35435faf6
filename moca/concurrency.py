"""Optimistic concurrency: conditional writes that raise ConflictError when the row has changed.

What a form tells its operator about another's change is in `moca.forms`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, connections, models, transaction
from django.utils.translation import gettext as _

from moca import reconcile
from moca.columns import KnownColumnsQuery, insert_rows, update_row
from moca.dynamodb.errors import ConflictError
from moca.reasons import translated
from moca.retry import retry
from moca.sentences import Reason

__all__ = [
    "ConflictError",
    "ExpectingQuerySet",
    "StaleVersionError",
    "VersionedModel",
    "reason_of",
    "retry_conflicts",
    "rewrite",
]

Row = TypeVar("Row", bound=models.Model)
Result = TypeVar("Result")


class StaleVersionError(ConflictError):
    """The row was saved or deleted by somebody else since it was read; nothing was written."""

    def __init__(self, instance: models.Model) -> None:
        super().__init__(
            f"The {instance._meta.verbose_name} was changed by someone else in the meantime: load "
            "it again and repeat your change."
        )


class ExpectingQuerySet(models.QuerySet[Row]):
    """Conditional writes without a read first, for callers that know what the rows contain.

    The filters name rows by their keys. A database that collects a transaction's writes, such as
    DynamoDB, checks the conditions at the commit.
    """

    def __init__(self, model: Any = None, query: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(model, query or KnownColumnsQuery(model), *args, **options)

    def update_expected(
        self, *, missing: models.Model | None = None, rows: int = 1, **values: Any
    ) -> None:
        """Update rows that are expected to exist and to match the filters.

        Args:
            missing: the row to insert if it does not exist; only with `rows=1`. `F()` then
                counts from the field's default.
            rows: the number of rows expected.
            values: as for `update()`.

        Raises:
            ConflictError: some rows do not exist or do not match. DynamoDB raises it at the commit.
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

    def update_keyed(
        self, keys: Mapping[str, Any], values: Mapping[str, Any], *, expected: bool = False
    ) -> int:
        """Update the rows whose fields have the values of `keys`, as `filter().update()` does.

        On SQLite it takes a tenth of the time. Use it for writes that each run makes.

        Args:
            keys: what the fields have to be. They name the rows by their keys.
            values: what they become.
            expected: whether the one row is expected to match, as in `update_expected()`.

        Returns:
            How many were updated.

        Raises:
            ConflictError: `expected`, and the row does not match. DynamoDB raises it at the commit.
        """
        if connections[self.db].vendor == "sqlite":
            changed = update_row(self.model, self.db, keys, values)
            if expected and changed != 1:
                raise ConflictError(f"The {self.model._meta.verbose_name} has changed meanwhile.")
            return changed
        rows = self.filter(**keys)
        if not expected:
            return rows.update(**values)
        rows.update_expected(**values)
        return 1

    def insert_all(self, rows: Sequence[Row]) -> None:
        """Insert rows that have their keys, as `bulk_create()` does.

        On SQLite it takes half of the time. Use it for rows that each run makes.

        Raises:
            IntegrityError: one of them exists. DynamoDB raises it at the commit.
        """
        if connections[self.db].vendor == "sqlite":
            insert_rows(self.model, self.db, rows)
        else:
            self.bulk_create(rows)

    def replace(self, row: Row) -> None:
        """Write a row, whether one of its key is there or not; no signals."""
        meta = self.model._meta
        if not connections[self.db].features.supports_update_conflicts_with_target:
            values = {field.attname: getattr(row, field.attname) for field in meta.concrete_fields}
            del values[meta.pk.attname]
            self.filter(pk=row.pk).update_expected(missing=row, **values)
            return
        # One statement. To update first would find nothing for each new row.
        self.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=[meta.pk.name],
            update_fields=[field.name for field in meta.concrete_fields if not field.primary_key],
        )

    def discard(self) -> None:
        """Delete the rows that the filters name, if they exist; sends no signals."""
        expecting = self._chain()  # type: ignore[attr-defined]
        expecting.query.expects_row = "any"
        expecting._raw_delete(self.db)


class VersionedModel(models.Model):
    """A model whose saves write only changed fields, and fail if another save came in between.

    `version` counts the saves. `QuerySet.update()` does not count: a run's notes on a trigger must
    not make an operator's open form stale.
    """

    version = models.PositiveIntegerField(default=1, editable=False)

    # Fields that identify a row in the table together with the primary key.
    key_fields: ClassVar[tuple[str, ...]] = ()

    # Values as last loaded or saved, by attribute name.
    _loaded: dict[str, Any] = {}

    class Meta:
        abstract = True

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        # Django 6.1 adds a fetch mode to the arguments.
        instance = super().from_db(db, field_names, values, **options)
        instance._loaded = cls._copy_maps(dict(zip(field_names, values, strict=True)))
        return instance

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._loaded = self._snapshot()

    def read_again(self) -> None:
        """Load the stored row, also after a rolled back deletion; DoesNotExist if it is gone."""
        names = (self._meta.pk.attname, *self.key_fields)
        key = {name: self._loaded.get(name, getattr(self, name)) for name in names}
        self.pk = key[self._meta.pk.attname]
        self.refresh_from_db(from_queryset=type(self)._default_manager.filter(**key))
        self._state.adding = False

    def changed_fields(self) -> set[str]:
        """Names of the fields that were changed since the row was loaded or saved."""
        loaded = self._loaded
        return {
            name
            for name, value in self._values().items()
            if name not in loaded or not _same(loaded[name], value)
        }

    def changes(self) -> dict[str, list[Any]]:
        """The changed fields, each with its values before and after."""
        return {
            name: [self._loaded.get(name), getattr(self, name)]
            for name in sorted(self.changed_fields())
        }

    def loaded_value(self, name: str) -> Any:
        """The field's value as last loaded or saved; None for a new row."""
        return self._loaded.get(name)

    def save(
        self,
        *,
        update_fields: Iterable[str] | None = None,
        covered: bool = False,
        **options: Any,
    ) -> None:
        """Insert a new row, or write the changed fields if nobody else has saved the row.

        Receivers of `post_save` run in the same transaction: their errors roll back the write and
        restore the projections that they have written.

        Args:
            update_fields: write only these of the changed fields; None for all.
            covered: whether the caller is in a transaction that it gives up if this fails, so that
                no savepoint is needed.

        Raises:
            StaleVersionError: the stored row has another version, or is gone.
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
            with nullcontext() if covered else reconcile.atomic():
                super().save(**options)
        except BaseException as error:
            self._state.adding, self.version = adding, version
            if isinstance(error, ConflictError) and not adding:
                raise StaleVersionError(self) from error
            raise
        self._loaded = self._snapshot()

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with reconcile.atomic():
            return super().delete(*args, **options)

    def _do_update(self, base_qs: Any, *args: Any, **options: Any) -> Any:
        key = {name: self.loaded_value(name) for name in self.key_fields}
        expecting = base_qs.filter(version=self.version - 1, **key)
        # The write is conditional, as in `ExpectingQuerySet`, so the row is not read first.
        expecting.query.expects_row = True
        # In Django 6.0, this may be a list of rows with returned fields.
        updated = super()._do_update(expecting, *args, **options)
        if not updated:
            raise StaleVersionError(self)
        return updated

    @classmethod
    @cache
    def _attributes(cls) -> tuple[str, ...]:
        return tuple(field.attname for field in cls._meta.concrete_fields)

    @classmethod
    @cache
    def _maps(cls) -> tuple[str, ...]:
        """The fields whose values can be changed in place."""
        fields = cls._meta.concrete_fields
        return tuple(field.attname for field in fields if isinstance(field, models.JSONField))

    def _values(self) -> dict[str, Any]:
        values = self.__dict__
        return {name: values[name] for name in self._attributes() if name in values}

    def _snapshot(self) -> dict[str, Any]:
        return self._copy_maps(self._values())

    @classmethod
    def _copy_maps(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in cls._maps():
            if name in values:
                values[name] = _copied(values[name])
        return values

    def _automatic_fields(self) -> set[str]:
        return {f.attname for f in self._meta.concrete_fields if getattr(f, "auto_now", False)}


def _copied(value: Any) -> Any:
    """A deep copy of a JSON value; much faster than `copy.deepcopy()`."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _same(before: Any, after: Any) -> bool:
    # In Python, 1 == True; in JSON they differ.
    return bool(before == after) and (
        not isinstance(after, dict | list) or json.dumps(before) == json.dumps(after)
    )


def retry_conflicts(write: Callable[[], Result], busy: str) -> Result:
    """Write, and retry if another write came first.

    Args:
        write: writes in a transaction of its own.
        busy: the error's message if all tries fail.

    Raises:
        ConflictError: other writes came first in all tries.
    """
    try:
        return retry(write, on=ConflictError)
    except ConflictError as error:
        raise ConflictError(busy) from error


def rewrite(row: VersionedModel, write: Callable[[], Result]) -> Result:
    """Read a row and write it in one transaction, and retry if another write came first.

    Args:
        row: an instance with the row's key; each try reads the row into it.
        write: changes and saves the row, or deletes it.

    Raises:
        DoesNotExist: the row does not exist.
        ConflictError: other writes came first in all tries.
    """

    def attempt() -> Result:
        with reconcile.atomic():
            row.read_again()
            return write()

    name = row._meta.verbose_name
    return retry_conflicts(attempt, f"Others keep changing this {name}: try again in a moment.")


def reason_of(error: Exception) -> str:
    """The reason of a refusal, for operators, in the active language."""
    if isinstance(error, ConflictError | ObjectDoesNotExist):
        return _("somebody else changed or deleted it at the same moment.")
    if isinstance(reason := getattr(error, "reason", None), Reason):
        return translated(reason)
    return "; ".join(getattr(error, "messages", [str(error)]))
