"""Values to attributes and back, and what other programs left in attributes."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, models
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moca.dynamodb import codec
from moca.dynamodb.base import DatabaseWrapper
from moca.dynamodb.codec import MalformedError, decode, encode, from_json, key_text, to_json
from moca.dynamodb.reader import key_in

many = settings(max_examples=60, deadline=None)

text = st.text(max_size=50)
integers = st.integers(-(2**63), 2**63 - 1)
# DynamoDB's numbers: 38 digits, magnitudes from 1e-130 to 9.9e125.
floats = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).filter(
    lambda number: number == 0 or 1e-120 < abs(number) < 1e120
)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4).filter(
    lambda number: len(number.as_tuple().digits) <= 38
)
moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)

FIELDS: dict[str, tuple[models.Field, st.SearchStrategy[Any]]] = {
    "CharField": (models.CharField(max_length=50), text),
    "CharField that may be null": (models.CharField(max_length=50, null=True), st.none() | text),
    "CharField with a default": (models.CharField(max_length=50, default="x"), text),
    "TextField": (models.TextField(), text),
    "SlugField": (models.SlugField(), text),
    "EmailField": (models.EmailField(), text),
    "IntegerField": (models.IntegerField(), integers),
    "PositiveBigIntegerField": (models.PositiveBigIntegerField(), integers.map(abs)),
    "BigAutoField": (models.BigAutoField(), integers),
    "BooleanField": (models.BooleanField(), st.booleans()),
    "BooleanField that may be null": (
        models.BooleanField(null=True),
        st.none() | st.booleans(),
    ),
    "FloatField": (models.FloatField(), floats),
    "DecimalField": (models.DecimalField(max_digits=38, decimal_places=4), decimals),
    "DateTimeField": (models.DateTimeField(), moments),
    "DateField": (models.DateField(), st.dates()),
    "TimeField": (models.TimeField(), st.times()),
    "DurationField": (models.DurationField(), st.timedeltas()),
    "UUIDField": (models.UUIDField(), st.uuids()),
    "GenericIPAddressField": (models.GenericIPAddressField(), st.ip_addresses().map(str)),
    "BinaryField": (models.BinaryField(), st.binary(max_size=50)),
}

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    text,
    st.sampled_from([1.0, -0.0, 0.0, 1.10, 10**37, 10**38, -(10**40), 1e-130, 5e-324, 1e300]),
)
jsons = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int, value: Any = 1) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def stored(field: models.Field, value: Any) -> Any:
    """The value as it is read after it was written."""
    attribute = encode(field, value)
    return codec.empty(field) if attribute is None else decode(field, attribute)


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_comes_back_as_it_was(name: str) -> None:
    field, values = FIELDS[name]

    @many
    @given(values)
    def same(value: Any) -> None:
        assert stored(field, value) == value

    same()


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_comes_back_as_what_it_was(name: str) -> None:
    field, values = FIELDS[name]

    @many
    @given(values)
    def same(value: Any) -> None:
        assert type(stored(field, value)) is type(value)

    same()


@many
@given(decimals)
def test_decimals_keep_their_zeros_where_the_service_does_not(value: Decimal) -> None:
    assert stored(FIELDS["DecimalField"][0], value) == value


@many
@given(moments, moments)
def test_times_sort_as_their_texts_do(one: datetime, other: datetime) -> None:
    field = models.DateTimeField()
    assert (one < other) == (key_text(field, one) < key_text(field, other))


@many
@given(integers, integers)
def test_numbers_sort_as_their_texts_do(one: int, other: int) -> None:
    field = models.BigIntegerField()
    assert (one < other) == (key_text(field, one) < key_text(field, other))


@many
@given(text, text)
def test_texts_sort_as_the_service_sorts_them(one: str, other: str) -> None:
    field = models.CharField()
    ours = key_text(field, one) < key_text(field, other)
    assert ours == (one.encode() < other.encode())


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), 1e300, 1e-200], ids=str
)
def test_a_float_that_the_service_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(DataError):
        encode(models.FloatField(), value)


@pytest.mark.parametrize("digits", ["1" * 39, "NaN", "Infinity", "1e126", "1e-131"])
def test_a_decimal_that_the_service_cannot_hold_is_refused(digits: str) -> None:
    with pytest.raises(DataError):
        encode(models.DecimalField(max_digits=60, decimal_places=0), Decimal(digits))


class TestJson:
    @many
    @given(jsons)
    @example(1.10)
    @example(1.0)
    @example(-0.0)
    @example({"price": 1.10, "whole": 1.0, "none": None, "": ""})
    @example(10**100)
    @example([10**38, -(10**38), 10**38 - 1])
    @example(nested(40))
    @example("")
    @example("null")
    @example('"quoted"')
    @example([""])
    @example({})
    @example([])
    @example([{}, [], None, True, False, 0, 1])
    @example("\u0000\U0001f600é")
    def test_it_comes_back_to_the_letter(self, value: Any) -> None:
        # Text tells 1 from 1.0 and from true, and -0.0 from 0.0.
        assert json.dumps(from_json(to_json(value))) == json.dumps(value)

    @given(st.lists(jsons, min_size=5, max_size=20))
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @example([{"": 1}, [""], nested(30), nested(31), nested(32), nested(33), nested(300)])
    @example([nested(30, []), nested(31, []), nested(31, {}), nested(30, {"a": {}})])
    @example([1e-130, 9.99e125, 1e-119, 5e-324, 1.5e-7, 10**38 - 1, 10**38, -0.0, 0.1 + 0.2])
    @example(["\u0000", {"\u0000": "\ufffe"}, {"a.b": 1, "#a": 2, ":a": 3, "a b": 4}])
    def test_it_comes_back_from_the_service_to_the_letter(
        self, dynamodb: DatabaseWrapper, values: list[Any]
    ) -> None:
        client = dynamodb.service
        for value in values:
            item = {"PK": {"S": "json"}, "SK": {"S": "json"}, "value": to_json(value)}
            client.call("put_item", TableName=client.table, Item=item)
            found = client.get(key_in(item))
            assert found is not None
            # Maps have no order there.
            read = json.dumps(from_json(found["value"]), sort_keys=True)
            assert read == json.dumps(value, sort_keys=True)

    @pytest.mark.parametrize(
        "value", [{"a": [1, "b", None, True]}, [], {}, 5, 1.5, ["x"], False], ids=str
    )
    def test_what_needs_no_text_is_stored_as_maps_and_lists(self, value: Any) -> None:
        assert "S" not in to_json(value)

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [
            ({"SS": ["b", "a"]}, ["a", "b"]),
            ({"NS": ["2", "1"]}, [1, 2]),
            ({"M": {"n": {"N": "1.50"}}}, {"n": 1.5}),
            ({"M": {"n": {"N": "-7"}}}, {"n": -7}),
            ({"L": [{"NULL": True}]}, [None]),
            ({"S": '{"a": 1}'}, {"a": 1}),
        ],
        ids=str,
    )
    def test_what_others_write_is_read(self, attribute: Any, value: Any) -> None:
        assert from_json(attribute) == value

    def test_what_is_no_json_is_refused(self) -> None:
        with pytest.raises(DataError):
            to_json({"when": datetime(2026, 1, 1, tzinfo=UTC)})


MALFORMED: list[tuple[models.Field, dict[str, Any]]] = [
    (models.CharField(), {"BOOL": True}),
    (models.CharField(), {"L": []}),
    (models.CharField(), {"M": {}}),
    (models.CharField(), {"B": b"x"}),
    (models.CharField(), {"NULL": True}),
    (models.IntegerField(), {"S": "many"}),
    (models.IntegerField(), {"S": ""}),
    (models.IntegerField(), {"BOOL": True}),
    (models.IntegerField(), {"S": "NaN"}),
    (models.IntegerField(), {"S": "Infinity"}),
    (models.IntegerField(), {"N": "1e999999999"}),
    (models.BooleanField(), {"S": "true"}),
    (models.BooleanField(), {"N": "1"}),
    (models.FloatField(), {"S": "x"}),
    (models.DecimalField(), {"S": "x"}),
    (models.DecimalField(), {"L": []}),
    (models.DateTimeField(), {"S": "yesterday"}),
    (models.DateTimeField(), {"S": ""}),
    (models.DateTimeField(), {"S": "2026-02-30T00:00:00Z"}),
    (models.DateTimeField(), {"N": "1767225600"}),
    (models.DateTimeField(), {"NULL": True}),
    (models.DateField(), {"S": "x"}),
    (models.TimeField(), {"S": "25:00"}),
    (models.DurationField(), {"S": "long"}),
    (models.DurationField(), {"N": "1e30"}),
    (models.UUIDField(), {"S": "x"}),
    (models.GenericIPAddressField(), {"S": "1.2.3"}),
    (models.BinaryField(), {"S": "x"}),
    (models.JSONField(), {"S": "{"}),
    (models.JSONField(), {"S": ""}),
    (models.JSONField(), {"B": b"x"}),
    (models.JSONField(), {"BS": [b"x"]}),
    (models.JSONField(), {"L": [{"B": b"x"}]}),
    (models.JSONField(), {"M": {"a": {"BS": [b"x"]}}}),
    (models.JSONField(), {"N": "x"}),
]


@pytest.mark.parametrize(("field", "attribute"), MALFORMED, ids=str)
def test_what_is_malformed_is_told_apart(field: models.Field, attribute: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decode(field, attribute)


attributes = st.recursive(
    st.one_of(
        st.builds(lambda value: {"S": value}, text),
        st.builds(lambda value: {"N": str(value)}, st.integers() | floats | decimals),
        st.builds(lambda value: {"BOOL": value}, st.booleans()),
        st.builds(lambda value: {"B": value}, st.binary(max_size=10)),
        st.builds(lambda value: {"SS": value}, st.lists(text, min_size=1, max_size=3)),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda value: {"L": value}, st.lists(inner, max_size=3)),
        st.builds(lambda value: {"M": value}, st.dictionaries(text, inner, max_size=3)),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("name", [*FIELDS, "JSONField"])
def test_whatever_is_in_an_attribute_is_read_or_malformed(name: str) -> None:
    field = models.JSONField() if name == "JSONField" else FIELDS[name][0]

    @many
    @given(attributes)
    def survives(attribute: dict[str, Any]) -> None:
        try:
            value = decode(field, attribute)
        except MalformedError:
            return
        assert value is not None or name == "JSONField"

    survives()


@pytest.mark.parametrize(
    ("field", "attribute", "value"),
    [
        (models.CharField(), {"N": "5"}, "5"),
        (models.IntegerField(), {"S": "5"}, 5),
        (models.IntegerField(), {"N": "5E+2"}, 500),
        (models.DateTimeField(), {"S": "2026-01-01T00:00:00Z"}, datetime(2026, 1, 1, tzinfo=UTC)),
        (models.DateTimeField(), {"S": "2026-01-01T00:00:00"}, datetime(2026, 1, 1, tzinfo=UTC)),
        (
            models.DateTimeField(),
            {"S": "2026-01-01T02:00:00+02:00"},
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
        (models.DateField(), {"S": "2026-01-01"}, date(2026, 1, 1)),
        (models.TimeField(), {"S": "12:30"}, time(12, 30)),
        (
            models.UUIDField(),
            {"S": "0198F2A0-0000-7000-8000-000000000000"},
            UUID("0198f2a0-0000-7000-8000-000000000000"),
        ),
    ],
    ids=str,
)
def test_what_others_write_in_their_way_is_read(
    field: models.Field, attribute: dict[str, Any], value: Any
) -> None:
    assert decode(field, attribute) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.CharField(null=True), None),
        (models.CharField(), ""),
        (models.CharField(default="x"), "x"),
        (models.IntegerField(), 0),
        (models.IntegerField(default=3), 3),
        (models.BooleanField(), False),
        (models.BooleanField(default=True), True),
        (models.JSONField(default=list), []),
        (models.JSONField(default=dict), {}),
        (models.JSONField(null=True), None),
    ],
    ids=str,
)
def test_an_absent_attribute_is(field: models.Field, value: Any) -> None:
    assert codec.empty(field) == value


def test_a_list_that_is_absent_is_nobody_elses() -> None:
    field = models.JSONField(default=list)
    assert codec.empty(field) is not codec.empty(field)


def test_minus_zero_keeps_its_sign() -> None:
    assert math.copysign(1, from_json(to_json(-0.0))) == -1
