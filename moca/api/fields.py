"""Strict serializer fields of the API, which also describe themselves in the OpenAPI document.

REST framework's fields convert values (`"1"` to 1). These refuse values of another type. The model
validates everything beyond the type.
"""

from collections.abc import Collection
from typing import Any

from django.db import models
from rest_framework import serializers

from moca.api import json_schema
from moca.api.json_schema import Schema
from moca.times import iso

# Values that answers leave out.
EMPTY: tuple[Any, ...] = (None, "", [], {})


class Field(serializers.Field[Any, Any, Any, Any]):
    """A field that accepts one JSON type.

    Args:
        help_text: its description in the OpenAPI document; empty for the model's help text.
        always: whether every answer has it. None: yes if the model allows neither blank nor null.
        empty: the values that answers leave out, unless every answer has the field.
        rules: limits in JSON Schema beyond those of the model.
        options: REST framework's options. A new row needs the fields with `required=True` and
            those without a default in the model. Fields with `write_only=True` are in files only.
    """

    # The accepted type, the message for any other type, and the type in JSON Schema.
    takes: type = str
    remedy = ""
    schema: Schema
    # Converts a row's value for answers; None to leave it as it is.
    show: Any = None

    def __init__(
        self,
        help_text: str = "",
        *,
        always: bool | None = None,
        empty: Collection[Any] = EMPTY,
        rules: Schema | None = None,
        **options: Any,
    ) -> None:
        self.is_needed = options.get("required", False)
        super().__init__(help_text=help_text, **options)
        self.always, self.empty, self.rules = always, empty, rules or {}

    def to_internal_value(self, data: Any) -> Any:
        # In Python, bool is a subclass of int; in JSON, true is no number.
        if isinstance(data, self.takes) and isinstance(data, bool) is (self.takes is bool):
            return data
        raise serializers.ValidationError(self.remedy)

    def to_representation(self, value: Any) -> Any:
        return self.show(value) if self.show else value

    def shape(self, rules: Schema | None, description: str) -> Schema:
        """The field's JSON Schema.

        Args:
            rules: its limits in a request. None in an answer, since stored values may be older
                than the limits.
            description: the text that describes it.
        """
        return json_schema.described({**self.schema, **(rules or {})}, description)


class Text(Field):
    remedy = "Give a text."
    schema = json_schema.text()


class Id(Text):
    schema = json_schema.uuid()


class Moment(Text):
    schema = json_schema.moment()
    show = staticmethod(iso)


class Flag(Field):
    takes, remedy, schema = bool, "Give true or false.", json_schema.boolean()


class Number(Field):
    takes, remedy, schema = int, "Give a whole number.", json_schema.number()


class Amount(Field):
    """A number that need not be whole, such as one of money."""

    # Greater ones are no float, or lose what is behind the point.
    most = 10**12
    remedy, schema = "Give a number.", {"type": "number"}

    def to_internal_value(self, data: Any) -> float:
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        if is_number and abs(data) <= self.most:
            return float(data)
        raise serializers.ValidationError(self.remedy)


class Document(Field):
    takes, remedy, schema = dict, "Give an object.", {"type": "object"}


class Choice(Field):
    """One of a model's choices. Its schema is a component named `name`, or after `choices`."""

    def __init__(
        self,
        choices: type[models.TextChoices],
        help_text: str = "",
        *,
        name: str = "",
        **options: Any,
    ) -> None:
        super().__init__(help_text, **options)
        self.words, self.name = choices.values, name or choices.__name__

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data in self.words:
            return data
        raise serializers.ValidationError(f"Give one of {', '.join(self.words)}.")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return json_schema.enum(self.name, self.words, description)


class Names(Field):
    """A list of texts; `each` has the limits of one text, and `of_each` its description."""

    takes, remedy = list, "Give a list of texts."

    def __init__(
        self, help_text: str = "", *, each: Schema, of_each: str = "", **options: Any
    ) -> None:
        super().__init__(help_text, **options)
        self.each, self.of_each = each, of_each

    def shape(self, rules: Schema | None, description: str) -> Schema:
        text = json_schema.text(self.of_each, **({} if rules is None else self.each))
        return json_schema.each(text, description, **(rules or {}))


class Numbers(Field):
    """A list of whole numbers; `each` has the limits of one."""

    takes, remedy = list, "Give a list of whole numbers."

    def __init__(self, help_text: str = "", *, each: Schema, **options: Any) -> None:
        super().__init__(help_text, **options)
        self.each = each

    def shape(self, rules: Schema | None, description: str) -> Schema:
        one = json_schema.number(**({} if rules is None else self.each))
        return json_schema.each(one, description, **(rules or {}))


class Computed(serializers.SerializerMethodField):
    """A value that the serializer's method `get_<name>` computes; `schema` is its JSON Schema."""

    always = False

    def __init__(self, schema: Schema, *, empty: Collection[Any] = EMPTY) -> None:
        super().__init__()
        self.schema, self.empty = schema, empty

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return self.schema
