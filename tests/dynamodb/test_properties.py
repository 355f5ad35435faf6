"""The same calls in the same order have the same results on SQLite and on DynamoDB."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, NotSupportedError, transaction
from django.db.models import F, Q
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moca.dynamodb.base import DatabaseWrapper
from tests.dynamodb.conftest import as_default, empty, sqlite
from tests.dynamodb.models import Note, Parcel

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "30"))
SHRINKING = [Phase.shrink] if "TEST_EXAMPLES" in os.environ else []

DAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
IDS = [f"{owner[0]}{number}" for owner in ("ann", "bob") for number in range(5)]
OWNERS = {"a": "ann", "b": "bob"}

numbers = st.integers(-3, 3)
values: dict[str, st.SearchStrategy[Any]] = {
    "code": st.sampled_from([None, None, None, "c1", "c2", "c3"]),
    "state": st.sampled_from(["new", "sent"]),
    "weight": numbers,
    "pieces": st.none() | numbers,
    "note": st.sampled_from(["", "a", "ab", "b a", "zeta", "x_%", "50%"]),
    "due": st.none() | st.integers(0, 4).map(lambda days: DAY + timedelta(days=days)),
    "fragile": st.booleans(),
}
ids = st.sampled_from(IDS)
present = {
    name: strategy.filter(lambda value: value is not None) for name, strategy in values.items()
}
present |= {"id": ids, "owner": st.sampled_from(["ann", "bob", "cid"])}
SORTED = ("id", "owner", "weight", "pieces", "note", "due")


class UndoError(Exception):
    """Ends a block."""


@dataclass
class Call:
    """Something done to the database; `what` in words, for a failure's report."""

    what: str
    do: Callable[[], Any] = field(repr=False)


# Conditions


def compared(names: tuple[str, ...], lookups: tuple[str, ...]) -> st.SearchStrategy[Q]:
    return st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.sampled_from(lookups), present[name]).map(
            lambda found: Q(**{f"{name}__{found[0]}": found[1]})
        )
    )


def listed(name: str) -> st.SearchStrategy[Q]:
    return st.lists(present[name], max_size=4).map(lambda found: Q(**{f"{name}__in": found}))


def ranged(name: str) -> st.SearchStrategy[Q]:
    return st.tuples(present[name], present[name]).map(lambda ends: Q(**{f"{name}__range": ends}))


leaves = st.one_of(
    compared(tuple(present), ("exact",)),
    compared(SORTED, ("lt", "lte", "gt", "gte")),
    compared(("note", "id", "code"), ("icontains", "startswith", "endswith", "iexact")),
    st.sampled_from(tuple(present)).flatmap(listed),
    st.sampled_from(SORTED).flatmap(ranged),
    st.tuples(st.sampled_from(["code", "pieces", "due"]), st.booleans()).map(
        lambda found: Q(**{f"{found[0]}__isnull": found[1]})
    ),
    st.sampled_from([Q(weight=F("pieces")), Q(weight__lt=F("pieces") + 1), ~Q(pieces=F("weight"))]),
    st.just(Q(note__regex="^[a-z]+$")),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] ^ pair[1]),
        inner.map(lambda one: ~one),
    ),
    max_leaves=4,
)
keys = ids.map(lambda id_: Q(owner=OWNERS[id_[0]], id=id_))
# As the application asks: by owner, by key, by an index; and whatever else there is.
conditions = st.one_of(
    keys,
    st.tuples(keys, trees).map(lambda pair: pair[0] & pair[1]),
    st.tuples(st.sampled_from(["ann", "bob"]), trees).map(lambda p: Q(owner=p[0]) & p[1]),
    st.tuples(st.just(Q(state="sent", due__isnull=False)), trees).map(lambda p: p[0] & p[1]),
    trees,
    st.just(Q()),
)


# Calls


def creates(found: tuple[str, dict[str, Any]]) -> Call:
    id_, fields = found
    given_ = {"id": id_, "owner": OWNERS[id_[0]], **fields}
    return Call(f"create {given_}", lambda: Parcel.objects.create(**given_).pk)


def gets_or_creates(found: tuple[str, dict[str, Any]]) -> Call:
    id_, fields = found
    key = {"id": id_, "owner": OWNERS[id_[0]]}
    return Call(
        f"get or create {key}, {fields}",
        lambda: shown(*Parcel.objects.get_or_create(**key, defaults=fields)),
    )


def shown(parcel: Parcel, is_new: bool) -> tuple[Any, ...]:
    return parcel.pk, parcel.weight, parcel.code, parcel.note, is_new


def saves(found: tuple[str, dict[str, Any], bool]) -> Call:
    id_, fields, names_key = found

    def save() -> None:
        owner = {"owner": OWNERS[id_[0]]} if names_key else {}
        parcel = Parcel.objects.get(id=id_, **owner)
        for name, value in fields.items():
            setattr(parcel, name, value)
        parcel.save()

    return Call(f"save {id_}: {fields}", save)


def updates(found: tuple[Q, dict[str, Any]]) -> Call:
    condition, fields = found
    return Call(
        f"update {condition}: {fields}", lambda: Parcel.objects.filter(condition).update(**fields)
    )


def deletes(condition: Q) -> Call:
    return Call(f"delete {condition}", lambda: Parcel.objects.filter(condition).delete()[0])


def deletes_one(id_: str) -> Call:
    return Call(f"delete {id_}", lambda: Parcel.objects.get(id=id_).delete()[0])


