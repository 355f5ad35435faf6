"""Adopts items that another program wrote into the table, for `manage.py adopt_table`.

An item with the right key and attributes is already a row. It may lack two things that queries
need: the attributes of our indexes, and the marker items that keep its unique values unique.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db import DataError

from moca.dynamodb import codec
from moca.dynamodb.client import CONTENTION_ATTEMPTS, Client, pause
from moca.dynamodb.codec import Attribute, Item, MalformedError
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.layout import (
    CATALOGUE,
    PK,
    SK,
    TABLE,
    UNIQUE,
    Key,
    Row,
    Table,
    all_tables,
    marker_item,
)
from moca.dynamodb.reader import key_in
from moca.dynamodb.transaction import Transaction

# The item that stores how far a walk is, in a partition of no model.
PLACE: Key = ("ADOPTION", "PLACE")
# Prefixes of the partition keys of the backend's own items.
OWN = (CATALOGUE, PLACE[0], TABLE, UNIQUE)
# Items that are written at the same time.
WRITERS = 8


@dataclass(frozen=True, slots=True)
class Examined:
    """An item, and what it lacks.

    Attributes:
        item: the item as it was read.
        table: the table of the model whose row it is, or None if it is another program's item.
        row: the values of its fields.
        fault: why it cannot be read as a row, or empty if it can.
        changes: the index attributes to set; None removes an attribute.
        markers: the keys of the marker items to insert for its unique values.
    """

    item: Item
    table: Table | None = None
    row: Row = field(default_factory=dict)
    fault: str = ""
    changes: dict[str, Attribute | None] = field(default_factory=dict)
    markers: tuple[Key, ...] = ()

    @property
    def key(self) -> Key:
        return key_in(self.item)

    @property
    def is_foreign(self) -> bool:
        """Whether it is neither a row nor one of the backend's own items."""
        return self.table is None and not self.key[0].startswith(OWN)

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to do for it, or nothing can be done."""
        return bool(self.fault) or not (self.changes or self.markers)


def table_at(key: Key) -> Table | None:
    """The table of the model whose row has a key, or None if the key is of no model."""
    return next((each for each in all_tables() if key[1] != UNIQUE and each.owns(key)), None)


def examine(item: Item) -> Examined:
    """Find the model of an item, and the index attributes that it lacks."""
    table = table_at(key_in(item))
    if table is None:
        return Examined(item)
    if faults := list(_faults(table, item)):
        return Examined(item, table, fault="; ".join(faults))
    row = table.row(item)
    changes = {
        name: value for name, value in table.index_keys(row).items() if item.get(name) != value
    }
    return Examined(item, table, row, changes=changes)


def _faults(table: Table, item: Item) -> Iterator[str]:
    for name, kind in table.fields.items():
        attribute = item.get(table.attributes[name])
        if attribute is None:
            continue
        try:
            value = codec.decode(kind, attribute)
        except MalformedError as error:
            yield f"{table.attributes[name]} cannot be read ({error})"
            continue
        if kind.choices and value not in dict(kind.flatchoices):
            known = ", ".join(dict(kind.flatchoices))
            yield f"{table.attributes[name]} is {value!r}, which is none of {known}"
    indexed = {name for index in table.layout.indexes for name in index.keys if not index.when}
    for missing in sorted((indexed & set(table.attributes.values())) - item.keys()):
        yield f"{missing} is missing"
    try:
        if table.key(table.row(item)) != key_in(item):
            yield "its attributes do not agree with its key"
    except DataError as error:
        yield str(error)


def add_markers(client: Client, found: Examined) -> Examined:
    """Find the marker items that a row lacks.

    Returns:
        `found` with `markers`, or with a fault if another row has one of its unique values.
    """
    if found.table is None or found.fault or not found.table.unique:
        return found
    missing = []
    for names, marker in found.table.markers(found.row).items():
        item = client.get(marker)
        if item is None:
            missing.append(marker)
        elif (item["rowPK"]["S"], item["rowSK"]["S"]) != found.key:
            other = f"{item['rowPK']['S']} / {item['rowSK']['S']}"
            return replace(found, fault=f"its {', '.join(names)} is also that of {other}")
    return replace(found, markers=tuple(missing))


class Walk:
    """A scan of the whole table that adopts its items.

    It stores its position in the table: after an interruption, the next walk continues there.

    Args:
        client: the connection's client.
        dry_run: change nothing; start at the beginning and store no position.

    Attributes:
        resumes: whether it continues an interrupted walk.
    """

    def __init__(self, client: Client, *, dry_run: bool) -> None:
        self.client, self.dry_run = client, dry_run
        place = None if dry_run else client.get(PLACE)
        self._start: dict[str, Any] = json.loads(place["start"]["S"]) if place else {}
        self.resumes = place is not None

    def pages(self) -> Iterator[list[Examined]]:
        """The adopted items, page by page.

        A page counts as done when the caller asks for the next one.
        """
        with ThreadPoolExecutor(WRITERS) as pool:
            while True:
                start = {"ExclusiveStartKey": self._start} if self._start else {}
                answer = self.client.call(
                    "scan", TableName=self.client.table, ConsistentRead=True, **start
                )
                bring_up = partial(adopt, self.client, dry_run=self.dry_run)
                yield list(pool.map(bring_up, answer["Items"]))
                self._start = answer.get("LastEvaluatedKey") or {}
                if not self._start:
                    break
                self._keep()
        if not self.dry_run:
            self.client.delete_many([PLACE])

    def _keep(self) -> None:
        if self.dry_run:
            return
        item = {PK: {"S": PLACE[0]}, SK: {"S": PLACE[1]}, "start": {"S": json.dumps(self._start)}}
        self.client.call("put_item", TableName=self.client.table, Item=item)


def adopt(client: Client, item: Item, *, dry_run: bool) -> Examined:
    """Add what an item lacks; read it again and retry if somebody changes it meanwhile.

    Raises:
        ConflictError: others kept changing it.
    """
    for attempt in range(CONTENTION_ATTEMPTS):
        found = add_markers(client, examine(item))
        if dry_run or found.table is None or found.is_complete:
            return found
        try:
            _write(client, found, found.table)
        except ConflictError:
            pause(attempt)
        else:
            return found
        latest = client.get(key_in(item))
        if latest is None:
            return Examined(item)
        item = latest
    raise ConflictError(f"Others keep changing {' / '.join(key_in(item))}: run this again.")


def _write(client: Client, found: Examined, table: Table) -> None:
    transaction = Transaction()
    changed = {**found.item, **found.changes}
    after = {name: value for name, value in changed.items() if value is not None}
    names = table.index_names | table.unique_names
    looked_at = {table.attributes[name] for name in names} | found.changes.keys()
    transaction.update(found.key, found.item, after, frozenset(looked_at))
    for marker in found.markers:
        transaction.insert(marker, marker_item(marker, found.key))
    transaction.commit(client)


def others_attributes(found: Examined) -> set[str]:
    """The names of an item's attributes that belong to no field and no index."""
    if found.table is None:
        return set()
    keys = {name for index in found.table.layout.indexes for name in index.keys}
    return found.item.keys() - keys - {PK, SK} - set(found.table.attributes.values())
