"""The checks of a trigger: what its agent has to say, so that a run counts as a success."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from moca.sentences import Reason
from triggers.failures import (
    OUTPUT_EMPTY,
    OUTPUT_LACKS,
    OUTPUT_NO_JSON,
    OUTPUT_TOO_LONG,
    OUTPUT_UNCHECKED,
    OUTPUT_UNFIT,
)

NOT_EMPTY, CONTAINS, SCHEMA = PARTS = ("notEmpty", "contains", "jsonSchema")
MAX_TEXTS, MAX_TEXT = 20, 1000
# Characters of a schema as JSON.
MAX_SCHEMA = 20_000
# Characters of a text, or of a fault of a schema, in the reason of a failed run.
MAX_NAMED = 200
# Keywords that are refused, because Python has no time limit for regular expressions.
EXPRESSIONS = ("pattern", "patternProperties")
FENCE = "```"


def validate(checks: Any) -> None:
    """Accept a map of checks.

    Raises:
        ValidationError: each error has the name of its part in `params["part"]`.
    """
    if found := list(_errors(checks)):
        raise ValidationError(found)


def _errors(checks: Any) -> Iterator[ValidationError]:
    if not isinstance(checks, dict):
        yield ValidationError(_("Give an object with some of %s.") % ", ".join(PARTS))
        return
    for part in checks.keys() - set(PARTS):
        message = _("There is no such check: use %(parts)s.") % {"parts": ", ".join(PARTS)}
        yield _error(message, part)
    if not isinstance(checks.get(NOT_EMPTY), bool | None):
        yield _error(_("Give true or false."), NOT_EMPTY)
    if not _is_list_of_texts(checks.get(CONTAINS)):
        message = _("Give a list of at most %(most)s texts of 1 to %(longest)s characters.")
        yield _error(message % {"most": MAX_TEXTS, "longest": MAX_TEXT}, CONTAINS)
    if (schema := checks.get(SCHEMA)) is not None and (message := _schema_error(schema)):
        yield _error(message, SCHEMA)


def _error(message: str, part: str) -> ValidationError:
    return ValidationError(message, code="invalid", params={"part": part})


def _is_list_of_texts(texts: Any) -> bool:
    if texts is None:
        return True
    return (
        isinstance(texts, list)
        and len(texts) <= MAX_TEXTS
        and all(isinstance(text, str) and 0 < len(text) <= MAX_TEXT for text in texts)
    )


def _schema_error(schema: Any) -> str:
    """What is wrong with a JSON schema; empty if nothing is."""
    from moca.bounded_schema import check_schema  # takes 100 ms

    if not isinstance(schema, dict):
        return _("Give a JSON Schema, which is an object.")
    text = json.dumps(schema)
    if len(text) > MAX_SCHEMA:
        return _("Give a schema of at most %(most)s characters.") % {"most": MAX_SCHEMA}
    try:
        check_schema(schema)
    except ValueError as error:
        fault = str(error)[:MAX_NAMED]
        return _("This is no JSON Schema (draft 2020-12): %(fault)s") % {"fault": fault}
    for keyword, value in _keywords(schema):
        if keyword in EXPRESSIONS:
            return _("Leave out %(name)s: regular expressions are not checked.") % {"name": keyword}
        if keyword in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
            return _("Let %(name)s begin with #: nothing is fetched.") % {"name": keyword}
    return ""


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """The keywords of a schema and of those within it, without names of properties."""
    if isinstance(schema, list):
        for each in schema:
            yield from _keywords(each)
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield keyword, value
        is_map = keyword in ("properties", "$defs", "definitions", "dependentSchemas")
        if is_map and isinstance(value, dict):
            yield from _keywords(list(value.values()))
        elif keyword not in ("const", "enum", "default", "examples"):
            yield from _keywords(value)


def takes_long(checks: Any) -> bool:
    """Whether to look for a fault may take more than a millisecond."""
    return isinstance(checks, dict) and bool(checks.get(SCHEMA))


def fault(checks: Any, output: str, *, is_whole: bool) -> Reason | None:
    """Why an output does not keep the checks of its trigger; None if it does.

    Args:
        checks: the map of the trigger.
        output: what the agent said, as far as it is kept.
        is_whole: whether it is kept whole.
    """
    if not isinstance(checks, dict):
        return None
    if checks.get(NOT_EMPTY) and not output.strip():
        return OUTPUT_EMPTY()
    for text in checks.get(CONTAINS) or ():
        if text not in output:
            return (OUTPUT_LACKS if is_whole else OUTPUT_TOO_LONG)(text=text[:MAX_NAMED])
    schema = checks.get(SCHEMA)
    return _schema_fault(schema, output, is_whole=is_whole) if schema else None


def _schema_fault(schema: dict[str, Any], output: str, *, is_whole: bool) -> Reason | None:
    from moca.bounded_schema import TooMuchWorkError, bounded  # takes 100 ms

    if not is_whole:
        return OUTPUT_TOO_LONG(text="JSON")
    try:
        value = json_value(output)
    except ValueError as error:
        return OUTPUT_NO_JSON(error=str(error)[:MAX_NAMED])
    try:
        found = next(bounded(schema).iter_errors(value), None)
    except (TooMuchWorkError, RecursionError):
        return OUTPUT_UNCHECKED()
    except Exception as unusable:  # noqa: BLE001  (a reference that leads nowhere, and others)
        return OUTPUT_UNFIT(where="/", error=type(unusable).__name__)
    if found is None:
        return None
    where = "/" + "/".join(map(str, found.absolute_path))
    return OUTPUT_UNFIT(where=where[:MAX_NAMED], error=found.message[:MAX_NAMED])


def json_value(output: str) -> Any:
    """The JSON value that an agent said, by itself or in a code block of Markdown.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(unfenced(output))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def unfenced(output: str) -> str:
    """The text within a block of code, if the output is one block; agents often write JSON so."""
    text = output.strip()
    first, line_end, rest = text.partition("\n")
    is_block = first.startswith(FENCE) and rest.endswith(FENCE) and line_end
    return rest.removesuffix(FENCE) if is_block and FENCE not in rest[: -len(FENCE)] else text
