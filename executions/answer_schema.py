"""Check a value against an agent's JSON schema, and say what to do about its faults."""

import json
import logging
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from moca.bounded_schema import bounded, check_schema

logger = logging.getLogger(__name__)

# The most choices, and characters of a choice, that a message names.
MAX_CHOICES, MAX_CHOICE = 20, 50

# The path to the fault, a sentence with the remedy, and the kind of fault.
SchemaFault = tuple[tuple[str, ...], str, str]


def faults(schema: dict[str, Any], value: Any) -> Iterator[SchemaFault]:
    """The faults of a value: where each is, what to do about it, and its kind.

    A schema that cannot be used lets every value pass: a fault in the agent's schema must not keep
    a person from answering. The agent checks what it gets itself.
    """
    try:
        check_schema(schema)
        found = list(bounded(schema).iter_errors(value))
    except Exception as error:  # noqa: BLE001  (an agent's schema may be wrong in many ways)
        logger.warning("An agent's schema of an answer cannot be used: %s", type(error).__name__)
        return
    for each in found:
        yield from _faults_of(each)


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
