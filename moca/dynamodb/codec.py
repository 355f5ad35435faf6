"""Converts field values to DynamoDB's attribute values and back, without loss.

Empty optional values are not stored. Times are ISO 8601 texts in UTC with microseconds, which sort.
JSON is stored as maps and lists if they give back the same JSON, else as text: DynamoDB's numbers
have 38 digits, and 1.0 becomes 1.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError

# An attribute value in DynamoDB's form: {"S": text}, {"N": digits}, {"BOOL": bool}, ...
Attribute = dict[str, Any]
Item = dict[str, Attribute]

# DynamoDB's numbers have 38 significant digits and magnitudes from 1e-130 to 9.99e125.
MAX_DIGITS = 38
MAX_EXPONENT = 125
# The nesting depth of lists and maps.
MAX_DEPTH = 31


class MalformedError(ValueError):
    """The value of an attribute does not fit the field."""


def encode(field: Any, value: Any) -> Attribute | None:
    """Convert a field's value to an attribute value, or to None if nothing is stored.

    Args:
        field: the field, whose type decides.
        value: the Python value from `get_db_prep_save`.

    Raises:
        DataError: DynamoDB cannot hold the value.
    """
    if value is None:
        return None
    kind = storage_type(field)
    # An empty text is not stored if a missing attribute means the empty text.
    if value == "" and kind != "JSONField" and empty(field) == "":
        return None
    return _codec(kind)[0](value)


def decode(field: Any, attribute: Attribute) -> Any:
    """Convert an attribute value to the field's value.

    Raises:
        MalformedError: the value does not fit the field.
    """
    return read(decoder(field), attribute)


def decoder(field: Any) -> Callable[[Attribute], Any]:
    """The function that decodes a field's attribute, for `read()`."""
    return _codec(storage_type(field))[1]


def read(decode_: Callable[[Attribute], Any], attribute: Attribute) -> Any:
    """Decode an attribute by its field's decoder; MalformedError if the value does not fit."""
    try:
        return decode_(attribute)
    except MalformedError:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise MalformedError(str(error)) from error


def storage_type(field: Any) -> str:
    """The name of the type that a field is stored as: for a foreign key, that of its target."""
    while field.remote_field and getattr(field, "target_field", None) is not None:
        field = field.target_field
    return str(field.get_internal_type())


def empty(field: Any) -> Any:
    """The value of a field whose attribute is missing: None if the field is nullable, or a default.

    The field's own default counts if it is constant or an empty list or map. A default that
    differs on each call, such as the present time, would give another value on each read.
    """
    if field.null:
        return None
    default = field.default if field.has_default() else None
    if default in (list, dict):
        return default()
    if default is not None and not callable(default):
        return default
    return _EMPTY.get(storage_type(field), "")


_EMPTY: dict[str, Any] = {
    **dict.fromkeys(
        [
            "AutoField",
            "BigAutoField",
            "SmallAutoField",
            "IntegerField",
            "BigIntegerField",
            "SmallIntegerField",
            "PositiveIntegerField",
            "PositiveBigIntegerField",
            "PositiveSmallIntegerField",
        ],
        0,
    ),
    "BooleanField": False,
    "FloatField": 0.0,
    "DecimalField": Decimal(0),
    "DurationField": timedelta(0),
    "DateTimeField": datetime.fromtimestamp(0, UTC),
    "DateField": date(1970, 1, 1),
    "TimeField": time(0),
    "BinaryField": b"",
    "JSONField": None,
    "UUIDField": None,
}


def is_text(field: Any) -> bool:
    """Whether a field's values are texts, stored as they are."""
    return storage_type(field) in ("CharField", "TextField", "SlugField", "EmailField", "URLField")


def is_key_as_stored(field: Any) -> bool:
    """Whether a field's values stand in keys as they do in its attribute."""
    return is_text(field) or storage_type(field) == "DateTimeField"


