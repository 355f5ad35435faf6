"""The API's JSON parser: accepts only JSON that every supported database can store."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from moca.api.errors import APIError, Detail, InvalidFieldsError, detail

# Levels of nesting: far below Python's recursion limit, and more than any event pattern needs.
MAX_DEPTH = 32
# DynamoDB numbers have 38 digits.
MAX_NUMBER = 10**38
# The most faults in an answer, which bounds its size.
MAX_FAULTS = 20


class JSONParser(BaseParser):
    """A JSON object in UTF-8: unique keys, finite numbers, no NUL and no lone surrogates."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        data = read_json(stream.read())
        if not isinstance(data, dict):
            raise APIError(400, "The body must be a JSON object.")
        return data


def read_json(body: bytes, *, largest: int | None = None) -> Any:
    """Parse JSON and refuse values that a database cannot store.

    Args:
        body: the JSON text in UTF-8.
        largest: the greatest absolute value of integers; None for what databases can store.

    Raises:
        APIError: it is no valid JSON.
        InvalidFieldsError: it has values that cannot be stored.
    """
    try:
        data = json.loads(
            body.decode(),
            parse_constant=_refuse_constant,
            parse_int=partial(_whole_number, largest) if largest else None,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise APIError(400, "The body is not UTF-8.") from error
    except RecursionError as error:
        raise APIError(400, f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except (json.JSONDecodeError, _JSONRuleError) as error:
        raise APIError(400, f"The body is not valid JSON: {error}") from error
    except ValueError as error:
        message = "The body is not valid JSON: it holds NaN, Infinity or too long a number."
        raise APIError(400, message) from error
    if wrong := list(islice(faults(data), MAX_FAULTS)):
        raise InvalidFieldsError(wrong)
    return data


class _JSONRuleError(ValueError):
    """A part of the body breaks a rule of ours; callers see the message."""


def _whole_number(largest: int, text: str) -> int:
    number = int(text)
    if abs(number) > largest:
        raise _JSONRuleError(f"the number {text[:100]} is too large.")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers disagree about duplicate keys (RFC 8259, 4), so refuse them.
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _JSONRuleError(f"it has the key {ascii(name)[:100]} twice in an object.")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def faults(value: Any, field: str = "", depth: int = MAX_DEPTH) -> Iterator[Detail]:
    """Find the parts of a JSON value that some database cannot store.

    Args:
        value: the parsed JSON.
        field: its place in the body, such as `eventConfig.eventPattern`; empty at the top.
        depth: how many levels of nesting are allowed.
    """
    if isinstance(value, str):
        if fault := _text_fault(value):
            yield detail(field, fault)
    elif isinstance(value, int | float):
        if not -MAX_NUMBER < value < MAX_NUMBER:
            yield detail(field, "The number is too large.")
    elif isinstance(value, dict | list):
        if not depth:
            yield detail(field, f"The value is nested deeper than {MAX_DEPTH} levels.")
            return
        yield from _faults_within(value, field, depth - 1)


def _faults_within(value: Any, field: str, depth: int) -> Iterator[Detail]:
    if isinstance(value, list):
        for item in value:
            yield from faults(item, field, depth)
        return
    for name, item in value.items():
        if _text_fault(name):
            yield detail(field, "The name of a key holds a character that cannot be stored.")
        else:
            yield from faults(item, f"{field}.{name}" if field else name, depth)


def _text_fault(text: str) -> str:
    if "\0" in text:
        return "The text holds a NUL character: remove it."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "The text holds half of a character (a lone surrogate): remove it."
    return ""
