"""Base serializers: one list of fields for answers, requests, files and the OpenAPI document.

Limits, defaults and optionality come from the model. REST framework's own loops copy all fields for
each row; these serializers use `columns()`, which is computed once per class.

Keys are camelCase. An answer omits empty values, and never has null. A request changes only the
keys that it has: null clears an optional field, and maps are merged part by part. Read-only keys
(`id`, `createdAt`) are ignored, so clients may send back whole answers.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db.models import Model
from rest_framework import serializers

from moca.api.errors import Detail, InvalidFieldsError, contract_name, detail, details_of
from moca.api.fields import EMPTY
from moca.api.json_schema import Schema, component, or_null, record
from moca.validation import one_line

# For each keyword of JSON Schema: its validator, and which of several limits is the strictest.
_LIMITS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "minLength": (MinLengthValidator, max),
    "maxLength": (MaxLengthValidator, min),
    "minimum": (MinValueValidator, max),
    "maximum": (MaxValueValidator, min),
}


class MapSerializer(serializers.Serializer[Any]):
    """A JSON object in a row. Keys that it does not declare are kept as they are."""

    always: bool | None = None
    empty = EMPTY
    show = None

    @classmethod
    @cache
    def parts(cls, *, written: bool) -> tuple[str, ...]:
        """Names of the parts in order: those that requests set, or those that they cannot set."""
        return tuple(
            contract_name(name)
            for name, field in cls._declared_fields.items()
            if field.read_only is not written
        )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            return data
        parts = ", ".join(self.parts(written=True))
        raise serializers.ValidationError(f"Give an object with some of {parts}.")

    @classmethod
    def merged(cls, before: Any, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Merge a request's parts into a stored map.

        Args:
            before: the stored map.
            given: the request's parts; None clears all parts that requests set.

        Returns:
            The map without parts that are null or empty; None if no part is left.
        """
        found = dict(before) if isinstance(before, dict) else {}
        for part in cls.parts(written=True):
            if given is None or part in given:
                found.pop(part, None)
                if given and given[part] not in (None, ""):
                    found[part] = given[part]
        return found or None

    def shape(self, rules: Schema | None, description: str) -> Schema:
        """The map's JSON Schema; see `Field.shape()`."""
        name, about = component_name(type(self)), heading(type(self))
        declared: dict[str, Any] = self._declared_fields
        fields = {contract_name(part): field for part, field in declared.items()}
        if rules is None:
            shown = {part: field.shape(None, field.help_text) for part, field in fields.items()}
            needed = {part: shown.pop(part) for part, field in fields.items() if field.always}
            return component(name, record(about, needed, shown))
        about += " Parts that are left out stay as they are; null clears one."
        taken = {
            part: or_null(field.shape(field.rules, field.help_text))
            for part, field in fields.items()
            if not field.read_only
        }
        return component(f"{name}Input", record(about, {}, taken))


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a serializer with its field of the model.

    Attributes:
        name: its name in the API.
        attribute: the row's attribute; empty if the serializer computes it.
        field: the serializer's field.
        model_field: the model's field; None if the serializer computes it.
        is_written: whether requests and files set it.
        is_needed: whether a new row needs it.
        may_be_empty: whether null clears it.
        is_always_there: whether every answer has it.
    """

    name: str
    attribute: str
    field: Any
    model_field: Any
    is_written: bool
    is_needed: bool
    may_be_empty: bool
    is_always_there: bool

    def read(self, value: Any) -> Any:
        """Convert a request's value into the row's value.

        Raises:
            serializers.ValidationError: its type is wrong, or it is empty but needed.
        """
        if value is not None:
            found = self.field.to_internal_value(value)
            if self.is_needed and isinstance(found, str) and not found.strip():
                raise serializers.ValidationError("Give a text that is not empty.")
            return found
        if not self.may_be_empty:
            message = "This may not be null: leave it out to keep it."
            raise serializers.ValidationError(message, "null")
        return copy(self.model_field.get_default())

    def shape(self, *, is_request: bool) -> Schema:
        """The field's JSON Schema, in a request or in an answer."""
        about = str(self.field.help_text or getattr(self.model_field, "help_text", ""))
        found: Schema = self.field.shape(self.rules() if is_request else None, about)
        return or_null(found) if is_request and self.may_be_empty else found

    def rules(self) -> Schema:
        """The limits of the model's validators and of the field, in JSON Schema."""
        validators: list[Any] = self.model_field.validators
        found: Schema = {"minLength": 1, "pattern": r"\S"} if self.is_needed else {}
        for name, (kind, strictest) in _LIMITS.items():
            limits = [each.limit_value for each in validators if isinstance(each, kind)]
            if limits:
                found[name] = strictest(limits)
        for each in validators:
            if isinstance(each, RegexValidator) and each is not one_line:
                pattern: str = each.regex.pattern  # type: ignore[union-attr]
                found["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
        return found | getattr(self.field, "rules", {})


class RowSerializer(serializers.Serializer[Any]):
    """A row of the model in `Meta.model`."""

    # If one of these fields is invalid, rules about several fields are not checked.
    decisive: Collection[str] = ()
    # Whether keys that are no fields are errors.
    refuses_unknown = False

    @classmethod
    @cache
    def columns(cls) -> tuple[Column, ...]:
        """The fields in declared order, which answers and files have too."""
        model: type[Model] = cls.Meta.model  # type: ignore[attr-defined]
        return tuple(_column(name, field, model) for name, field in cls._declared_fields.items())

    @classmethod
    @cache
    def written(cls) -> dict[str, Column]:
        """The fields that requests and files set, by name."""
        return {column.name: column for column in cls.columns() if column.is_written}

    @classmethod
    def shape_of(cls, name: str) -> Schema:
        """One field's JSON Schema in an answer."""
        return next(c for c in cls.columns() if c.name == name).shape(is_request=False)

    @classmethod
    def answer_shape(cls) -> Schema:
        """Register the component of a row in an answer."""
        columns = [column for column in cls.columns() if not column.field.write_only]
        shapes = {column.name: column.shape(is_request=False) for column in columns}
        needed = {c.name: shapes.pop(c.name) for c in columns if c.is_always_there}
        return component(component_name(cls), record(heading(cls), needed, shapes))

    @classmethod
    def request_shape(cls, name: str, about: str, *, is_new: bool) -> Schema:
        """Register the component of a row in a request; `is_new` if the request creates it."""
        columns = cls.written().values()
        shapes = {column.name: column.shape(is_request=True) for column in columns}
        needed = {c.name: shapes.pop(c.name) for c in columns if is_new and c.is_needed}
        return component(name, record(about, needed, shapes))

    @classmethod
    @cache
    def _answered(cls) -> list[tuple[str, str, Any, Any]]:
        """For each field of an answer: name, attribute, converter, and values to leave out."""
        return [
            (
                column.name,
                column.attribute,
                column.field.show if column.attribute else getattr(cls, f"get_{name}"),
                () if column.is_always_there else column.field.empty,
            )
            for name, column in zip(cls._declared_fields, cls.columns(), strict=True)
            if not column.field.write_only
        ]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The row as an answer, without empty values."""
        answer = {}
        for name, attribute, show, empty in self._answered():
            if attribute:
                value = getattr(instance, attribute)
                if show is not None and value is not None:
                    value = show(value)
            else:
                value = show(self, instance)
            if value or value not in empty:
                answer[name] = value
        return answer

    def fill(self, *, expected: Collection[str] = ()) -> None:
        """Set the request's values on the row and validate it; the caller saves the row.

        Args:
            expected: fields that a change of an existing row has to name, if a new row needs them.

        Raises:
            InvalidFieldsError: with all faults, in the order of the fields.
        """
        row: Any = self.instance
        body: Mapping[str, Any] = self.initial_data
        found = [*self._set_fields(row, body), *self._misspelt(body)]
        if row._state.adding:
            self.complete(row, body)
            expected = self.written()
        needed = [name for name, column in self.written().items() if column.is_needed]
        missing = [name for name in needed if name in expected and name not in body]
        found += [detail(name, "This is needed.", "required") for name in missing]
        wrong = {one["field"] for one in found}
        names = {contract_name(column.attribute): column.name for column in self.columns()}
        for one in rule_faults(row, wrong, clean=not wrong & set(self.decisive)):
            top, dot, part = one["field"].partition(".")
            if (name := names.get(top, top)) not in wrong:
                found.append({**one, "field": f"{name}{dot}{part}"})
        if found:
            raise InvalidFieldsError(sorted(found, key=self._position))

    def complete(self, row: Any, body: Mapping[str, Any]) -> None:
        """Hook: set values of a new row that follow from the request's other values."""

    def assign(self, row: Any, attribute: str, value: Any) -> None:
        """Hook: set an attribute of the row."""
        setattr(row, attribute, value)

    def _set_fields(self, row: Any, body: Mapping[str, Any]) -> Iterator[Detail]:
        for name, column in self.written().items():
            if name not in body:
                continue
            try:
                value = column.read(body[name])
            except serializers.ValidationError as error:
                [fault] = error.detail
                yield detail(name, str(fault), getattr(fault, "code", ""))
                continue
            if isinstance(column.field, MapSerializer):
                value = column.field.merged(getattr(row, column.attribute), value)
            self.assign(row, column.attribute, value)

    def _misspelt(self, body: Mapping[str, Any]) -> Iterator[Detail]:
        """Keys that are another spelling of a field: ignored, they would change what is meant.

        Other unknown keys are ignored, since clients send back what other programs added, unless
        the serializer `refuses_unknown`.
        """
        known = {column.name for column in self.columns()}
        found = list(_misspelt(body, known, ""))
        yield from found
        if self.refuses_unknown:
            for key in body.keys() - known - {one["field"] for one in found}:
                yield detail(str(key), "There is no such field.", "unknown")
        for name, column in self.written().items():
            if isinstance(column.field, MapSerializer) and isinstance(body.get(name), dict):
                parts = {
                    part for kind in (True, False) for part in column.field.parts(written=kind)
                }
                yield from _misspelt(body[name], parts, f"{name}.")

    def _position(self, one: Detail) -> tuple[bool, int]:
        """Sorting key of faults: the order of the fields, then faults of maps."""
        names = list(self.written())
        top = one["field"].partition(".")[0]
        if top not in names:
            return True, len(names)
        return isinstance(self.written()[top].field, MapSerializer), names.index(top)


def _misspelt(given: Mapping[str, Any], known: Collection[str], within: str) -> Iterator[Detail]:
    spelt = {_folded(name): name for name in known}
    for key in given:
        meant = spelt.get(_folded(str(key)))
        if meant is not None and key not in known:
            reason = f"There is no such field. Did you mean {meant}?"
            yield detail(f"{within}{key}", reason, "unknown")


def _folded(name: str) -> str:
    """A name without what people spell in different ways: case, underscores, a plural."""
    return name.replace("_", "").replace("-", "").lower().removesuffix("s")


def rule_faults(row: Any, wrong: Collection[str] = (), *, clean: bool = True) -> Iterator[Detail]:
    """Validate the row by its model; unchanged fields are not checked.

    Args:
        row: the row with its new values.
        wrong: fields with known faults, by their names in the API; they are not checked again.
        clean: whether to check the rules about several fields (`Model.clean()`) too.
    """
    names = {field.name for field in row._meta.fields}
    unchanged = set() if row._state.adding else names - row.changed_fields()
    known = {name for name in names if contract_name(name) in wrong}
    rules: list[Callable[[], None]] = [lambda: row.clean_fields(exclude=unchanged | known)]
    for rule in [*rules, row.clean] if clean else rules:
        try:
            rule()
        except ValidationError as error:
            yield from details_of(error)


def component_name(serializer: type) -> str:
    """The component's name: `Meta.name`, or the model's, or the class's name."""
    meta: Any = getattr(serializer, "Meta", None)
    if name := getattr(meta, "name", ""):
        return str(name)
    if model := getattr(meta, "model", None):
        return str(model.__name__)
    return serializer.__name__.removesuffix("Serializer")


def heading(of: type) -> str:
    """The first line of a class's docstring, which describes its component."""
    return (of.__doc__ or "").partition("\n")[0]


def _column(name: str, field: Any, model: type[Model]) -> Column:
    attribute = field.source or name
    try:
        found: Any = model._meta.get_field(attribute)
    except FieldDoesNotExist:
        return Column(contract_name(name), "", field, None, False, False, True, field.always)
    may_be_empty = found.blank or found.null
    return Column(
        name=contract_name(name),
        attribute=attribute,
        field=field,
        model_field=found,
        is_written=found.editable and not field.read_only,
        is_needed=getattr(field, "is_needed", False) or not (may_be_empty or found.has_default()),
        may_be_empty=may_be_empty,
        is_always_there=not may_be_empty if field.always is None else field.always,
    )
