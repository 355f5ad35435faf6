"""The same calls in the same order have the same results on SQLite and on DynamoDB."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, NotSupportedError, transaction
from django.db.models import F, Q
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moca.concurrency import ConflictError
from moca.dynamodb.base import DatabaseWrapper
from tests.dynamodb.conftest import as_default, empty, sqlite
from tests.dynamodb.models import Note, Parcel
from tests.examples import FACTOR, examples

EXAMPLES = examples(30)
SHRINKING = [Phase.shrink] if FACTOR > 1 else []

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


# Writes of the same few rows, in every order and way


HOT = ("a0", "a1")
hot_ids = st.sampled_from(HOT)
hot_fields = st.fixed_dictionaries(
    {"weight": numbers}, optional={"code": st.sampled_from([None, "c1", "c2"])}
)
MODELS: dict[str, tuple[type[Any], str]] = {"parcel": (Parcel, "weight"), "note": (Note, "rank")}


def row_of(kind: str, id_: str, found: dict[str, Any]) -> Any:
    if kind == "note":
        return Note(id=HOT.index(id_) + 1, text="n", rank=found["weight"])
    return Parcel(id=id_, owner="ann", state="new", **found)


def insert_of(row: Any) -> Any:
    row.save(force_insert=True)
    return row.pk


def insert_in_bulk(row: Any) -> Any:
    return len(type(row).objects.bulk_create([row]))


def forced_update(row: Any) -> Any:
    try:
        with transaction.atomic():
            row.save(force_update=True)
    except DatabaseError as error:
        # "Forced update did not affect any rows."
        if type(error) is not DatabaseError:
            raise
        return "no such row"
    return row.pk


def plain_save(row: Any) -> Any:
    row.save()
    return row.pk


def rows_of(row: Any) -> Any:
    return type(row).objects.filter(pk=row.pk)


def numbered(row: Any) -> dict[str, Any]:
    name = MODELS["note" if isinstance(row, Note) else "parcel"][1]
    return {name: getattr(row, name)}


def update_of(row: Any) -> Any:
    return rows_of(row).update(**numbered(row))


def expected_update(row: Any) -> Any:
    return rows_of(row).update_expected(**numbered(row))


def expected_update_or_insert(row: Any) -> Any:
    return rows_of(row).update_expected(missing=row, **numbered(row))


def conditional_update(row: Any) -> Any:
    ((name, value),) = numbered(row).items()
    return rows_of(row).filter(**{f"{name}__lt": value}).update(**{name: F(name) + 1})


def recode(row: Any) -> Any:
    if isinstance(row, Note):
        return rows_of(row).update(text="m")
    return rows_of(row).update(code=row.code)


def delete_of(row: Any) -> Any:
    return rows_of(row).delete()[0]


def delete_instance(row: Any) -> Any:
    return row.delete()[0]


def delete_all(row: Any) -> Any:
    return type(row).objects.all().delete()[0]


def discard_of(row: Any) -> Any:
    return rows_of(row).discard()


def look(row: Any) -> Any:
    found = type(row).objects.filter(pk=row.pk).first()
    return found and numbered(found)


HOT_CALLS = [
    *[insert_of, insert_of, insert_in_bulk, forced_update, plain_save, update_of],
    *[expected_update, expected_update_or_insert, conditional_update, recode],
    *[delete_of, delete_of, delete_instance, delete_all, discard_of, look],
]


def hot_call(found: tuple[Callable[[Any], Any], str, str, dict[str, Any]]) -> Call:
    do, kind, id_, given_ = found
    return Call(f"{do.__name__} {kind} {id_} {given_}", lambda: do(row_of(kind, id_, dict(given_))))


def hot_calls(kind: str) -> st.SearchStrategy[Call]:
    return st.tuples(st.sampled_from(HOT_CALLS), st.just(kind), hot_ids, hot_fields).map(hot_call)


def hot_blocks(kind: str) -> st.SearchStrategy[Call]:
    calls = hot_calls(kind)
    inner = st.tuples(st.lists(calls, min_size=1, max_size=3), st.booleans()).map(block)
    parts = st.lists(st.one_of(calls, calls, calls, inner), min_size=2, max_size=6)
    return st.tuples(parts, st.just(False)).map(block)


hot_scripts = st.sampled_from(sorted(MODELS)).flatmap(
    lambda kind: st.tuples(
        st.lists(
            st.tuples(st.just(insert_of), st.just(kind), hot_ids, hot_fields).map(hot_call),
            max_size=2,
        ),
        st.lists(hot_blocks(kind), min_size=1, max_size=3),
    ).map(lambda parts: [*parts[0], *parts[1]])
)


def refusable(call: Call) -> Any:
    """What a call in a block comes to; at which end of it it is refused is the database's."""
    try:
        with transaction.atomic():
            return result(call)
    except (IntegrityError, ConflictError):
        return "refused"


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


def test_writes_of_one_row_come_to_what_they_do_on_sqlite(dynamodb: DatabaseWrapper) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES * 5,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, *SHRINKING],
    )
    @given(hot_scripts)
    def same(script: list[Call]) -> None:
        empty(dynamodb)
        with sqlite(Parcel, Note) as other:
            for call in script:
                ours = refusable(call)
                with as_default(other):
                    theirs = refusable(call)
                if theirs == "refused" and "undone" in call.what:
                    # SQLite sees it at once, and DynamoDB at an end that is never reached.
                    return
                seen["refused" if theirs == "refused" else "made"] += 1
                assert ours == theirs, call.what
                ours = state()
                with as_default(other):
                    assert ours == state(), call.what

    same()
    assert min(seen["refused"], seen["made"]) > EXAMPLES, seen
