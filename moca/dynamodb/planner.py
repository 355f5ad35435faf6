"""Plans how to read the rows of a query, from its table, conditions and order; pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import NotSupportedError

from moca.dynamodb.client import no_scan
from moca.dynamodb.codec import key_text
from moca.dynamodb.layout import Index, Key, Part, Table, Template, combinations

# The most keys, and the most partitions, that one query may read.
MAX_KEYS = 1000
MAX_PARTITIONS = 100
# The size of a sort key (1,024 bytes), less some for the rest of a template.
MAX_KEY_BYTES = 900

# A field's name, and whether the order is descending.
Order = tuple[str, bool]


@dataclass(slots=True)
class Terms:
    """What a query's conditions require of single fields; all of it must hold.

    Attributes:
        values: by field, the values that it may have.
        ranges: by field, comparisons that must hold: `>`, `>=`, `<`, `<=` or `^` (begins with).
        present: the fields that must not be null.
        alternatives: for each OR, the terms of its branches.
    """

    values: dict[str, list[Any]] = field(default_factory=dict)
    ranges: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    alternatives: list[list["Terms"]] = field(default_factory=list)

    def narrow(self, name: str, values: Sequence[Any]) -> None:
        """Restrict a field to these values, and to the values that it may have so far."""
        found: list[Any] = []
        for value in values:
            # A list, because some values cannot be hashed.
            if value is not None and value not in found:
                found.append(value)
        if name in self.values:
            found = [value for value in self.values[name] if value in found]
        self.values[name] = found

    @property
    def is_empty(self) -> bool:
        """Whether no row can meet the conditions."""
        return any(not values for values in self.values.values())

    def single(self, name: str) -> bool:
        return len(self.values.get(name, ())) == 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in words; if it compares a field, also the field's name and the operator."""

    words: str
    name: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row can meet the conditions, so nothing is read."""

    def __str__(self) -> str:
        return "Nothing: no row can meet the conditions"


@dataclass(frozen=True, slots=True)
class Get:
    """Read items by their keys."""

    keys: tuple[Key, ...]

    def __str__(self) -> str:
        if len(self.keys) == 1:
            return f"GetItem {self.keys[0][0]} / {self.keys[0][1]}"
        return f"BatchGetItem of {len(self.keys)} keys"


@dataclass(frozen=True, slots=True)
class GetUnique:
    """Read rows by a unique value: first its marker item, then the row."""

    markers: tuple[Key, ...]

    def __str__(self) -> str:
        markers = " | ".join(marker for marker, _ in self.markers)
        return f"GetItem {markers}, then GetItem of the row"


@dataclass(frozen=True, slots=True)
class Query:
    """Read items of partitions, in the order of the sort key.

    Attributes:
        index: the index, or None for the table.
        partitions: the partition keys. Each is a query; their rows are merged in order.
        prefix: the text that the sort keys begin with.
        low, high: the inclusive bounds of the sort key; empty if there are none.
        edges: how many of the bounds the conditions exclude.
        descending: whether the order is descending.
        order: the fields by which the sort key sorts; empty if the sort key is fixed.
        covered: the comparisons on which the keys alone decide: fields, each with `=` for what it
            equals and `<` for ranges.
        reads_index: whether the index alone is read, which may lag behind the rows.
    """

    index: Index | None
    partitions: tuple[str, ...]
    prefix: str
    low: str = ""
    high: str = ""
    edges: int = 0
    descending: bool = False
    order: tuple[str, ...] = ()
    covered: frozenset[tuple[str, str]] = frozenset()
    reads_index: bool = False

    def __str__(self) -> str:
        keys = self.index.keys if self.index else ("PK", "SK")
        where = f"index {self.index.name}" if self.index else "table"
        partitions = " | ".join(self.partitions)
        sort = f"{keys[1]} begins with {self.prefix!r}" if self.prefix else ""
        if self.low and self.low == self.high:
            sort = f"{keys[1]} = {self.low!r}"
        elif self.low or self.high:
            sort = f"{keys[1]} from {self.low!r} to {self.high!r}"
        parts = [f"Query {where}, {keys[0]} = {partitions}", sort]
        if self.descending:
            parts.append("descending")
        if len(self.partitions) > 1 and self.order:
            parts.append("merged")
        if self.index:
            parts.append("keys only" if self.reads_index else "then BatchGetItem of the rows")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run a query.

    Attributes:
        source: what to read.
        filters: the conditions to test in memory, in words.
        sort: the order to sort by in memory; empty if the source has the wanted order.
        offset: the number of rows to skip.
        limit: the number of rows to return, or None for all.
    """

    source: Nothing | Get | GetUnique | Query
    filters: str = ""
    sort: tuple[Order, ...] = ()
    offset: int = 0
    limit: int | None = None

    def lines(self) -> Iterator[str]:
        """The plan in words, one line for each step."""
        yield str(self.source)
        if self.filters:
            yield f"filter in memory: {self.filters}"
        if self.sort:
            names = ", ".join(f"-{name}" if down else name for name, down in self.sort)
            yield f"sort in memory by {names}"
        if self.offset:
            yield f"skip {self.offset} rows"
        if self.limit is not None:
            yield f"stop after {self.limit} rows"


