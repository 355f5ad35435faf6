"""Validates values by JSON schemas that others wrote, within bounds.

A validator fetches nothing, takes a limited number of steps and a limited time, and matches no
regular expressions, for which Python has no time limit.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, validators
from referencing import Registry

# How many keywords of schemas one check may look at.
MAX_STEPS = 20_000
# How many seconds one check may take. One keyword, such as uniqueItems, may take many comparisons.
MAX_SECONDS = 2.0
# Keywords that are not checked, because they match regular expressions.
UNCHECKED = ("pattern", "patternProperties")


class TooMuchWorkError(Exception):
    """A schema takes more steps or time than a check may take."""


def check_schema(schema: dict[str, Any]) -> None:
    """Raise ValueError, with the place and the fault, if this is no JSON Schema (2020-12)."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/" + "/".join(map(str, error.absolute_path))
        raise ValueError(f"{where}: {error.message}") from error
    except RecursionError as error:
        raise ValueError("/: it is nested too deeply") from error


def bounded(schema: dict[str, Any]) -> Any:
    """A validator that raises TooMuchWorkError after `MAX_STEPS` or `MAX_SECONDS`."""
    left, end = MAX_STEPS, time.monotonic() + MAX_SECONDS

    def counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
        def look(*args: Any) -> Iterable[Any] | None:
            nonlocal left
            left -= 1
            if left < 0 or time.monotonic() > end:
                raise TooMuchWorkError
            found: Iterable[Any] | None = keyword(*args)
            return found

        return look

    keywords = {
        name: counted(keyword)
        for name, keyword in Draft202012Validator.VALIDATORS.items()
        if name not in UNCHECKED
    }
    kind = validators.create(
        meta_schema=Draft202012Validator.META_SCHEMA,
        validators=keywords,
        type_checker=Draft202012Validator.TYPE_CHECKER,
    )
    # An empty registry: without one, the library fetches what `$ref` names.
    return kind(schema, registry=Registry())
