"""Reading bodies: JSON objects that every database can store."""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from moca.api.errors import APIError, Detail, InvalidFieldsError, detail

# Well below where Python's recursion ends, and above what any event pattern needs.
MAX_DEPTH = 32
# DynamoDB numbers have 38 digits.
MAX_NUMBER = 10**38
# Faults that are told, so that an answer is not larger than what it answers.
MAX_FAULTS = 20


class JSONParser(BaseParser):
    """A JSON object in UTF-8, its texts without NUL or half characters, its numbers finite."""

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


def read_json(body: bytes) -> Any:
    """Read JSON that every database can store.

    Args:
        body: the text in UTF-8.

    Raises:
        APIError: it is no JSON, or holds what cannot be stored.
    """
    try:
        data = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise APIError(400, "The body is not UTF-8.") from error
    except RecursionError as error:
        raise APIError(400, f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except json.JSONDecodeError as error:
        raise APIError(400, f"The body is not valid JSON: {error}") from error
    except ValueError as error:
        message = "The body is not valid JSON: it holds NaN, Infinity or too long a number."
        raise APIError(400, message) from error
    if wrong := list(islice(faults(data), MAX_FAULTS)):
        raise InvalidFieldsError(wrong)
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def faults(value: Any, field: str = "", depth: int = MAX_DEPTH) -> Iterator[Detail]:
    """What of a JSON value not every database can store.

    Args:
        value: what was read of JSON.
        field: where it stands, in the contract's names; empty at the top.
        depth: how many levels there may be.
    """
    if isinstance(value, str):
        if fault := _text_fault(value):
            yield detail(field, fault)
    elif isinstance(value, int | float):
        if not (math.isfinite(value) and -MAX_NUMBER < value < MAX_NUMBER):
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
