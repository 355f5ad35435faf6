"""Plans: how the rows of a query are read. Pure: a table, conditions and an order give a plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import NotSupportedError

from moca.dynamodb.client import no_scan
from moca.dynamodb.codec import key_text
from moca.dynamodb.layout import Index, Key, Part, Table, Template, combinations

# Keys or partitions that one query may read.
MAX_KEYS = 1000
MAX_PARTITIONS = 100
# What a sort key holds, less some for the rest of a template.
MAX_KEY_BYTES = 900

# A field's name and whether it descends.
Order = tuple[str, bool]


@dataclass(slots=True)
class Terms:
    """What a query's conditions say about single fields, all of which must hold.

    Attributes:
        values: the values that a field may have.
        ranges: comparisons that a field must pass: `>`, `>=`, `<`, `<=` or `^` (begins with).
        present: fields that are not null.
        alternatives: for an OR, what each of its branches says.
    """

    values: dict[str, list[Any]] = field(default_factory=dict)
    ranges: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    alternatives: list[list["Terms"]] = field(default_factory=list)

    def narrow(self, name: str, values: Sequence[Any]) -> None:
        """Let a field have these values only, of those it may have so far."""
        found: list[Any] = []
        for value in values:
            # Some values of fields cannot be hashed.
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
    """One of the conditions that must all hold: in words and, if it compares a field, how."""

    words: str
    name: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row can meet the conditions."""

    def __str__(self) -> str:
        return "Nothing: no row can meet the conditions"


@dataclass(frozen=True, slots=True)
class Get:
    """Items by their keys."""

    keys: tuple[Key, ...]

    def __str__(self) -> str:
        if len(self.keys) == 1:
            return f"GetItem {self.keys[0][0]} / {self.keys[0][1]}"
        return f"BatchGetItem of {len(self.keys)} keys"


@dataclass(frozen=True, slots=True)
class GetUnique:
    """The row that has a unique value, by the item that stands for the value."""

    markers: tuple[Key, ...]

    def __str__(self) -> str:
        markers = " | ".join(marker for marker, _ in self.markers)
        return f"GetItem {markers}, then GetItem of the row"


@dataclass(frozen=True, slots=True)
class Query:
    """Items of partitions, in the order of the sort key.

    Attributes:
        index: None for the table itself.
        partitions: each is a query; their rows are merged in order.
        prefix: with what the sort keys begin.
        low, high: bounds of the sort key, both included; empty for none.
        edges: how many of the bounds are not wanted themselves.
        descending: the order.
        order: the fields by which the sort key sorts; empty where it is fixed.
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
    """How a query is run.

    Attributes:
        source: what is read.
        filters: conditions that are looked at in memory, in words.
        sort: order that is made in memory; empty where the source has it.
        offset: rows to skip.
        limit: how many rows are wanted; None for all.
    """

    source: Nothing | Get | GetUnique | Query
    filters: str = ""
    sort: tuple[Order, ...] = ()
    offset: int = 0
    limit: int | None = None

    def lines(self) -> Iterator[str]:
        """The plan in words, a line a step."""
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
        terms: what the conditions say about single fields.
        order: the order wanted.
        conditions: all that must hold; what the keys do not decide is looked at in memory.
        offset: rows to skip.
        limit: how many rows are wanted; None for all.

    Raises:
        NotSupportedError: there is no way but to read rows that are of no concern; the message
            says which filter or index is missing.
    """
    if terms.is_empty or _asks_for_no_key(table, terms):
        return Plan(Nothing())
    if terms.single(table.pk) and not offset:
        limit = 1 if limit is None else min(limit, 1)
    # One row needs no sorting, and what has one value only does not sort anything.
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
            # All are wanted, and the best one has fewer rows besides.
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
    """Whether the conditions ask for what no key can hold: nothing, or more than fits in."""
    for name in table.key_names:
        values = terms.values.get(name)
        if values is not None and not any(fits_key(table, name, value) for value in values):
            return True
        if any(value == "" for operator, value in terms.ranges.get(name, ()) if "<" in operator):
            return True
    return False


def fits_key(table: Table, name: str, value: Any) -> bool:
    """Whether a value can stand in a key."""
    text = key_text(table.fields[name], value)
    return 0 < len(text.encode()) <= MAX_KEY_BYTES


def _left(conditions: Sequence[Condition], covered: frozenset[tuple[str, str]]) -> str:
    """The conditions that are left to be looked at, in words."""
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
    """The queries that hold all rows which the conditions allow, the best first.

    The table comes before its indexes, which lag behind it; of those, the one that knows more.
    """
    found = [_query(table, index, terms) for index in (None, *table.layout.indexes)]
    candidates = [source for source in found if source is not None]
    if not candidates:
        raise no_scan(table.name, f"Filter by {_ways(table)}.")
    return sorted(candidates, key=lambda each: (each.index is not None, -len(each.covered)))


def keys_of(table: Table, terms: Terms) -> list[Key]:
    """The keys of all rows that the conditions allow, if they name them."""
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
    """The keys that the branches of an OR name, if each names its own."""
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
    """A query that holds all rows which the conditions allow; None where there is none."""
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
    # Texts of unequal length sort as the values do only where nothing follows them.
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
    """Whether every row that the conditions allow stands in the index."""
    for name, value in index.when.items():
        if terms.values.get(name) != [value]:
            return False
    return all(_has_value(terms, name) for name in index.names if _may_be_empty(table, name))


def _may_be_empty(table: Table, name: str) -> bool:
    """Whether rows may lack the field, and with it their place in an index."""
    field_ = table.fields[name]
    return field_.null or (field_.blank and not field_.primary_key)


def _has_value(terms: Terms, name: str) -> bool:
    """Whether the conditions allow only rows that have the field."""
    paths = (each.partition(".")[0] for each in terms.values)
    return name in terms.present or name in terms.ranges or name in paths


def _bounds(table: Table, part: Part, terms: Terms, prefix: str) -> tuple[str, str]:
    """The least and the greatest sort key that the conditions allow; empty for none."""
    low = high = ""
    comparisons = list(terms.ranges.get(part.name, ()))
    if values := terms.values.get(part.name):
        # One of several: from the least to the greatest of them.
        comparisons += [(">=", min(values)), ("<=", max(values))]
    for operator, value in comparisons:
        text = part.text(table.fields, value)
        if text is None:
            continue
        # Longer than any key there is, and so no less far than the cut one.
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
    """Whether to read backwards for this order; None where it cannot be had so."""
    if not wanted:
        return False
    names = [name for name, _ in wanted]
    directions = {down for _, down in wanted}
    if len(directions) == 1 and names == list(source.order[: len(names)]):
        return directions.pop()
    return None


def _ways(table: Table) -> str:
    """What to filter by, in words."""
    ways = [" and ".join(sorted(table.layout.partition.names))]
    ways += [" and ".join(names) for names in table.unique]
    for index in table.layout.indexes:
        needed = {p.name for p in index.templates[0].parts if table.domain(p) is None}
        needed |= {f"{name}={value!r}" for name, value in index.when.items()}
        needed |= {name for name in index.names if table.fields[name].null} - set(index.when)
        ways.append(" and ".join(sorted(needed)))
    return ", or by ".join(dict.fromkeys(way for way in ways if way)) or table.pk
