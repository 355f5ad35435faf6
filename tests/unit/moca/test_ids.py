"""UUIDv7 ids, random ones and those of occurrences."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moca.ids import new_id, occurrence_id

MOMENTS = st.integers(631152000, 6942758400).map(lambda s: datetime.fromtimestamp(s, UTC))
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)


@given(st.text(min_size=1), MOMENTS)
def test_occurrence_id_is_a_version_7_uuid(trigger_id: str, at: datetime) -> None:
    assert uuid.UUID(occurrence_id(trigger_id, at)).version == 7


@given(st.text(), MOMENTS)
def test_occurrence_id_is_the_same_every_time(trigger_id: str, at: datetime) -> None:
    assert occurrence_id(trigger_id, at) == occurrence_id(trigger_id, at)


@given(MOMENTS, st.timedeltas(timedelta(milliseconds=1), timedelta(days=300)))
def test_occurrence_ids_sort_by_time(at: datetime, later: timedelta) -> None:
    assert occurrence_id("a", at) < occurrence_id("b", at + later)


def test_occurrence_id_carries_its_time() -> None:
    assert uuid.UUID(occurrence_id("a", NINE)).int >> 80 == NINE.timestamp() * 1000


def test_occurrence_ids_of_two_triggers_differ() -> None:
    assert occurrence_id("a", NINE) != occurrence_id("b", NINE)


def test_new_ids_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_new_ids_of_one_millisecond_sort_by_the_time_they_were_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter(range(1_800_000_000_000_000_000, 1_800_000_000_000_999_000, 1_000))
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    made = [new_id() for _ in range(999)]
    assert made == sorted(made)


def test_new_id_has_the_variant_of_the_rfc() -> None:
    assert {uuid.UUID(new_id()).variant for _ in range(1000)} == {uuid.RFC_4122}
