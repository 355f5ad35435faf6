"""Check a value against an agent's JSON schema within bounds, and say what to do about its faults.

The schema comes from an agent. Therefore a check fetches nothing, it takes a limited number of
steps and a limited time, and it matches no regular expressions, for which Python has no time limit.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, validators
from referencing import Registry

logger = logging.getLogger(__name__)

# How many keywords of schemas one check may look at.
MAX_STEPS = 20_000
# How many seconds one check may take. One keyword, such as uniqueItems, may take many comparisons.
MAX_SECONDS = 2.0
# Keywords that are not checked, because they match regular expressions.
UNCHECKED = ("pattern", "patternProperties")
# The most choices, and characters of a choice, that a message names.
MAX_CHOICES, MAX_CHOICE = 20, 50

# The path to the fault, a sentence with the remedy, and the kind of fault.
SchemaFault = tuple[tuple[str, ...], str, str]


class TooMuchWorkError(Exception):
    """A schema takes more steps or time than a check may take."""


def faults(schema: dict[str, Any], value: Any) -> Iterator[SchemaFault]:
    """The faults of a value: where each is, what to do about it, and its kind.

    A schema that cannot be used lets every value pass: a fault in the agent's schema must not keep
    a person from answering. The agent checks what it gets itself.
    """
    try:
        Draft202012Validator.check_schema(schema)
        found = list(_bounded(schema).iter_errors(value))
    except Exception as error:  # noqa: BLE001  (an agent's schema may be wrong in many ways)
        logger.warning("An agent's schema of an answer cannot be used: %s", type(error).__name__)
        return
    for each in found:
        yield from _faults_of(each)


def _bounded(schema: dict[str, Any]) -> Any:
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


def _faults_of(error: Any) -> Iterator[SchemaFault]:
    """Turn one error of jsonschema into faults with their remedies."""
    path = tuple(str(part) for part in error.absolute_path)
    limit = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in limit if name not in error.instance]
            # One error is raised for each missing name, which only its message tells.
            name = next((each for each in missing if repr(each) in error.message), "")
            yield (*path, name), _("This is needed."), "required"
        case "additionalProperties" if limit is False:
            known = error.schema.get("properties", {})
            for name in error.instance:
                if name not in known:
                    yield (*path, name), _("The agent asks for no such field."), "unknown"
        case "enum":
            yield path, _("Give one of %(choices)s.") % {"choices": _choices(limit)}, "invalid"
        case "const":
            yield path, _("Give %(choices)s.") % {"choices": _choices([limit])}, "invalid"
        case _:
            yield path, _remedy(error.validator, limit), "invalid"


def _choices(values: list[Any]) -> str:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    shown = [text[:MAX_CHOICE] for text in texts[:MAX_CHOICES]]
    return _(", ").join([*shown, *(["…"] if len(texts) > MAX_CHOICES else [])])


def _remedy(keyword: str, limit: Any) -> str:
    """What to do about a fault of a keyword of JSON Schema."""
    if keyword == "type":
        names = _type_names()
        kinds = [names.get(kind, str(kind)) for kind in _as_list(limit)]
        return _("Give %(choices)s.") % {"choices": _(" or ").join(kinds)}
    remedies = {
        "minimum": _("Give %(limit)s or more."),
        "maximum": _("Give %(limit)s or less."),
        "exclusiveMinimum": _("Give more than %(limit)s."),
        "exclusiveMaximum": _("Give less than %(limit)s."),
        "multipleOf": _("Give a multiple of %(limit)s."),
        "minLength": _("Give at least %(limit)s characters."),
        "maxLength": _("Give at most %(limit)s characters."),
        "minItems": _("Give at least %(limit)s entries."),
        "maxItems": _("Give at most %(limit)s entries."),
        "uniqueItems": _("Give each entry once."),
    }
    if keyword in remedies:
        return remedies[keyword] % {"limit": limit}
    return _("This does not fit the schema of the answer: see %(keyword)s there.") % {
        "keyword": keyword
    }


def _type_names() -> dict[str, str]:
    return {
        "string": _("a text"),
        "integer": _("a whole number"),
        "number": _("a number"),
        "boolean": _("true or false"),
        "object": _("an object"),
        "array": _("a list"),
        "null": _("null"),
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
