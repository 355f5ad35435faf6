"""Runs a plan: reads rows page by page, and includes the open transaction's own writes."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

from django.db import NotSupportedError

from moca.dynamodb.client import Client
from moca.dynamodb.codec import Item
from moca.dynamodb.evaluate import Conditions
from moca.dynamodb.layout import PK, SK, UNIQUE, Index, Key, Row, Table
from moca.dynamodb.planner import Get, GetUnique, Nothing, Order, Plan, Query
from moca.dynamodb.transaction import Transaction

# Rows that one query may read and filter out.
MAX_LEFT_OUT = 10_000
# Keys in one BatchGetItem.
BATCH = 100

Found = tuple[Key, Item]
# The sort key by which a query found the item, its key, and the item.
Sorted = tuple[str, Key, Item]


class Reader:
    """Reads rows of one model.

    Args:
        client: calls DynamoDB.
        table: the model's table.
        transaction: the open transaction, whose writes are included, or None.
    """

    def __init__(self, client: Client, table: Table, transaction: Transaction | None) -> None:
        self.client, self.table, self.transaction = client, table, transaction
        # The attributes to read of each item; empty to read whole items.
        self._attributes: list[str] = []
        # Whether rows may be read as they were a moment ago, for half the units.
        self.may_lag = False

    def found(self, plan: Plan, conditions: Conditions, names: Sequence[str]) -> Iterator[Any]:
        """Run a plan; each result is a key, an item and a row.

        Args:
            plan: the plan.
            conditions: the conditions that a row must meet.
            names: the wanted fields; the plan may need others too.

        Raises:
            NotSupportedError: more than `MAX_LEFT_OUT` rows were filtered out.
        """
        needed = {*names, *conditions.fields, *(name for name, _ in plan.sort)}
        wanted = [name for name in self.table.fields if name in needed]
        # A transaction needs whole items, because its writes are based on them.
        if self.transaction is None and len(wanted) < len(self.table.fields):
            self._attributes = self.table.holding(wanted)
        rows = self._matching(plan, conditions, wanted)
        if plan.sort:
            rows = iter(sorted_rows(list(rows), plan.sort))
        end = None if plan.limit is None else plan.offset + plan.limit
        return islice(rows, plan.offset, end)

    def _matching(
        self, plan: Plan, conditions: Conditions, names: Sequence[str]
    ) -> Iterator[tuple[Key, Item, Row]]:
        left_out = 0
        wanted = None if plan.sort or plan.limit is None else plan.offset + plan.limit
        for key, item in self._items(plan, wanted):
            row = self.table.row(item, names)
            if conditions.hold(row):
                yield key, item, row
            else:
                left_out += 1
                if left_out > MAX_LEFT_OUT:
                    raise NotSupportedError(
                        f"More than {MAX_LEFT_OUT:,} rows of {self.table.name} were read and "
                        f"filtered out ({conditions}): filter by the key of an index."
                    )

    def _items(self, plan: Plan, wanted: int | None) -> Iterator[Found]:
        source = plan.source
        if isinstance(source, Nothing):
            return iter(())
        if isinstance(source, Get):
            return self.by_keys(source.keys)
        if isinstance(source, GetUnique):
            return self._by_markers(source)
        page = None if wanted is None else wanted + source.edges
        return self._by_query(source, page)

    # By keys

    def by_keys(self, keys: Sequence[Key]) -> Iterator[Found]:
        """The existing rows with these keys, in the order of the keys."""
        for first in range(0, len(keys), BATCH):
            some = keys[first : first + BATCH]
            items = self._stored(some)
            for key in some:
                item = items.get(key)
                if self.transaction is not None:
                    item = self.transaction.seen(key, item)
                if item is not None:
                    yield key, item

    def _stored(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Items as the table has them; an item that this transaction has read is not read again."""
        known: dict[Key, Item] = {}
        unknown = list(keys)
        if self.transaction is not None:
            known = {
                key: self.transaction.read[key] for key in keys if key in self.transaction.read
            }
            unknown = [key for key in keys if key not in known and not self._is_own(key)]
        for item in self._fetched(unknown, self._attributes):
            known[key_in(item)] = item
            self.remember(item)
        return known

    def _is_own(self, key: Key) -> bool:
        """Whether the transaction's writes determine the whole item."""
        entry = self.transaction.pending.get(key) if self.transaction else None
        return entry is not None and entry.change is None

    def remember(self, item: Item) -> None:
        """Keep an item that this transaction has read."""
        if self.transaction is not None:
            key = key_in(item)
            if not self._is_own(key):
                self.transaction.read.setdefault(key, item)
            pk = self.table.row(item, [self.table.pk])[self.table.pk]
            self.transaction.keys[self.table.name, pk] = key

    def _by_markers(self, source: GetUnique) -> Iterator[Found]:
        for first in range(0, len(source.markers), BATCH):
            some = source.markers[first : first + BATCH]
            items = self._fetched([marker for marker in some if not self._is_own(marker)])
            known = {key_in(item): item for item in items}
            keys = []
            for marker in some:
                item = known.get(marker)
                if self.transaction is not None:
                    item = self.transaction.seen(marker, item)
                if item is not None:
                    keys.append((item["rowPK"]["S"], item["rowSK"]["S"]))
            yield from self.by_keys(keys)

    def _fetched(self, keys: list[Key], attributes: Sequence[str] = ()) -> list[Item]:
        """The existing items of at most `BATCH` keys, in any order.

        Args:
            keys: the keys.
            attributes: the attributes to read; empty for all.
        """
        projection: dict[str, Any] = {}
        if attributes:
            names: dict[str, str] = {}
            projection = {**_projection(names, attributes), "ExpressionAttributeNames": names}
        if len(keys) == 1:
            item = self.client.get(keys[0], **projection)
            return [] if item is None else [item]
        if self.may_lag:
            projection["ConsistentRead"] = False
        return self.client.get_many(keys, **projection) if keys else []

    # By queries

    def _by_query(self, source: Query, page: int | None) -> Iterator[Found]:
        streams: list[Iterable[Sorted]] = [
            self._partition(source, partition, page) for partition in source.partitions
        ]
        if self.transaction is not None and self.transaction.pending:
            streams.append(self._own(source))
        merged: Iterator[Sorted]
        if len(streams) == 1 or not source.order:
            merged = chain.from_iterable(streams)
        else:
            merged = heapq.merge(*streams, key=lambda found: found[0], reverse=source.descending)
        if source.index is None:
            return ((key, item) for _, key, item in merged)
        if source.reads_index:
            return self._entries(source.index, merged)
        return self._behind(merged, page or BATCH)

    def _entries(self, index: Index, found: Iterator[Sorted]) -> Iterator[Found]:
        """What an index says about rows, without a look at the rows."""
        for _, key, item in found:
            yield key, item if self._wrote(key) else self.table.of_entry(index, item)

    def _behind(self, found: Iterator[Sorted], page: int) -> Iterator[Found]:
        """The rows that an index names: it lags behind and holds keys only, the table knows.

        The batches of the first `page` rows read no row beyond these.
        """
        # A row that moves within the index may stand in it twice for a moment.
        met: set[Key] = set()
        once = (each for each in found if each[1] not in met and not met.add(each[1]))  # type: ignore[func-returns-value]
        left = page
        while some := list(islice(once, min(left, BATCH))):
            left = left - len(some) or page
            stored = self._stored([key for _, key, _ in some if not self._wrote(key)])
            for _, key, item in some:
                if self._wrote(key):
                    yield key, item
                elif key in stored:
                    yield key, stored[key]

    def _partition(self, source: Query, partition: str, page: int | None) -> Iterator[Sorted]:
        """A partition's rows as the table has them, without those that the transaction wrote."""
        range_key = source.index.keys[1] if source.index else SK
        arguments = _arguments(source, partition, page)
        if self.may_lag:
            arguments["ConsistentRead"] = False
        if source.index is None and self._attributes:
            arguments |= _projection(arguments["ExpressionAttributeNames"], self._attributes)
        for items in self.client.pages("query", **arguments):
            for item in items:
                key = key_in(item)
                # An index on attributes of several models has rows of other models too.
                is_ours = source.index is None or self.table.owns(key)
                if is_ours and not self._wrote(key):
                    if source.index is None:
                        self.remember(item)
                    yield item[range_key]["S"], key, item

    def _wrote(self, key: Key) -> bool:
        return self.transaction is not None and key in self.transaction.pending

    def _own(self, source: Query) -> list[Sorted]:
        """The rows in the query's range that the transaction wrote, in the query's order."""
        if self.transaction is None:
            return []
        unread = [k for k, entry in self.transaction.pending.items() if entry.change is not None]
        changed = list(self.by_keys([key for key in unread if self.table.owns(key)]))
        own = [
            (sort, key, item)
            for key, item in [*self.transaction.written(), *changed]
            if key[1] != UNIQUE and self.table.owns(key)
            if (sort := self._place(source, key, item)) is not None
        ]
        return sorted(own, key=lambda found: found[0], reverse=source.descending)

    def _place(self, source: Query, key: Key, item: Item) -> str | None:
        """The sort key under which the query finds an item, or None if it does not find it."""
        partition, sort = key
        if source.index is not None:
            # An item of another program may lack index attributes.
            hash_key, range_key = source.index.keys
            if hash_key not in item or range_key not in item:
                return None
            partition, sort = item[hash_key]["S"], item[range_key]["S"]
        if partition not in source.partitions or not sort.startswith(source.prefix):
            return None
        if (source.low and sort < source.low) or (source.high and sort > source.high):
            return None
        return sort

    def count(self, source: Query) -> int:
        """The number of rows of a query, counted by DynamoDB."""
        total = 0
        for partition in source.partitions:
            arguments = {**_arguments(source, partition, None), "Select": "COUNT"}
            total += sum(answer["Count"] for answer in self.client.answers("query", **arguments))
        return total