def plan(
    table: Table,
    terms: Terms,
    order: Sequence[Order] = (),
    *,
    conditions: Sequence[Condition] = (),
    offset: int = 0,
    limit: int | None = None,
) -> Plan:
    """Plan how to read the rows that meet conditions.

    Args:
        table: the model's table.
        terms: what the conditions require of single fields.
        order: the wanted order.
        conditions: all conditions; those that the keys do not decide are tested in memory.
        offset: the number of rows to skip.
        limit: the number of rows to return, or None for all.

    Raises:
        NotSupportedError: the query would have to read too many unrelated rows; the message names
            the missing filter or index.
    """
    if terms.is_empty or _asks_for_no_key(table, terms):
        return Plan(Nothing())
    if terms.single(table.pk) and not offset:
        limit = 1 if limit is None else min(limit, 1)
    # One row needs no order, and a field with one value does not affect it.
    is_one = terms.single(table.pk)
    wanted = tuple((name, down) for name, down in order if not (is_one or terms.single(name)))
    source = _by_key(table, terms)
    if source is not None:
        keys = table.key_names if isinstance(source, Get) else frozenset[str]()
        left = _left(conditions, frozenset((name, "=") for name in keys))
        return Plan(source, left, wanted, offset, limit)
    candidates = _candidates(table, terms)
    if any(each.low > each.high for each in candidates):
        return Plan(Nothing())
    for each in candidates:
        if limit is None and len(each.covered) < len(candidates[0].covered):
            # All rows are wanted, and the best candidate reads fewer unwanted ones.
            break
        if (descending := _direction(each, wanted)) is not None:
            left = _left(conditions, each.covered)
            return Plan(replace(each, descending=descending), left, (), offset, limit)
    if table.is_strict and (limit is not None or offset):
        names = ", ".join(name for name, _ in wanted)
        ways = " or ".join(sorted({", ".join(each.order) or table.pk for each in candidates}))
        raise no_scan(
            table.name,
            f"Its first rows by {names} are known only when all are read: order by {ways}, or "
            "take all.",
        )
    left = _left(conditions, candidates[0].covered)
    return Plan(candidates[0], left, wanted, offset, limit)


def from_index(table: Table, chosen: Plan, needed: frozenset[str]) -> Plan:
    """The plan, but with an index read alone; see `moca.dynamodb.queries.from_index()`.

    Args:
        table: the model's table.
        chosen: the plan.
        needed: the fields that the query looks at, its conditions and order among them.

    Raises:
        NotSupportedError: the index does not have these fields, or none would be read.
    """
    source = chosen.source
    if isinstance(source, Nothing):
        return chosen
    if not isinstance(source, Query) or source.index is None:
        raise NotSupportedError(
            f"No index of {table.name} has these rows, so from_index() cannot read one alone: "
            f"the plan is {source}. Leave from_index() out."
        )
    if missing := needed - table.fields_in(source.index):
        raise NotSupportedError(
            f"The keys of the index {source.index.name} of {table.name} do not hold "
            f"{', '.join(sorted(missing))}: leave these out, or from_index()."
        )
    return replace(chosen, source=replace(source, reads_index=True))


