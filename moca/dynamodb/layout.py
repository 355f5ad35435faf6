"""Layouts: the keys of a model's rows, which the model declares beside its fields.

    class Trigger(models.Model):
        dynamodb = Layout("TRIGGER#{user_id}", "TRIGGER#{id}", indexes=[...])

A template is a text with names of fields in braces. `{event_config.eventSourceId}` means a key of a
JSON field, and `{id:4}` means one of four shards, chosen by a hash of the field. A model without a
layout gets a partition of its own, sorted by primary key.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from typing import Any

from django.apps import apps
from django.db import DataError
from django.db.models import Model, UniqueConstraint

from moca.dynamodb import codec
from moca.dynamodb.codec import Attribute, Item, MalformedError, key_text

PK, SK = "PK", "SK"
Key = tuple[str, str]
Row = dict[str, Any]

# Partition keys: of models without a layout, of unique values, and of the list of tables.
TABLE, UNIQUE, CATALOGUE = "TABLE#", "UNIQUE#", "CATALOGUE"
MAX_UNIQUE_TEXT = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A field in a template.

    Attributes:
        name: the field's name.
        path: the key within a JSON field, or empty.
        shards: the number of shards, or 0.
    """

    name: str
    path: str = ""
    shards: int = 0

    @property
    def label(self) -> str:
        """The name that conditions use for it."""
        return f"{self.name}.{self.path}" if self.path else self.name

    def text(self, fields: Mapping[str, Any], value: Any) -> str | None:
        """The value's text in the key, or None if there is no value."""
        if self.path:
            value = value.get(self.path) if isinstance(value, dict) else None
        if value is None or value == "":
            return None
        if self.shards:
            return str(zlib.crc32(str(value).encode()) % self.shards)
        return key_text(fields[self.name], value)


