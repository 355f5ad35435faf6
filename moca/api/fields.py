"""The fields of serializers: how strictly a value is read, how it is shown and described.

Unlike those of REST framework, they take no value of another type (`"1"` is no number, and 1 no
text). What a value may be beyond its type, the model checks.
"""

from collections.abc import Collection
from typing import Any

from django.db import models
from rest_framework import serializers

from moca.api import json_schema
from moca.api.json_schema import Schema
from moca.times import iso

# What an answer leaves out.
EMPTY: tuple[Any, ...] = (None, "", [], {})


class Field(serializers.Field[Any, Any, Any, Any]):
    """A field in the contract's form.

    Args:
        help_text: what the description says of it; if it is left out, the model's help text.
        always: whether each answer has it; None: if the model lets it be neither empty nor null.
        empty: the values that answers leave out, if they need not have it.
        rules: limits in JSON Schema that the model does not have.
        options: those of REST framework. A request for a new row has to have the fields with
            `required=True`, and those for which the model has no default. Files alone have those
            with `write_only=True`.
    """

    # The type that it takes, what to give instead of another, and how JSON Schema has it.
    takes: type = str
    remedy = ""
    schema: Schema
    # How answers show a value; None: as it stands in the row.
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
        # True is a whole number in Python, and is none in JSON.
        if isinstance(data, self.takes) and isinstance(data, bool) is (self.takes is bool):
            return data
        raise serializers.ValidationError(self.remedy)

    def to_representation(self, value: Any) -> Any:
        return self.show(value) if self.show else value

    def shape(self, rules: Schema | None, description: str) -> Schema:
        """The field in the API's description.

        Args:
            rules: its limits in a request; None in an answer, which may be older than they are.
            description: what is said of it.
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
    takes, remedy, schema = bool, "Give true or false.", json_schema.flag()


class Number(Field):
    takes, remedy, schema = int, "Give a whole number.", json_schema.number()


class Document(Field):
    takes, remedy, schema = dict, "Give an object.", {"type": "object"}


class Choice(Field):
    """One of some words, which the description calls by `name` or as `choices` is called."""

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
    """A list of texts; `each` and `of_each` are the limits of one text, and what is said of it."""

    takes, remedy = list, "Give a list of texts."

    def __init__(
        self, help_text: str = "", *, each: Schema, of_each: str = "", **options: Any
    ) -> None:
        super().__init__(help_text, **options)
        self.each, self.of_each = each, of_each

    def shape(self, rules: Schema | None, description: str) -> Schema:
        text = json_schema.text(self.of_each, **({} if rules is None else self.each))
        return json_schema.each(text, description, **(rules or {}))


class Computed(serializers.SerializerMethodField):
    """What the method `get_<name>` of the serializer makes of the row; `schema` is its shape."""

    always = False

    def __init__(self, schema: Schema, *, empty: Collection[Any] = EMPTY) -> None:
        super().__init__()
        self.schema, self.empty = schema, empty

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return self.schema