def text_of_time(moment: datetime) -> str:
    """The time in UTC with microseconds and `Z`; a naive time stays as it is."""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="microseconds")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def key_text(field: Any, value: Any) -> str:
    """A value as part of a key: a text that sorts like the values."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        # Negative numbers sort first: "0" and the distance from the least number.
        return f"1{value:020d}" if value >= 0 else f"0{10**20 + value:020d}"
    if isinstance(value, datetime):
        return text_of_time(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def _number(value: Any) -> Attribute:
    number = Decimal(str(value))
    if not number.is_finite():
        raise DataError(f"{value} is no number that DynamoDB can hold.")
    # Without normalize(), which rounds.
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS or (number and abs(number.adjusted()) > MAX_EXPONENT):
        raise DataError(f"{value} has more than the {MAX_DIGITS} digits that DynamoDB can hold.")
    return {"N": str(value)}


def _digits(attribute: Attribute) -> str:
    kind, value = _only(attribute)
    if kind not in ("N", "S"):
        raise MalformedError(f"{kind} where a number was expected")
    return str(value)


def _text(attribute: Attribute) -> str:
    kind, value = _only(attribute)
    if kind not in ("S", "N"):
        raise MalformedError(f"{kind} where a text was expected")
    return str(value)


def _only(attribute: Attribute) -> tuple[str, Any]:
    ((kind, value),) = attribute.items()
    return kind, value


def _bool(attribute: Attribute) -> bool:
    kind, value = _only(attribute)
    if kind != "BOOL":
        raise MalformedError(f"{kind} where a boolean was expected")
    return bool(value)


def _integer(attribute: Attribute) -> int:
    digits = _digits(attribute)
    if digits.lstrip("-").isdecimal():
        return int(digits)
    number = Decimal(digits)
    if number.adjusted() > MAX_EXPONENT:
        raise MalformedError(f"{digits} where a number was expected")
    return int(number)


def _datetime(attribute: Attribute) -> datetime:
    moment = datetime.fromisoformat(_text(attribute))
    if not settings.USE_TZ:
        return moment.replace(tzinfo=None)
    # Times of other programs may lack the zone: they are in UTC.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _microseconds(value: timedelta) -> Attribute:
    return {"N": str(value // timedelta(microseconds=1))}


def to_json(value: Any) -> Attribute:
    """JSON as maps and lists, or as text if these would not give back the same JSON."""
    try:
        if not isinstance(value, str):
            return _native(value)
    except _InexactError:
        pass
    return {"S": json.dumps(value, ensure_ascii=False)}


class _InexactError(Exception):
    """DynamoDB's types would change this piece of JSON."""


def _native(value: Any, depth: int = 0) -> Attribute:
    if depth >= MAX_DEPTH and isinstance(value, list | tuple | dict):
        raise _InexactError
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise _InexactError
        return {"N": str(value)}
    if isinstance(value, float):
        return _native_float(value)
    return _native_collection(value, depth + 1)


def _native_collection(value: Any, depth: int) -> Attribute:
    if isinstance(value, list | tuple):
        return {"L": [_native(each, depth) for each in value]}
    if isinstance(value, dict):
        # An attribute must have a name.
        if "" in value:
            raise _InexactError
        return {"M": {str(key): _native(each, depth) for key, each in value.items()}}
    raise DataError(f"{type(value).__name__} is no JSON.")


def _native_float(value: float) -> Attribute:
    # A whole float would come back as an integer.
    if value != value or value.is_integer() or not 1e-120 < abs(value) < 1e120:
        raise _InexactError
    return {"N": repr(value)}


def from_json(attribute: Attribute) -> Any:
    """The JSON value of a JSON field's attribute, in which a text is encoded JSON."""
    kind, value = _only(attribute)
    return json.loads(value) if kind == "S" else _plain(kind, value)


def _plain(kind: str, value: Any) -> Any:
    if kind == "M":
        return {key: _plain(*_only(each)) for key, each in value.items()}
    if kind == "L":
        return [_plain(*_only(each)) for each in value]
    if kind == "N":
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    if kind == "NULL":
        return None
    if kind in ("SS", "NS"):
        return [_plain(kind[0], each) for each in sorted(value)]
    if kind in ("S", "BOOL"):
        return value
    raise MalformedError(f"{kind} is no JSON")


Codec = tuple[Callable[[Any], Attribute], Callable[[Attribute], Any]]


def _text_codec(read: Callable[[str], Any]) -> Codec:
    return lambda value: {"S": str(value)}, lambda attribute: read(_text(attribute))


_INTEGER: Codec = (_number, _integer)
_CODECS: dict[str, Codec] = {
    "JSONField": (to_json, from_json),
    "BooleanField": (lambda value: {"BOOL": bool(value)}, _bool),
    "FloatField": (lambda value: _number(float(value)), lambda a: float(_digits(a))),
    "DecimalField": (_number, lambda a: Decimal(_digits(a))),
    "DurationField": (_microseconds, lambda a: timedelta(microseconds=_integer(a))),
    "DateTimeField": (lambda value: {"S": text_of_time(value)}, _datetime),
    "DateField": _text_codec(date.fromisoformat),
    "TimeField": (
        lambda value: {"S": value.isoformat(timespec="microseconds")},
        lambda attribute: time.fromisoformat(_text(attribute)),
    ),
    "UUIDField": _text_codec(UUID),
    "GenericIPAddressField": _text_codec(lambda text: str(ip_address(text))),
    "BinaryField": (lambda value: {"B": bytes(value)}, lambda a: bytes(a["B"])),
}


@cache
def _codec(kind: str) -> Codec:
    if kind in _CODECS:
        return _CODECS[kind]
    if "Integer" in kind or "Auto" in kind:
        return _INTEGER
    return lambda value: {"S": str(value)}, _text