class Template:
    """A parsed key template."""

    def __init__(self, text: str) -> None:
        pieces = re.split(r"\{(\w+)(?:\.(\w+))?(?::(\d+))?\}", text)
        self.literals: list[str] = pieces[0::4]
        self.parts = [
            Part(name, path or "", int(shards or 0))
            for name, path, shards in zip(pieces[1::4], pieces[2::4], pieces[3::4], strict=True)
        ]
        self.names = frozenset(part.name for part in self.parts)

    def fill(self, texts: Sequence[str]) -> str:
        """The key's text with the texts of the parts; it ends after the last text given."""
        filled = self.literals[0]
        for text, literal in zip(texts, self.literals[1:], strict=False):
            filled += text + literal
        return filled

    def of(self, fields: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
        """The key's text for a row, or None if a part has no value."""
        texts = [part.text(fields, row.get(part.name)) for part in self.parts]
        return None if None in texts else self.fill([text for text in texts if text is not None])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("(.+)".join(map(re.escape, self.literals)) + r"\Z", re.DOTALL)


@dataclass(frozen=True)
class Index:
    """A global secondary index that has a model's rows.

    Attributes:
        name: the index's name in the table; models may share an index.
        partition: the template of its hash key.
        sort: the template of its range key.
        hash_key: the attribute of the hash key, or empty for `{name}PK`. An attribute of a field
            may serve.
        range_key: the attribute of the range key, or empty for `{name}SK`.
        when: the field values that a row must have to be in the index.
        projects_all: whether the index has whole items, for other programs. The backend reads rows
            from the table, because an index lags behind it.
    """

    name: str
    partition: str
    sort: str
    hash_key: str = ""
    range_key: str = ""
    when: Mapping[str, Any] = field(default_factory=dict)
    projects_all: bool = False

    @cached_property
    def keys(self) -> tuple[str, str]:
        return self.hash_key or f"{self.name}PK", self.range_key or f"{self.name}SK"

    @cached_property
    def templates(self) -> tuple[Template, Template]:
        return Template(self.partition), Template(self.sort)

    @cached_property
    def names(self) -> frozenset[str]:
        """The fields that the row's index keys depend on."""
        partition, sort = self.templates
        return partition.names | sort.names | frozenset(self.when)


@dataclass(frozen=True, slots=True)
class Absent:
    """How to compute a field of an item of another program, which lacks the attribute.

    Attributes:
        make: returns the value for an item.
        values: all values that it can return.
        looks_at: the attributes that it reads.
    """

    make: Callable[[Item], Any]
    values: frozenset[Any]
    looks_at: tuple[str, ...] = ()


class Layout:
    """The keys and attributes of a model's rows.

    Args:
        partition: the template of the partition key.
        sort: the template of the sort key. It ends with the primary key, unless the partition key
            has it.
        indexes: the indexes that have the rows.
        attributes: by field, the attribute's name if it is not the field's name in camelCase.
        absent: by field, how to compute it if the attribute is missing; the field's default else.
        malformed: called with a row and the names of its unreadable fields; may change the row.
    """

    def __init__(
        self,
        partition: str,
        sort: str,
        *,
        indexes: Sequence[Index] = (),
        attributes: Mapping[str, str] | None = None,
        absent: Mapping[str, Absent] | None = None,
        malformed: Callable[[Row, list[str]], None] | None = None,
    ) -> None:
        self.partition, self.sort = Template(partition), Template(sort)
        self.indexes = tuple(indexes)
        self.attributes = dict(attributes or {})
        self.absent = dict(absent or {})
        self.malformed = malformed


class Table:
    """The layout of a model combined with its fields: converts between rows and items."""

    def __init__(self, model: type[Model]) -> None:
        self.name = model._meta.db_table
        declared = _declared().get(self.name)
        # With a declared layout, queries may not read more rows than they return to sort or skip.
        self.is_strict = declared is not None
        self.layout = declared or _default(self.name, _pk_name(model))
        self.pk: str = _pk_name(model)
        self.fields: dict[str, Any] = {each.attname: each for each in model._meta.concrete_fields}
        self.by_column = {each.column: each.attname for each in model._meta.concrete_fields}
        # The prefix keeps them apart from declared attributes, which may be text keys of indexes.
        prefix = "" if declared else "_"
        self.attributes = {
            name: self.layout.attributes.get(name) or prefix + _camel(name) for name in self.fields
        }
        self._decoders = {
            name: (self.attributes[name], codec.decoder(field))
            for name, field in self.fields.items()
        }
        # The values of missing attributes, by field, if they do not depend on the item.
        self._empty = {
            name: value
            for name, field in self.fields.items()
            if not isinstance(value := codec.empty(field), list | dict)
            and name not in self.layout.absent
        }
        self._may_be_null = frozenset(
            name for name, field in self.fields.items() if codec.empty(field) in (None, "")
        )
        self.key_names = self.layout.partition.names | self.layout.sort.names
        self.unique = [names for names in _unique_sets(model) if names != (self.pk,)]
        self.unique_names = frozenset(name for names in self.unique for name in names)

    @cached_property
    def index_names(self) -> frozenset[str]:
        """The fields whose change moves a row within an index."""
        return frozenset().union(*(index.names for index in self.layout.indexes))

    def key(self, row: Mapping[str, Any]) -> Key:
        """The key of a row; DataError if a field of the key is empty."""
        partition = self.layout.partition.of(self.fields, row)
        sort = self.layout.sort.of(self.fields, row)
        if partition is None or sort is None:
            missing = sorted(name for name in self.key_names if row.get(name) in (None, ""))
            raise DataError(f"{self.name}: the key needs a value of {', '.join(missing)}.")
        return partition, sort

    def index_keys(self, row: Mapping[str, Any]) -> dict[str, Attribute | None]:
        """The index attributes of a row; None for an attribute that it must not have."""
        own = set(self.attributes.values())
        found: dict[str, Attribute | None] = {}
        for index in self.layout.indexes:
            texts: list[str | None] = [None, None]
            if all(row.get(name) == value for name, value in index.when.items()):
                texts = [template.of(self.fields, row) for template in index.templates]
            for attribute, text in zip(index.keys, texts, strict=True):
                if attribute not in own:
                    found[attribute] = None if None in texts else {"S": str(text)}
        return found

    def markers(self, row: Mapping[str, Any]) -> dict[tuple[str, ...], Key]:
        """The keys of a row's marker items, which keep its unique values unique, by field names."""
        found = {}
        for names in self.unique:
            values = [row.get(name) for name in names]
            if None not in values:
                found[names] = self.marker(names, values)
        return found

    def marker(self, names: tuple[str, ...], values: Sequence[Any]) -> Key:
        """The key of the marker item for a unique value."""
        texts = (key_text(self.fields[n], v) for n, v in zip(names, values, strict=True))
        value = "#".join(texts)
        if len(value.encode()) > MAX_UNIQUE_TEXT:
            value = hashlib.sha256(value.encode()).hexdigest()
        return f"{UNIQUE}{self.name}#{','.join(names)}#{value}", UNIQUE

    def encode(self, row: Mapping[str, Any]) -> Item:
        """The attributes of a row's fields, without those of keys and indexes."""
        found = {}
        for name, value in row.items():
            attribute = codec.encode(self.fields[name], value)
            if attribute is not None:
                found[self.attributes[name]] = attribute
        return found

    def item(self, row: Mapping[str, Any]) -> Item:
        """The whole item of a new row."""
        partition, sort = self.key(row)
        keys = {name: key for name, key in self.index_keys(row).items() if key is not None}
        return {PK: {"S": partition}, SK: {"S": sort}, **keys, **self.encode(row)}

    def row(self, item: Item, names: Sequence[str] | None = None) -> Row:
        """The field values of an item.

        Args:
            item: the item.
            names: the wanted fields, or None for all.
        """
        row: Row = {}
        broken = []
        for name in self.fields if names is None else names:
            attribute_name, decoder = self._decoders[name]
            attribute = item.get(attribute_name)
            # Other programs store null where this backend stores nothing.
            if attribute is None or ("NULL" in attribute and name in self._may_be_null):
                is_plain = name in self._empty and name not in self.key_names
                row[name] = self._empty[name] if is_plain else self.absent(name, item)
                continue
            try:
                row[name] = codec.read(decoder, attribute)
            except MalformedError:
                row[name] = self.absent(name, item)
                broken.append(name)
        if broken and self.layout.malformed:
            self.layout.malformed(row, broken)
        return row

    def holding(self, names: Sequence[str]) -> list[str]:
        """The attributes that `row()` reads for these fields."""
        found = [PK, SK, *(self.attributes[name] for name in names)]
        for name in names:
            if name in self.layout.absent:
                found += self.layout.absent[name].looks_at
        return list(dict.fromkeys(found))

    def fields_in(self, index: Index) -> frozenset[str]:
        """The fields that an entry of an index gives without a look at the row's item.

        These are the fields in the item's key, a field that an index key holds alone, and those
        that have one value in all entries.
        """
        key_parts = [*self.layout.partition.parts, *self.layout.sort.parts]
        found = {
            name
            for name in self.key_names
            if Part(name) in key_parts and codec.is_text(self.fields[name])
        }
        found |= {each.parts[0].name for each in index.templates if self._holds_one(each)}
        return frozenset(found | set(index.when))

    def _holds_one(self, template: Template) -> bool:
        """Whether a key of this template gives the one field in it, as its attribute has it."""
        if len(template.parts) != 1:
            return False
        [part] = template.parts
        return part == Part(part.name) and codec.is_key_as_stored(self.fields[part.name])

    def of_entry(self, index: Index, entry: Item) -> Item:
        """An entry of an index as an item of the fields in `fields_in()`."""
        item = {**entry, **self.encode(index.when)}
        for template, key in zip(index.templates, index.keys, strict=True):
            found = template.pattern.match(entry[key]["S"]) if self._holds_one(template) else None
            if found:
                item[self.attributes[template.parts[0].name]] = {"S": found[1]}
        return item

    def absent(self, name: str, item: Item) -> Any:
        """The value of a field whose attribute is missing or unreadable."""
        if name in self.key_names and (text := self._in_key(name, item)) is not None:
            return text
        if name in self.layout.absent:
            return self.layout.absent[name].make(item)
        return codec.empty(self.fields[name])

    def _in_key(self, name: str, item: Item) -> str | None:
        """A text field's value from the item's key, or None if the key does not have it plainly."""
        for template, attribute in ((self.layout.partition, PK), (self.layout.sort, SK)):
            found = template.pattern.match(item[attribute]["S"]) if attribute in item else None
            for place, part in enumerate(template.parts):
                if found and part == Part(name) and codec.is_text(self.fields[name]):
                    return found[place + 1]
        return None

    def owns(self, key: Key) -> bool:
        """Whether a key belongs to a row of this model, or to one of its marker items."""
        if key[1] == UNIQUE:
            return key[0].startswith(f"{UNIQUE}{self.name}#")
        layout = self.layout
        return bool(layout.partition.pattern.match(key[0]) and layout.sort.pattern.match(key[1]))

    def domain(self, part: Part) -> list[str] | None:
        """All texts that a part can have, or None if they cannot be listed."""
        if part.shards:
            return [str(number) for number in range(part.shards)]
        choices = self.fields[part.name].flatchoices
        return [str(value) for value, _ in choices] if choices else None


def marker_item(marker: Key, key: Key) -> Item:
    """The marker item at `marker`, for a unique value of the row at `key`."""
    return {
        PK: {"S": marker[0]},
        SK: {"S": marker[1]},
        "rowPK": {"S": key[0]},
        "rowSK": {"S": key[1]},
    }


def combinations(options: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """All combinations of one text from each list."""
    return product(*options)


@cache
def table_of(model: type[Model]) -> Table:
    """The table of a model."""
    return Table(model)


def all_tables() -> list[Table]:
    """The tables of all installed models."""
    return [
        table_of(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def indexes() -> dict[str, Index]:
    """All indexes of the installed models, by name."""
    return {index.name: index for layout in _declared().values() for index in layout.indexes}


@cache
def _declared() -> dict[str, Layout]:
    # By table name, because the models in migrations have fields only.
    models = apps.get_models(include_auto_created=True)
    layouts = ((model._meta.db_table, getattr(model, "dynamodb", None)) for model in models)
    return {name: layout for name, layout in layouts if isinstance(layout, Layout)}


def _default(name: str, pk: str) -> Layout:
    return Layout(f"{TABLE}{name}", f"ROW#{{{pk}}}")


def _pk_name(model: type[Model]) -> str:
    return str(model._meta.pk.attname)


def _camel(name: str) -> str:
    head, *rest = name.strip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


def _unique_sets(model: type[Model]) -> list[tuple[str, ...]]:
    options = model._meta
    single: list[tuple[str, ...]] = [
        (each.attname,) for each in options.concrete_fields if each.unique
    ]
    together = [tuple(names) for names in options.unique_together]
    together += [
        tuple(each.fields)
        for each in options.constraints
        if isinstance(each, UniqueConstraint) and each.fields and each.condition is None
    ]
    return single + [
        tuple(str(options.get_field(name).attname) for name in names)  # type: ignore[union-attr]
        for names in together
    ]
