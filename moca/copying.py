"""Copies all rows from one database to another, for the command `copy_database`.

Rows are copied as they are, without signals, defaults or automatic values: times and versions stay,
and no schedule is written.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import DataError, IntegrityError, connections, router, transaction
from django.db.models import Model

from moca.dynamodb.adoption import examine, others_attributes, table_at
from moca.dynamodb.client import Client
from moca.dynamodb.layout import Row, Table, table_of
from moca.dynamodb.reader import key_in

# Rows per read and write.
BATCH = 100

Rows = list[Model]


@dataclass(slots=True)
class Tally:
    """How many rows of a model were copied, equal, overwritten, or failed (differ still)."""

    copied: int = 0
    equal: int = 0
    overwritten: int = 0
    failed: int = 0


@dataclass(slots=True)
class Left:
    """The parts of a source that cannot be copied.

    Attributes:
        items: the number of items of other programs.
        attributes: for each attribute without a field of ours, the number of rows that have it.
        faults: unreadable rows, each with the reason.
    """

    items: int = 0
    attributes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Store:
    """The rows of our models in one database.

    Args:
        alias: the database's name in `connections`.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.connection: Any = connections[alias]
        self.left = Left()

    def pages(self) -> Iterator[tuple[type[Model], Rows]]:
        """All rows, in pages of one model each."""
        for model in models(self.alias):
            rows = model._base_manager.using(self.alias).order_by("pk")
            page = list(rows[:BATCH])
            while page:
                yield model, page
                page = list(rows.filter(pk__gt=page[-1].pk)[:BATCH])

    def counts(self) -> Counter[type[Model]]:
        """The number of rows of each model."""
        return Counter(
            {model: model._base_manager.using(self.alias).count() for model in models(self.alias)}
        )

    def size(self) -> int:
        """The approximate number of rows, for progress."""
        return self.counts().total()

    def present(self, model: type[Model], rows: Rows) -> dict[Any, Model]:
        """The stored rows with the keys of these rows, by primary key."""
        return model._base_manager.using(self.alias).in_bulk([row.pk for row in rows])

    def insert(self, model: type[Model], rows: Rows) -> Iterator[tuple[Model, str]]:
        """Insert rows in batches; yields the rows that failed, each with the reason."""
        fields = model._meta.concrete_fields
        size = self.connection.ops.bulk_batch_size(fields, rows)
        for first in range(0, len(rows), size):
            yield from self._insert(model, rows[first : first + size])

    def _insert(self, model: type[Model], rows: Rows) -> Iterator[tuple[Model, str]]:
        try:
            with transaction.atomic(using=self.alias):
                # Like `bulk_create`, but without values that are set on saving.
                model._base_manager._insert(  # type: ignore[attr-defined]
                    rows, fields=model._meta.concrete_fields, using=self.alias, raw=True
                )
        except (DataError, IntegrityError, OverflowError) as error:
            if len(rows) == 1:
                yield rows[0], str(error)
                return
            # The batch is too large for a transaction, or one row is invalid: try halves.
            middle = len(rows) // 2
            yield from self._insert(model, rows[:middle])
            yield from self._insert(model, rows[middle:])

    def overwrite(self, model: type[Model], row: Model) -> str:
        """Update a stored row; returns the reason if that fails, else an empty text."""
        keys = self.key_names(model)
        values = {name: value for name, value in values_of(row).items() if name not in keys}
        named = {name: getattr(row, name) for name in keys}
        try:
            with transaction.atomic(using=self.alias):
                updated = model._base_manager.using(self.alias).filter(**named).update(**values)
        except (DataError, IntegrityError, OverflowError) as error:
            return str(error)
        return "" if updated else "it was deleted meanwhile"

    def key_names(self, model: type[Model]) -> set[str]:
        """The fields that identify a row."""
        return {model._meta.pk.attname}