def notes(found: tuple[str, int]) -> Call:
    id_, rank = found

    def note() -> None:
        if Parcel.objects.filter(id=id_).exists():
            Note.objects.create(text=id_, rank=rank, parcel_id=id_)

    return Call(f"note {id_}", note)


def read(reading: tuple[str, Q, bool, tuple[str, ...], int | None]) -> Call:
    how, condition, excludes, order, limit = reading

    def do() -> Any:
        rows = Parcel.objects.exclude(condition) if excludes else Parcel.objects.filter(condition)
        rows = rows.order_by(*order)
        return READINGS[how](rows if limit is None else rows[:limit], bool(order))

    kept = "exclude" if excludes else "filter"
    return Call(f"{how} of {kept} {condition} order {order} limit {limit}", do)


def in_order(rows: Any, is_ordered: bool) -> list[Any]:
    found = list(rows.values_list("id", "weight", "pieces", "note", "due", "code", "fragile"))
    return found if is_ordered else sorted(found, key=str)


READINGS: dict[str, Callable[[Any, bool], Any]] = {
    "list": in_order,
    "ids": lambda rows, is_ordered: [
        parcel.pk for parcel in (rows if is_ordered else sorted(rows, key=lambda each: each.pk))
    ],
    "count": lambda rows, _: rows.count(),
    "exists": lambda rows, _: rows.exists(),
    "first": lambda rows, is_ordered: (found := rows.first()) and found.pk if is_ordered else None,
    "get": lambda rows, _: rows.get().pk,
    "notes": lambda rows, _: sorted(
        Note.objects.filter(parcel__in=[each.pk for each in rows]).values_list("text", "rank")
    ),
}

fields = st.fixed_dictionaries({}, optional=values)
changes = st.one_of(
    fields.filter(bool),
    st.builds(lambda number: {"weight": F("weight") + number}, numbers),
    st.builds(lambda number: {"weight": F("pieces") * 2 - number}, numbers),
    st.builds(lambda note: {"pieces": F("weight"), "note": note}, values["note"]),
)
orders = st.sampled_from(
    [
        *[(), (), ("id",), ("-id",), ("owner", "id"), ("weight", "id"), ("-pieces", "id")],
        *[("due", "-id"), ("-note", "id"), ("-owner", "-id")],
    ]
)
reads = st.tuples(
    st.sampled_from(sorted(READINGS)),
    conditions,
    st.sampled_from([False, False, True]),
    orders,
    st.sampled_from([None, None, 1, 2, 5]),
).map(
    # What a slice without an order holds, nobody knows.
    lambda found: read(found if found[3] else (*found[:4], None))
)
writes = st.one_of(
    st.tuples(ids, fields).map(creates),
    st.tuples(ids, fields).map(creates),
    st.tuples(ids, fields).map(gets_or_creates),
    st.tuples(ids, fields, st.booleans()).map(saves),
    st.tuples(conditions, changes).map(updates),
    conditions.map(deletes),
    ids.map(deletes_one),
    st.tuples(ids, numbers).map(notes),
)
single = st.one_of(writes, reads)


def block(found: tuple[list[Call], bool]) -> Call:
    """Calls in one `atomic()`, which is undone at its end or not."""
    calls, undone = found

    def do() -> list[Any]:
        results = []
        with suppress(UndoError), transaction.atomic():
            results = [result(call) for call in calls]
            if undone:
                raise UndoError
        return results

    inner = "; ".join(call.what for call in calls)
    return Call(f"{'undone ' if undone else ''}block [{inner}]", do)


blocks = st.recursive(
    st.tuples(st.lists(single, min_size=1, max_size=4), st.booleans()).map(block),
    lambda inner: st.tuples(
        st.lists(st.one_of(single, inner), min_size=1, max_size=5), st.booleans()
    ).map(block),
    max_leaves=3,
)
scripts = st.tuples(
    st.lists(st.tuples(ids, fields).map(creates), min_size=3, max_size=6),
    st.lists(st.one_of(single, single, blocks), min_size=1, max_size=8),
).map(lambda parts: [*parts[0], *parts[1]])


def result(call: Call) -> Any:
    """What a call gives, or that there is no such row."""
    try:
        return call.do()
    except (ObjectDoesNotExist, Parcel.MultipleObjectsReturned) as error:
        return type(error).__name__


def outcome(call: Call) -> Any:
    """What a call in a block of its own comes to."""
    try:
        with transaction.atomic():
            return result(call)
    except IntegrityError:
        return "IntegrityError"


def state() -> tuple[Any, ...]:
    parcels = Parcel.objects.order_by("id").values_list()
    return list(parcels), sorted(Note.objects.values_list("text", "rank"))


def autonomous(call: Call) -> Any:
    try:
        return result(call)
    except IntegrityError:
        return "IntegrityError"


@pytest.mark.parametrize("run", [autonomous, outcome], ids=["autocommit", "atomic"])
def test_results_are_those_of_sqlite(dynamodb: DatabaseWrapper, run: Callable[[Call], Any]) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, *SHRINKING],
    )
    @given(scripts)
    def same(script: list[Call]) -> None:
        empty(dynamodb)
        with sqlite(Parcel, Note) as other:
            for call in script:
                try:
                    ours = run(call)
                except NotSupportedError:
                    seen["refused"] += 1
                    continue
                with as_default(other):
                    theirs = run(call)
                if theirs == "IntegrityError" and "undone" in call.what:
                    # SQLite sees it at once, and DynamoDB at an end that is never reached.
                    return
                seen["compared"] += 1
                assert ours == theirs, call.what
            ours = state()
            with as_default(other):
                assert ours == state()

    same()
    assert seen["compared"] > 4 * seen["refused"], seen
