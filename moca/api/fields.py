"""The fields of serializers: how strictly a value is read, how it is shown and described.

Unlike those of REST framework, they take no value of another type (`"1"` is no number, and 1 no
text). What a value may be beyond its type, the model checks.
"""

from collections.abc import Collection
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from moca.api import shapes
from moca.api.shapes import Schema
from moca.times import iso

# What an answer leaves out.
EMPTY: tuple[Any, ...] = (None, "", [], {})


class Field(serializers.Field):
    """A field in the contract's form.

    Args:
        help_text: what the description says of it; if it is left out, the model's help text.
        always: whether each answer has it; None: if the model lets it be neither empty nor null.
        empty: the values that answers leave out, if they need not have it.
        rules: limits in JSON Schema that the model does not have.
        options: those of REST framework. Only `required=True` fields, and those for which the
            model has no default, have to be in a request for a new row. `write_only` ones are in
            files alone.
    """

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

    def shape(self, rules: Schema | None, description: str) -> Schema:
        """The field in the API's description.

        Args:
            rules: its limits in a request; None in an answer, which may be older than they are.
            description: what is said of it.
        """
        raise NotImplementedError

    def to_representation(self, value: Any) -> Any:
        return self.show(value) if self.show else value


class Text(Field):
    default_error_messages: ClassVar = {"invalid": "Give a text."}

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, str) else self.fail("invalid")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.text(description, **(rules or {}))


class Id(Text):
    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.uuid(description)


class Moment(Text):
    show = staticmethod(iso)

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.moment(description)


class Flag(Field):
    default_error_messages: ClassVar = {"invalid": "Give true or false."}

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, bool) else self.fail("invalid")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.flag(description)


class Number(Field):
    """A whole number."""

    default_error_messages: ClassVar = {"invalid": "Give a whole number."}

    def to_internal_value(self, data: Any) -> Any:
        is_whole = isinstance(data, int) and not isinstance(data, bool)
        return data if is_whole else self.fail("invalid")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.number(description, **(rules or {}))


class Choice(Field):
    """One of some words, which the description gives a name.

    Args:
        choices: the words.
        help_text: what the description says of them.
        name: their name; the one of `choices` if it is left out.
        options: those of all fields.
    """

    default_error_messages: ClassVar = {"invalid": "Give one of {words}."}

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
        is_one = isinstance(data, str) and data in self.words
        return data if is_one else self.fail("invalid", words=", ".join(self.words))

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.enum(self.name, self.words, description)


class Names(Field):
    """A list of texts.

    Args:
        help_text: what the description says of the list.
        each: the limits of one text, in JSON Schema.
        of_each: what the description says of one text.
        options: those of all fields; `rules` are the limits of the list.
    """

    default_error_messages: ClassVar = {"invalid": "Give a list of texts."}

    def __init__(
        self, help_text: str = "", *, each: Schema, of_each: str = "", **options: Any
    ) -> None:
        super().__init__(help_text, **options)
        self.each, self.of_each = each, of_each

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, list) else self.fail("invalid")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        of_one = {} if rules is None else self.each
        return shapes.each(shapes.text(self.of_each, **of_one), description, **(rules or {}))


class Document(Field):
    """A JSON object, of which the contract says no more."""

    default_error_messages: ClassVar = {"invalid": "Give an object."}

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, dict) else self.fail("invalid")

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return shapes.document(description, **(rules or {}))


class Computed(serializers.SerializerMethodField):
    """What the method `get_<name>` of the serializer makes of the row.

    Args:
        schema: its shape, with its description.
        empty: the values that answers leave out.
    """

    always = False

    def __init__(self, schema: Schema, *, empty: Collection[Any] = EMPTY) -> None:
        super().__init__()
        self.schema, self.empty = schema, empty

    def shape(self, rules: Schema | None, description: str) -> Schema:
        return self.schema
