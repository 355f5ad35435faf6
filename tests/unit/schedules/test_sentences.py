"""What errors and warnings say: English that keeps what a translation needs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schedules.test_schedule_parse import error_of
from triggers.schedules import Sentence, find_warnings, parse_zone
from triggers.schedules.parser import parse

FIELD = st.sampled_from(["0", "9", "*", "?", "L", "15W", "FRI#2", "1-5", "5-1", "0/7", "60", "x,"])
CRON = st.lists(FIELD, min_size=4, max_size=7).map(" ".join)
BODY = st.text("0123456789 minutehrsday-:T.", max_size=20)
OTHER = st.tuples(st.sampled_from(["rate", "at", "cron"]), BODY).map("{0[0]}({0[1]})".format)


def test_is_its_english_text():
    assert Sentence("%(number)s sheep in %(place)s", number=2, place="Kent") == "2 sheep in Kent"


@given(CRON | OTHER | st.text(max_size=20))
def test_each_error_is_a_sentence(text):
    error = error_of(text)
    assert error is None or isinstance(error.reason, Sentence)


@pytest.mark.parametrize("name", ["", "Tokio", "Nowhere"])
def test_each_error_of_a_zone_is_a_sentence(name):
    assert isinstance(error_of(name, parse_zone).reason, Sentence)


@pytest.mark.parametrize(
    "text",
    [
        "at(2020-01-01T09:00:00)",
        "rate(1 day)",
        "cron(0 9 29,30,31 * ? *)",
        "cron(0 9 ? * MON#5 *)",
        "cron(0 9 ? * 1-5 *)",
        "cron(0/45 20-2 ? * MON-FRI *)",
        "cron(30 1,2 * * ? 2027)",
    ],
)
def test_each_warning_is_a_sentence(text):
    found = find_warnings(
        parse(text), parse_zone("America/New_York"), datetime(2026, 11, 24, tzinfo=UTC)
    )
    assert {type(warning) for warning in found} == {Sentence}