def _asks_for_no_key(table: Table, terms: Terms) -> bool:
    """Whether the conditions allow only values that no key can have: empty or too long ones."""
    for name in table.key_names:
        values = terms.values.get(name)
        if values is not None and not any(fits_key(table, name, value) for value in values):
            return True
        if any(value == "" for operator, value in terms.ranges.get(name, ()) if "<" in operator):
            return True
    return False


def fits_key(table: Table, name: str, value: Any) -> bool:
    """Whether a value fits in a key."""
    text = key_text(table.fields[name], value)
    return 0 < len(text.encode()) <= MAX_KEY_BYTES


def _left(conditions: Sequence[Condition], covered: frozenset[tuple[str, str]]) -> str:
    """The conditions that remain to be tested in memory, in words."""
    kinds = {"=": "=", "in": "=", **dict.fromkeys(["<", "<=", ">", ">="], "<")}
    return " AND ".join(
        each.words
        for each in conditions
        if (each.name, kinds.get(each.operator, "")) not in covered
    )


def _by_key(table: Table, terms: Terms) -> Get | GetUnique | None:
    if keys := keys_of(table, terms) or _alternative_keys(table, terms):
        return Get(tuple(keys))
    if markers := _markers(table, terms):
        return GetUnique(tuple(markers))
    return None


def _candidates(table: Table, terms: Terms) -> list[Query]:
    """The queries that find all rows that the conditions allow, the best first.

    The table comes before its indexes, because these lag behind it. Among indexes, the one whose
    keys cover more conditions comes first.
    """
    found = [_query(table, index, terms) for index in (None, *table.layout.indexes)]
    candidates = [source for source in found if source is not None]
    if not candidates:
        raise no_scan(table.name, f"Filter by {_ways(table)}.")
    return sorted(candidates, key=lambda each: (each.index is not None, -len(each.covered)))


def keys_of(table: Table, terms: Terms) -> list[Key]:
    """The keys of all rows that the conditions allow, or none if they do not name the keys."""
    layout = table.layout
    partitions = _texts(table, layout.partition, terms)
    sorts = _texts(table, layout.sort, terms)
    if partitions is None or sorts is None or not (layout.partition.names | layout.sort.names):
        return []
    shared = layout.partition.names & layout.sort.names
    if len(partitions) * len(sorts) > MAX_KEYS:
        raise no_scan(table.name, f"It names more than {MAX_KEYS} keys: ask for fewer at a time.")
    if shared and len(sorts) > 1:
        return []
    return [(partition, sort) for partition in partitions for sort in sorts]


def _alternative_keys(table: Table, terms: Terms) -> list[Key]:
    """The keys that the branches of an OR name, or none unless each branch names keys."""
    for branches in terms.alternatives:
        keys = [keys_of(table, _both(terms, branch)) for branch in branches]
        if all(keys):
            return list(dict.fromkeys(key for found in keys for key in found))
    return []


def _both(terms: Terms, branch: Terms) -> Terms:
    both = Terms(dict(terms.values))
    for name, values in branch.values.items():
        both.narrow(name, values)
    return both


def _markers(table: Table, terms: Terms) -> list[Key]:
    for names in table.unique:
        if all(name in terms.values for name in names):
            options = [terms.values[name] for name in names]
            return [table.marker(names, values) for values in combinations(options)]
    return []


def _query(table: Table, index: Index | None, terms: Terms) -> Query | None:
    """A query that finds all rows that the conditions allow, or None if there is none."""
    layout = table.layout
    partition, sort = index.templates if index else (layout.partition, layout.sort)
    if index and not _stands_in(table, index, terms):
        return None
    partitions = _texts(table, partition, terms, enumerate_domain=True)
    if partitions is None or len(partitions) > MAX_PARTITIONS:
        return None
    fixed: list[str] = []
    for part in sort.parts:
        texts = _part_texts(table, part, terms)
        if texts is None or len(texts) != 1:
            break
        fixed += texts
    rest = sort.parts[len(fixed) :]
    prefix = sort.fill(fixed)
    # Texts of different lengths sort like the values only if nothing follows them in the key.
    is_sorted = len(rest) == 1 and not (rest[0].path or rest[0].shards or sort.literals[-1])
    order = (rest[0].name,) if is_sorted else ()
    low, high = "", ""
    if is_sorted:
        low, high = _bounds(table, rest[0], terms, prefix)
    elif not rest:
        low = high = prefix
    exact = {part.label for part in partition.parts if not part.shards} & terms.values.keys()
    exact |= {part.name for part in sort.parts[: len(fixed)]} | set(index.when if index else ())
    covered = {(name, "=") for name in exact}
    edges = 0
    if rest and (low or high):
        covered.add((rest[0].name, "<"))
        edges = sum(operator in "<>" for operator, _ in terms.ranges.get(rest[0].name, ()))
    return Query(
        index, tuple(partitions), prefix, low, high, edges, order=order, covered=frozenset(covered)
    )