def key_in(item: Item) -> Key:
    """The key of an item."""
    return item[PK]["S"], item[SK]["S"]


def _arguments(source: Query, partition: str, page: int | None) -> dict[str, Any]:
    hash_key, range_key = source.index.keys if source.index else (PK, SK)
    condition = "#p = :p"
    names = {"#p": hash_key}
    values = {":p": {"S": partition}}
    if source.high and not source.low:
        condition += " AND #s <= :high"
        names["#s"] = range_key
        values[":high"] = {"S": source.high}
    elif source.high:
        condition += " AND #s BETWEEN :low AND :high"
        names["#s"] = range_key
        values |= {":low": {"S": source.low}, ":high": {"S": source.high}}
    elif source.prefix:
        condition += " AND begins_with(#s, :s)"
        names["#s"] = range_key
        values[":s"] = {"S": source.prefix}
    arguments: dict[str, Any] = {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": not source.descending,
    }
    if source.index is not None:
        # Read only the keys, whatever the index projects.
        arguments["IndexName"] = source.index.name
        arguments |= _projection(names, dict.fromkeys((PK, SK, hash_key, range_key)))
    else:
        arguments["ConsistentRead"] = True
    if page is not None:
        arguments["Limit"] = page
    return arguments


def _projection(names: dict[str, str], attributes: Iterable[str]) -> dict[str, Any]:
    """The argument that selects attributes; adds their placeholders to `names`."""
    taken = {attribute: placeholder for placeholder, attribute in names.items()}
    placeholders = []
    for number, attribute in enumerate(attributes):
        if attribute not in taken:
            names[f"#a{number}"] = attribute
        placeholders.append(taken.get(attribute, f"#a{number}"))
    return {"ProjectionExpression": ", ".join(placeholders)}


def sorted_rows(
    rows: list[tuple[Key, Item, Row]], order: Sequence[Order]
) -> list[tuple[Key, Item, Row]]:
    """Rows in an order. Nulls come first if it is ascending, as on SQLite."""
    for name, descending in reversed(order):
        rows.sort(key=partial(_rank, name), reverse=descending)
    return rows


def _rank(name: str, found: tuple[Key, Item, Row]) -> tuple[bool, Any]:
    value = found[2][name]
    return (value is not None, "" if value is None else value)
