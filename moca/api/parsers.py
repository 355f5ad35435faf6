"""The API's JSON parser: accepts only JSON that every supported database can store."""

import json
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from moca.api.errors import APIError, InvalidFieldsError
from moca.api.storable import MAX_DEPTH, faults

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
