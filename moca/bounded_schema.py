"""Validates values by JSON schemas that others wrote, within bounds.

A validator fetches nothing, takes a limited number of steps and a limited time, and matches no
regular expressions, for which Python has no time limit.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from jsonschema import (
    Draft202012Validator,
    FormatChecker,
    SchemaError,
    ValidationError,
    validators,
)
from referencing import Registry

# How many keywords of schemas one check may look at.
MAX_STEPS = 20_000
# How many seconds one check may take. The clock is read before each keyword.
MAX_SECONDS = 2.0
# Keywords that are not checked, because they match regular expressions.
UNCHECKED = ("pattern", "patternProperties")
# Keywords that match the expressions of patternProperties, if a schema has any.
DEPENDENT = ("additionalProperties", "unevaluatedProperties")
# A schema is accepted whatever its regular expressions are.
NO_FORMATS = FormatChecker(formats=())
# Keywords for which the library compares each member with each, and how many members it may.
QUADRATIC, MAX_MEMBERS = ("unevaluatedItems", "unevaluatedProperties"), 2000


class TooMuchWorkError(Exception):
    """A schema takes more steps or time than a check may take."""


def check_schema(schema: dict[str, Any]) -> None:
    """Raise ValueError, with the place and the fault, if this is no JSON Schema (2020-12).

    Regular expressions are not looked at: the library would refuse those of JavaScript that Python
    does not know, such as `\\p{L}`, and with them the whole schema.
    """
    try:
        Draft202012Validator.check_schema(schema, format_checker=NO_FORMATS)
    except SchemaError as error:
        where = "/" + "/".join(map(str, error.absolute_path))
        raise ValueError(f"{where}: {error.message}") from error
    except RecursionError as error:
        raise ValueError("/: it is nested too deeply") from error


def bounded(schema: dict[str, Any]) -> Any:
    """A validator that raises TooMuchWorkError after `MAX_STEPS` or `MAX_SECONDS`."""
    left, end = MAX_STEPS, time.monotonic() + MAX_SECONDS

    def counted(name: str, keyword: Callable[..., Any]) -> Callable[..., Any]:
        def look(validator: Any, value: Any, instance: Any, whole: Any) -> Iterable[Any] | None:
            nonlocal left
            left -= 1
            if left < 0 or time.monotonic() > end or _is_too_large(name, instance):
                raise TooMuchWorkError
            found: Iterable[Any] | None = keyword(validator, value, instance, whole)
            return found

        return look

    has_expressions = '"patternProperties"' in json.dumps(schema)
    unchecked = (*UNCHECKED, *DEPENDENT) if has_expressions else UNCHECKED
    own = {"multipleOf": _multiple_of, "uniqueItems": _unique_items}
    known = {**Draft202012Validator.VALIDATORS, **own}
    kind = validators.create(
        meta_schema=Draft202012Validator.META_SCHEMA,
        validators={
            name: counted(name, keyword) for name, keyword in known.items() if name not in unchecked
        },
        type_checker=Draft202012Validator.TYPE_CHECKER,
    )
    kind.evolve = _of_same_kind(kind.evolve)  # type: ignore[method-assign]
    # An empty registry: without one, the library fetches what `$ref` names.
    return kind(schema, registry=Registry())


def _is_too_large(keyword: str, instance: Any) -> bool:
    return (
        keyword in QUADRATIC and isinstance(instance, list | dict) and len(instance) > MAX_MEMBERS
    )


def _of_same_kind(evolve: Callable[..., Any]) -> Callable[..., Any]:
    """The library's way to go into a part of a schema, which ignores `$schema` there.

    Otherwise a part that names another version is checked without any bounds.
    """

    def into(validator: Any, **changes: Any) -> Any:
        part = changes.get("schema")
        if isinstance(part, dict) and "$schema" in part:
            changes["schema"] = {name: part[name] for name in part if name != "$schema"}
        return evolve(validator, **changes)

    return into


def _multiple_of(
    validator: Any, factor: Any, instance: Any, whole: Any
) -> Iterator[ValidationError]:
    """Check multipleOf in decimals. The library divides floats, and refuses 19.99 for 0.01."""
    if not validator.is_type(instance, "number"):
        return
    one, other = _exact(instance), _exact(factor)
    if one is None or other is None or one % other:
        yield ValidationError(f"{instance!r} is not a multiple of {factor!r}")


def _exact(number: float) -> Fraction | None:
    """A number as it was written; None for an infinite one, which JSON's 1e999 is read as."""
    is_finite = isinstance(number, int) or math.isfinite(number)
    return Fraction(repr(number)) if is_finite else None


def _unique_items(
    validator: Any, is_asked: Any, instance: Any, whole: Any
) -> Iterator[ValidationError]:
    """Check uniqueItems. The library compares each item with each if their types differ."""
    if not is_asked or not isinstance(instance, list):
        return
    if len({json.dumps(_canonical(item), sort_keys=True) for item in instance}) < len(instance):
        yield ValidationError("the list has an item twice")


def _canonical(value: Any) -> Any:
    """The value with whole numbers as integers, since 1 and 1.0 are equal in JSON Schema."""
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