class DynamoDBStore(Store):
    """The rows of our models in a DynamoDB table; reads the table itself and no index."""

    def pages(self) -> Iterator[tuple[type[Model], Rows]]:
        by_table = self._models()
        for items in self._client.pages("scan", ConsistentRead=True):
            found: dict[type[Model], Rows] = {}
            for each in map(examine, items):
                model = by_table.get(each.table)
                if model is None:
                    self.left.items += each.is_foreign
                elif each.fault:
                    self.left.faults.append(f"{' / '.join(each.key)}: {each.fault}")
                else:
                    self.left.attributes.update(others_attributes(each))
                    found.setdefault(model, []).append(self._instance(model, each.row))
            for model, rows in found.items():
                for first in range(0, len(rows), BATCH):
                    yield model, rows[first : first + BATCH]

    def counts(self) -> Counter[type[Model]]:
        by_table = self._models()
        pages = self._client.pages("scan", ConsistentRead=True, ProjectionExpression="PK, SK")
        tables = (table_at(key_in(item)) for items in pages for item in items)
        return Counter(by_table[table] for table in tables if table in by_table)

    def size(self) -> int:
        return int(self.connection.creation.item_count())

    def present(self, model: type[Model], rows: Rows) -> dict[Any, Model]:
        table = table_of(model)
        keys = [table.key(values_of(row)) for row in rows]
        items = self._client.get_many(list(dict.fromkeys(keys)))
        found = [self._instance(model, table.row(item)) for item in items]
        return {row.pk: row for row in found}

    def insert(self, model: type[Model], rows: Rows) -> Iterator[tuple[Model, str]]:
        size = BATCH // (1 + len(table_of(model).unique))
        for first in range(0, len(rows), size):
            yield from self._insert(model, rows[first : first + size])

    def key_names(self, model: type[Model]) -> set[str]:
        return super().key_names(model) | table_of(model).key_names

    def _models(self) -> dict[Table | None, type[Model]]:
        return {table_of(model): model for model in models(self.alias)}

    def _instance(self, model: type[Model], row: Row) -> Model:
        return model.from_db(self.alias, list(row), list(row.values()))

    @property
    def _client(self) -> Client:
        self.connection.ensure_connection()
        client: Client = self.connection.service
        return client


def store(alias: str) -> Store:
    """The store for a database, by its alias."""
    kind = DynamoDBStore if connections[alias].vendor == "dynamodb" else Store
    return kind(alias)


def models(alias: str) -> list[type[Model]]:
    """The models that have a table in the database."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and router.allow_migrate_model(alias, model)
    ]


def values_of(row: Model) -> dict[str, Any]:
    """A row's values by attribute name."""
    return {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}


def differing(one: Model, other: Model) -> list[str]:
    """The fields in which two rows differ, compared as JSON: in Python, 1 == True."""
    ours, theirs = values_of(one), values_of(other)
    return [name for name in ours if _as_json(ours[name]) != _as_json(theirs[name])]


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


class Copy:
    """Copies rows that the target does not have.

    Args:
        source: the store to read from.
        target: the store to write to; None in a dry run, if the database does not exist yet.
        dry_run: write nothing.
        overwrite: update the target's rows that differ; otherwise they count as failed.
        say: called with a line for each row that could not be copied.

    Attributes:
        tallies: the numbers of rows by outcome, for each model.
    """

    def __init__(
        self,
        source: Store,
        target: Store | None,
        *,
        dry_run: bool,
        overwrite: bool,
        say: Callable[[str], None],
    ) -> None:
        self.source, self.target = source, target
        self.dry_run, self.overwrite, self.say = dry_run, overwrite, say
        self.tallies: dict[type[Model], Tally] = {}

    def run(self) -> Iterator[int]:
        """Copy all rows; yields the number of rows of each page."""
        for model, rows in self.source.pages():
            self._copy(model, rows, self.tallies.setdefault(model, Tally()))
            yield len(rows)

    def _copy(self, model: type[Model], rows: Rows, tally: Tally) -> None:
        present = self.target.present(model, rows) if self.target else {}
        new = [row for row in rows if row.pk not in present]
        tally.copied += len(new)
        if self.target and not self.dry_run:
            for row, reason in self.target.insert(model, new):
                tally.copied -= 1
                self._fail(row, reason, tally)
        for row in rows:
            if row.pk not in present:
                continue
            names = differing(row, present[row.pk])
            if not names:
                tally.equal += 1
            elif reason := self._overwrite(model, row, names):
                self._fail(row, reason, tally)
            else:
                tally.overwritten += 1

    def _overwrite(self, model: type[Model], row: Model, names: list[str]) -> str:
        """Update a row that differs, if that is wanted; returns the reason if it differs still."""
        if not self.overwrite:
            return f"the target has another {', '.join(names)}"
        return self.target.overwrite(model, row) if self.target and not self.dry_run else ""

    def _fail(self, row: Model, reason: str, tally: Tally) -> None:
        tally.failed += 1
        self.say(f"{row._meta.verbose_name} {row.pk}: {reason}")