def _stands_in(table: Table, index: Index, terms: Terms) -> bool:
    """Whether the index has every row that the conditions allow."""
    for name, value in index.when.items():
        if terms.values.get(name) != [value]:
            return False
    return all(_has_value(terms, name) for name in index.names if _may_be_empty(table, name))


def _may_be_empty(table: Table, name: str) -> bool:
    """Whether rows may lack the field; such rows are not in an index on it."""
    field_ = table.fields[name]
    return field_.null or (field_.blank and not field_.primary_key)


def _has_value(terms: Terms, name: str) -> bool:
    """Whether the conditions allow only rows that have the field."""
    paths = (each.partition(".")[0] for each in terms.values)
    return name in terms.present or name in terms.ranges or name in paths


def _bounds(table: Table, part: Part, terms: Terms, prefix: str) -> tuple[str, str]:
    """The lowest and the highest sort key that the conditions allow; empty if unbounded."""
    low = high = ""
    comparisons = list(terms.ranges.get(part.name, ()))
    if values := terms.values.get(part.name):
        # For several values: from the lowest to the highest.
        comparisons += [(">=", min(values)), ("<=", max(values))]
    for operator, value in comparisons:
        text = part.text(table.fields, value)
        if text is None:
            continue
        # No key is longer than this, so cutting the bound does not change what it admits.
        key = prefix + text[:MAX_KEY_BYTES]
        if operator in (">", ">=", "^"):
            low = max(low, key)
        if operator in ("<", "<="):
            high = min(high or key, key)
        if operator == "^":
            high = min(high or key + "\U0010ffff", key + "\U0010ffff")
    if (low or high) and not (low and high):
        low, high = low or prefix, high or prefix + "\U0010ffff"
    return low, high


def _texts(
    table: Table, template: Template, terms: Terms, *, enumerate_domain: bool = False
) -> list[str] | None:
    options = []
    for part in template.parts:
        texts = _part_texts(table, part, terms)
        if texts is None and enumerate_domain:
            texts = table.domain(part)
        if texts is None:
            return None
        options.append(texts)
    return list(dict.fromkeys(template.fill(texts) for texts in combinations(options)))


def _part_texts(table: Table, part: Part, terms: Terms) -> list[str] | None:
    values = terms.values.get(part.label)
    if values is None:
        return None
    if part.path:
        return [str(value) for value in values]
    if part.name in table.key_names:
        values = [value for value in values if fits_key(table, part.name, value)]
    texts = [part.text(table.fields, value) for value in values]
    return list(dict.fromkeys(text for text in texts if text is not None))


def _direction(source: Query, wanted: Sequence[Order]) -> bool | None:
    """Whether to read backwards for this order, or None if reading cannot give it."""
    if not wanted:
        return False
    names = [name for name, _ in wanted]
    directions = {down for _, down in wanted}
    if len(directions) == 1 and names == list(source.order[: len(names)]):
        return directions.pop()
    return None


def _ways(table: Table) -> str:
    """The filters that make a query possible, in words."""
    ways = [" and ".join(sorted(table.layout.partition.names))]
    ways += [" and ".join(names) for names in table.unique]
    for index in table.layout.indexes:
        needed = {p.name for p in index.templates[0].parts if table.domain(p) is None}
        needed |= {f"{name}={value!r}" for name, value in index.when.items()}
        needed |= {name for name in index.names if table.fields[name].null} - set(index.when)
        ways.append(" and ".join(sorted(needed)))
    return ", or by ".join(dict.fromkeys(way for way in ways if way)) or table.pk
