"""Transactions: collect writes, and commit them as one TransactWriteItems.

Each write is conditional on what it was based on: an insert on the absence of the item, a change on
the attributes that it depends on. If two transactions conflict, one of them fails as a whole.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from django.db import DataError, IntegrityError

from moca.dynamodb.changes import Change, Pending
from moca.dynamodb.client import Client, ConditionFailedError
from moca.dynamodb.codec import Item
from moca.dynamodb.errors import ConflictError
from moca.dynamodb.layout import UNIQUE, Key
from moca.dynamodb.requests import write_request

# The limit of TransactWriteItems.
MAX_ITEMS = 100


class Transaction:
    """The pending writes and the items read of one `atomic()` block or one statement."""

    def __init__(self) -> None:
        self.pending: dict[Key, Pending] = {}
        # The items that this transaction has read, as the table has them.
        self.read: dict[Key, Item] = {}
        # The keys of rows by table and primary key, for later queries by primary key.
        self.keys: dict[tuple[str, Any], Key] = {}

    def copy(self) -> "Transaction":
        """A copy for a savepoint, with writes of its own."""
        other = Transaction()
        other.pending, other.read, other.keys = dict(self.pending), self.read, self.keys
        return other

    # Reading

    def seen(self, key: Key, item: Item | None) -> Item | None:
        """An item as this transaction sees it, given the stored item; None if there is none."""
        entry = self.pending.get(key)
        if entry is None:
            return item
        if entry.change is not None:
            if item is None and entry.change.upsert is None:
                return None
            return entry.change.apply(item)
        return entry.after

    def written(self) -> Iterator[tuple[Key, Item]]:
        """The items that this transaction inserts or changes, as they will be."""
        for key, entry in self.pending.items():
            if entry.after is not None:
                yield key, entry.after

    # Writing

    def insert(self, key: Key, item: Item) -> None:
        """Insert an item; IntegrityError if this transaction knows that it exists."""
        entry = self.pending.get(key)
        if entry is None:
            if key in self.read:
                raise _duplicate(key)
            self.pending[key] = Pending(after=item)
        elif entry.change is not None or entry.after is not None:
            raise _duplicate(key)
        elif entry.discard:
            self.pending[key] = Pending(after=item, discard=True)
        else:
            self.pending[key] = replace(entry, after=item)

    def update(self, key: Key, before: Item, after: Item, looked_at: frozenset[str]) -> None:
        """Change an item that was read.

        Args:
            key: its key.
            before: the item as this transaction sees it.
            after: the item as it will be.
            looked_at: the attributes that the change depends on.
        """
        entry = self._known(key, before)
        self.pending[key] = replace(entry, after=after, looked_at=entry.looked_at | looked_at)

    def delete(self, key: Key, before: Item, looked_at: frozenset[str]) -> None:
        """Delete an item that was read."""
        entry = self._known(key, before)
        self.pending[key] = replace(entry, after=None, looked_at=entry.looked_at | looked_at)

    def change(self, key: Key, change: Change) -> None:
        """Change an item that was not read."""
        entry = self.pending.get(key)
        if entry is None:
            self.pending[key] = Pending(change=change)
        elif entry.change is not None and (both := entry.change.then(change)) is not None:
            self.pending[key] = Pending(change=both)
        elif entry.change is None and entry.after is not None:
            self.pending[key] = replace(entry, after=change.apply(entry.after))
        elif entry.change is None and change.upsert is not None:
            self.pending[key] = replace(entry, after=dict(change.upsert))
        else:
            raise ConflictError("A row was changed twice in a transaction without being read.")

    def discard(self, key: Key, item: Item | None = None) -> None:
        """Delete an item, whether it exists or not.

        Args:
            key: its key.
            item: the item, if it is known; IntegrityError if this transaction inserts another
                one under the key.
        """
        entry = self.pending.get(key)
        if entry is None or not entry.must_be_absent:
            self.pending[key] = Pending(discard=True)
        elif item is None or entry.after == item:
            self.pending[key] = replace(entry, after=None)
        else:
            raise _duplicate(key)

    def _known(self, key: Key, before: Item) -> Pending:
        entry = self.pending.get(key)
        if entry is None:
            return Pending(before=before, after=before)
        if entry.change is None:
            return entry
        # The item was read after the unread change, so its conditions can be checked now.
        looked_at = frozenset(clause.attribute for clause in entry.change.conditions)
        stored = self.read.get(key)
        if stored is not None and not all(c.holds(stored) for c in entry.change.conditions):
            raise ConflictError("A row is not as an earlier write of this transaction expects it.")
        return Pending(before=stored, after=before, looked_at=looked_at)

    # The commit

    def commit(self, client: Client) -> None:
        """Make all writes, or none.

        Raises:
            IntegrityError: an item to insert exists.
            ConflictError: an item has changed since it was read, or is not as expected.
            DataError: there are more than `MAX_ITEMS` writes, or an item is too large.
        """
        writes = [
            (key, write)
            for key, entry in self.pending.items()
            if (write := write_request(client.table, key, entry)) is not None
        ]
        if len(writes) > MAX_ITEMS:
            raise DataError(
                f"The transaction writes {len(writes)} items, and DynamoDB takes {MAX_ITEMS} at "
                "once: write less in one atomic block."
            )
        if not writes:
            return
        try:
            if len(writes) == 1:
                _single(client, writes[0][1])
            else:
                # With one token for all attempts, a retry after a lost answer writes nothing.
                client.call(
                    "transact_write_items",
                    TransactItems=[each for _, each in writes],
                    ClientRequestToken=str(uuid4()),
                )
        except ConditionFailedError as error:
            self._explain(error, [key for key, _ in writes])

    def _explain(self, error: ConditionFailedError, keys: list[Key]) -> None:
        failed = [keys[place] for place in error.failures]
        if error.retried and all(
            self._is_done(key, item)
            for key, item in zip(failed, error.failures.values(), strict=True)
        ):
            # An earlier attempt succeeded, and its answer was lost.
            return
        inserts = [key for key in failed if self.pending[key].must_be_absent]
        if inserts:
            raise _duplicate(inserts[0]) from error
        raise ConflictError(
            "Somebody else changed or deleted a row that this transaction relies on; nothing was "
            "written."
        ) from error

    def _is_done(self, key: Key, item: Item) -> bool:
        entry = self.pending[key]
        if entry.change is not None:
            return (
                not entry.change.additions
                and bool(item)
                and all(item.get(name) == value for name, value in entry.change.values.items())
            )
        return item == (entry.after or {})


def _duplicate(key: Key) -> IntegrityError:
    what = key[0].removeprefix(UNIQUE) if key[1] == UNIQUE else f"{key[0]} / {key[1]}"
    return IntegrityError(f"There is one already: {what}")


_OPERATIONS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


def _single(client: Client, write: dict[str, Any]) -> None:
    ((kind, arguments),) = write.items()
    client.call(_OPERATIONS[kind], **arguments)
