"""Rows of one database copied to another as they are, whatever keeps them.

Nothing is read back through signals, defaults or automatic values: no schedule is made on the way,
and a row has the times and the version there that it has here.
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

# Rows read and written at a time.
BATCH = 100

Rows = list[Model]


@dataclass(slots=True)
class Tally:
    """What became of a model's rows.

    Attributes:
        copied, equal, overwritten: what became of them.
        failed: rows that are not in the target as they are in the source.
    """

    copied: int = 0
    equal: int = 0
    overwritten: int = 0
    failed: int = 0


@dataclass(slots=True)
class Left:
    """What a database has and rows cannot hold.

    Attributes:
        items: items that belong to other programs.
        attributes: by name, how many rows have an attribute that no field of ours has.
        faults: rows that cannot be read, each with the reason.
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
        """How many rows there are."""
        return Counter(
            {model: model._base_manager.using(self.alias).count() for model in models(self.alias)}
        )

    def size(self) -> int:
        """About how many rows there are, for showing how far a copy is."""
        return self.counts().total()

    def present(self, model: type[Model], rows: Rows) -> dict[Any, Model]:
        """By primary key, the rows that the database has in the place of these."""
        return model._base_manager.using(self.alias).in_bulk([row.pk for row in rows])

    def insert(self, model: type[Model], rows: Rows) -> Iterator[tuple[Model, str]]:
        """Insert rows, together where that can be; those that cannot, each with the reason."""
        fields = model._meta.concrete_fields
        size = self.connection.ops.bulk_batch_size(fields, rows)
        for first in range(0, len(rows), size):
            yield from self._insert(model, rows[first : first + size])

    def _insert(self, model: type[Model], rows: Rows) -> Iterator[tuple[Model, str]]:
        try:
            with transaction.atomic(using=self.alias):
                # What `bulk_create` does, but for values that are set on saving.
                model._base_manager._insert(  # type: ignore[attr-defined]
                    rows, fields=model._meta.concrete_fields, using=self.alias, raw=True
                )
        except (DataError, IntegrityError, OverflowError) as error:
            if len(rows) == 1:
                yield rows[0], str(error)
                return
            # Too many for one transaction, or one of them is at fault.
            middle = len(rows) // 2
            yield from self._insert(model, rows[:middle])
            yield from self._insert(model, rows[middle:])

    def overwrite(self, model: type[Model], row: Model) -> str:
        """Give a row that is there these values; why not where that fails."""
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
        """The fields that name a row."""
        return {model._meta.pk.attname}


class DynamoDBStore(Store):
    """The rows in a DynamoDB table, by its keys and whole: no index need know of a row."""

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
    """The rows of a database."""
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
    """A row's values by the names of its attributes."""
    return {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}


def differing(one: Model, other: Model) -> list[str]:
    """The fields in which two rows differ, in JSON's eyes: there, 1 and true are two things."""
    ours, theirs = values_of(one), values_of(other)
    return [name for name in ours if _text(ours[name]) != _text(theirs[name])]


def _text(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


class Copy:
    """Copies rows, those aside that the target has already.

    Args:
        source: from where.
        target: to where; None for a database that is yet to be made.
        dry_run: only look what would be done.
        overwrite: give rows that differ in the target the source's values.
        say: told of each row that could not be copied.

    Attributes:
        tallies: what became of the rows, by model.
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
        """Copy all rows; yields how many more were looked at."""
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
            if names := differing(row, present[row.pk]):
                self._differs(model, row, names, tally)
            else:
                tally.equal += 1

    def _differs(self, model: type[Model], row: Model, names: list[str], tally: Tally) -> None:
        reason = f"the target has another {', '.join(names)}"
        if self.overwrite:
            reason = ""
            if self.target and not self.dry_run:
                reason = self.target.overwrite(model, row)
        if reason:
            self._fail(row, reason, tally)
        else:
            tally.overwritten += 1

    def _fail(self, row: Model, reason: str, tally: Tally) -> None:
        tally.failed += 1
        self.say(f"{row._meta.verbose_name} {row.pk}: {reason}")
