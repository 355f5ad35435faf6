"""Reading expressions and zones: what is accepted, how it is written out, what an error says."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from triggers.schedules import At, Cron, ExpressionError, Rate, parse, parse_zone, zone_names


def error_of(text, read=parse):
    """The error of a text, or None if it can be read. Any other exception comes through."""
    try:
        read(text)
    except ExpressionError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cron(0 9 * * ? *)", "cron(0 9 * * ? *)"),
        ("0 9 * * ? *", "cron(0 9 * * ? *)"),
        ("  CRON( 0  9\t* * ? * ) ", "cron(0 9 * * ? *)"),
        ("cron 0 9 * * ? *", "cron(0 9 * * ? *)"),
        ("cron (0 9 * * ? *)", "cron(0 9 * * ? *)"),
        ("0 9 * * ?", "cron(0 9 * * ? *)"),
        ("cron(*/5 * * * ?)", "cron(*/5 * * * ? *)"),
        ("00 09 01 01 ? 2027", "cron(0 9 1 1 ? 2027)"),
        ("0 9 ? jan-mar mon-Fri *", "cron(0 9 ? JAN-MAR MON-FRI *)"),
        ("0 9 l * ? *", "cron(0 9 L * ? *)"),
        ("0 9 l-3 * ? *", "cron(0 9 L-3 * ? *)"),
        ("0 9 lw,15w * ? *", "cron(0 9 LW,15W * ? *)"),
        ("0 9 ? * fri#2 *", "cron(0 9 ? * FRI#2 *)"),
        ("0 9 ? * 6l,l *", "cron(0 9 ? * 6L,L *)"),
        ("0 9 ? * MON/2 *", "cron(0 9 ? * MON/2 *)"),
        ("0/90 9 * * ? *", "cron(0/90 9 * * ? *)"),
        ("rate(5 minutes)", "rate(5 minutes)"),
        ("rate 5 minutes", "rate(5 minutes)"),
        ("Rate( 1  MINUTES )", "rate(1 minute)"),
        ("rate(2 hour)", "rate(2 hours)"),
        ("rate(007 days)", "rate(7 days)"),
        ("at(2027-01-01T09:00:00)", "at(2027-01-01T09:00:00)"),
        ("AT 2027-01-01t09:00:00", "at(2027-01-01T09:00:00)"),
    ],
)
def test_canonical(text, canonical):
    assert parse(text).canonical == canonical


@pytest.mark.parametrize(
    ("text", "kind"),
    [("0 9 * * ? *", Cron), ("rate(1 day)", Rate), ("at(2027-01-01T09:00:00)", At)],
)
def test_kind(text, kind):
    assert type(parse(text)) is kind


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("0/15", (0, 15, 30, 45)),
        ("*/20", (0, 20, 40)),
        ("5/20", (5, 25, 45)),
        ("10-30/10", (10, 20, 30)),
        ("5,0/20", (0, 5, 20, 40)),
        ("*", tuple(range(60))),
        ("*,5", tuple(range(60))),
        ("7/100", (7,)),
        ("59", (59,)),
    ],
)
def test_minutes(text, minutes):
    assert parse(f"{text} 9 * * ? *").minutes == minutes


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("20-2", (0, 1, 2, 20, 21, 22, 23)),
        ("22-4/3", (1, 4, 22)),
        ("*/6", (0, 6, 12, 18)),
        ("8,12,17", (8, 12, 17)),
        ("5-5", (5,)),
    ],
)
def test_hours(text, hours):
    assert parse(f"0 {text} * * ? *").hours == hours


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("NOV-FEB", (1, 2, 11, 12)),
        ("1,APR,7,oct", (1, 4, 7, 10)),
        ("2/4", (2, 6, 10)),
        ("*/5", (1, 6, 11)),
    ],
)
def test_months(text, months):
    assert parse(f"0 0 1 {text} ? *").months == months


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("FRI-MON", (1, 2, 6, 7)),
        ("2-6", (2, 3, 4, 5, 6)),
        ("L", (7,)),
        ("*/2", (1, 3, 5, 7)),
        ("MON/2", (2, 4, 6)),
        ("TUE", (3,)),
    ],
)
def test_weekdays(text, weekdays):
    assert parse(f"0 0 ? * {text} *").rule.weekdays == weekdays


def test_year_step_counts_from_1970():
    assert parse("0 0 1 1 ? */100").years == (1970, 2070, 2170)


@pytest.mark.parametrize(
    ("text", "field", "suggestion"),
    [
        # The two day fields
        ("0 9 * * * *", "day-of-week", "0 9 * * ? *"),
        ("cron(0 9 * * * *)", "day-of-week", "cron(0 9 * * ? *)"),
        ("*/5 * * * *", "day-of-week", "*/5 * * * ? *"),
        ("0 9 1 * MON *", "day-of-week", "0 9 1 * ? *"),
        ("0 9 1 * * *", "day-of-week", "0 9 1 * ? *"),
        ("0 9 * * MON-FRI *", "day-of-month", "0 9 ? * MON-FRI *"),
        ("0 9 * * 2-6 *", "day-of-month", "0 9 ? * 2-6 *"),
        ("0 9 ? * ? *", "day-of-month", "0 9 * * ? *"),
        ("cron(0 9 ? * ?)", "day-of-month", "cron(0 9 * * ? *)"),
        # Habits from other crons
        ("0 9 * * 1-5", "day-of-month", "0 9 ? * MON-FRI *"),
        ("0 9 * * 0", "day-of-month", "0 9 ? * SUN *"),
        ("0 9 ? * 0 *", "day-of-week", "0 9 ? * SUN *"),
        ("0 9 ? * 1-5,0 *", "day-of-week", "0 9 ? * MON-FRI,SUN *"),
        ("0 0 9 * * ? *", "expression", "0 9 * * ? *"),
        ("0 0 9 * * ?", "year", "0 9 * * ? *"),
        ("0 30 9 ? * MON-FRI", "year", "30 9 ? * MON-FRI *"),
        ("@daily", "expression", "0 0 * * ? *"),
        ("@weekly", "expression", "0 0 ? * SUN *"),
        ("cron(@hourly)", "expression", "cron(0 * * * ? *)"),
        ("@reboot", "expression", None),
        ("every 5 minutes", "expression", "rate(5 minutes)"),
        ("Every hour", "expression", "rate(1 hour)"),
        ("5 mins", "expression", "rate(5 minutes)"),
        # Values
        ("60 9 * * ? *", "minutes", "0 9 * * ? *"),
        ("0 24 * * ? *", "hours", "0 0 * * ? *"),
        ("0 0-24 * * ? *", "hours", "0 0-23 * * ? *"),
        ("60 24 32 13 ? *", "minutes", "0 0 31 12 ? *"),
        ("0 9 0 * ? *", "day-of-month", "0 9 1 * ? *"),
        ("0 9 ? * 8 *", "day-of-week", "0 9 ? * 7 *"),
        ("0 9 1 1 ? 99", "year", "0 9 1 1 ? 2099"),
        ("0 9 1 1 ? 1969", "year", "0 9 1 1 ? 1970"),
        ("0 9 1 1 ? 2200", "year", "0 9 1 1 ? 2199"),
        ("50-10 * * * ? *", "minutes", "50-59,0-10 * * * ? *"),
        ("0 9 25-5 * ? *", "day-of-month", "0 9 25-31,1-5 * ? *"),
        ("0 9 * * ? 2028-2027", "year", "0 9 * * ? 2027-2028"),
        ("? 9 * * ? *", "minutes", "* 9 * * ? *"),
        ("0 ? * * ? *", "hours", "0 * * * ? *"),
        ("0 9 ?,1 * ? *", "day-of-month", None),
        ("*/0 9 * * ? *", "minutes", "* 9 * * ? *"),
        ("/5 * * * ? *", "minutes", "*/5 * * * ? *"),
        ("1,,2 * * * ? *", "minutes", "1,2 * * * ? *"),
        ("0 9, 12 * * ? *", "expression", "0 9,12 * * ? *"),
        ("0 9 1 JANUARY ? *", "month", "0 9 1 JAN ? *"),
        ("0 9 ? * MONDAY-FRIDAY *", "day-of-week", "0 9 ? * MON-FRI *"),
        ("0 9 ? * FRI#2,MON#1 *", "day-of-week", "0 9 ? * FRI#2 *"),
        ("0 9 ? * FRI#6 *", "day-of-week", "0 9 ? * FRIL *"),
        ("0 9 ? * FRI#0 *", "day-of-week", "0 9 ? * FRI#1 *"),
        ("0 9 L-0 * ? *", "day-of-month", "0 9 L * ? *"),
        ("0 9 L-31 1 ? *", "day-of-month", "0 9 L-30 1 ? *"),
        ("0 9 32W * ? *", "day-of-month", "0 9 31W * ? *"),
        ("0 L * * ? *", "hours", None),
        ("0 9 * * ? L", "year", None),
        # Days that never come
        ("0 0 31 2 ? *", "day-of-month", "0 0 L 2 ? *"),
        ("cron(0 0 30 2 ? *)", "day-of-month", "cron(0 0 L 2 ? *)"),
        ("0 0 31 4,6,9,11 ? *", "day-of-month", "0 0 L 4,6,9,11 ? *"),
        ("0 0 30W 2 ? *", "day-of-month", "0 0 LW 2 ? *"),
        ("0 0 29 2 ? 2027", "year", "0 0 29 2 ? *"),
        ("0 0 29 2 ? */4", "year", "0 0 29 2 ? *"),
        ("0 0 29 2 ? 2100", "year", "0 0 29 2 ? *"),
        ("0 0 ? 2 MON#5 1970-1979", "year", "0 0 ? 2 MON#5 *"),
        # Rates
        ("rate(5)", "rate", "rate(5 minutes)"),
        ("rate 5", "rate", "rate 5 minutes"),
        ("rate(0 minutes)", "rate", "rate(1 minute)"),
        ("rate(5 mins)", "rate", "rate(5 minutes)"),
        ("rate(5minutes)", "rate", "rate(5 minutes)"),
        ("rate(-5 minutes)", "rate", "rate(5 minutes)"),
        ("rate(1.5 hours)", "rate", "rate(90 minutes)"),
        ("rate(30 seconds)", "rate", "rate(1 minute)"),
        ("rate(2 weeks)", "rate", "rate(14 days)"),
        ("rate(99999999 days)", "rate", None),
        ("rate()", "rate", None),
        # One time
        ("at(2027-01-01)", "at", "at(2027-01-01T00:00:00)"),
        ("at(2027-01-01T09:00:00Z)", "at", "at(2027-01-01T09:00:00)"),
        ("at(2027-01-01T09:00:00+09:00)", "at", "at(2027-01-01T00:00:00)"),
        ("at(2027-01-01 09:00)", "at", "at(2027-01-01T09:00:00)"),
        ("at 2027-01-01T09:00", "at", "at 2027-01-01T09:00:00"),
        ("at(2027-02-30T09:00:00)", "at", "at(2027-02-28T09:00:00)"),
        ("at(2027-13-01T09:00:00)", "at", None),
        ("at(1969-01-01T09:00:00)", "at", None),
        ("2027-01-01T09:00:00", "expression", "at(2027-01-01T09:00:00)"),
        # The text as a whole
        ("cron(0 9 * * ? *", "expression", "cron(0 9 * * ? *)"),
        ("cron(0 9 * * ? *) daily", "expression", "cron(0 9 * * ? *)"),
        ('"0 9 * * ? *"', "expression", "0 9 * * ? *"),
        ("\uff10 \uff19 * * ? *", "expression", "0 9 * * ? *"),
        ("0 9 ? * MON\u2013FRI *", "expression", "0 9 ? * MON-FRI *"),
        ("0\u0000 9 * * ? *", "expression", None),
        ("0 9 * *", "expression", None),
        ("", "expression", None),
        ("   ", "expression", None),
        ("cron()", "expression", None),
    ],
)
def test_error(text, field, suggestion):
    error = error_of(text)
    assert (error.field, error.suggestion) == (field, suggestion)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "0 9 * * * *",
            "Put ? in day-of-week, because both day fields are * and one of the two must be ?: "
            "0 9 * * ? *.",
        ),
        ("60 9 * * ? *", '"60" is out of range: the minutes field takes 0 to 59.'),
        ("0 9 1 13 ? *", '"13" is out of range: the month field takes 1 to 12, or JAN to DEC.'),
        (
            "0 0 31 2 ? *",
            "It would never run, for none of its months has such a day; use L for the last one.",
        ),
    ],
)
def test_reason(text, reason):
    assert error_of(text).reason == reason


def test_error_is_a_value_error_that_reads_as_its_reason():
    error = error_of("rate(5)")
    assert isinstance(error, ValueError)
    assert str(error) == error.reason


def test_256_characters_are_accepted():
    text = f"cron({','.join(['10'] * 80)} 9 * * ? *)".ljust(256)
    assert parse(text).minutes == (10,)


def test_257_characters_are_refused():
    assert "257 characters" in error_of("0 9 * * ? *".ljust(257)).reason


def test_a_bare_form_too_long_to_be_wrapped_is_refused():
    text = f"{'1,' * 122}1 9 * * ? *"
    assert len(text) <= 256
    assert error_of(text).reason == (
        "Written out as cron(...) the expression passes 256 characters; shorten it."
    )


TOKENS = st.sampled_from(
    """
    * ? L W LW L-3 L-0 15W 32W 0 1 5 7 08 12 24 31 60 99 2027 2200 1-5 5-1 20-2 */5 */0 5/ /5 1,2
    1,,2 MON MONDAY mon-fri 0-6 FRI#2 FRI#6 6L JAN NOV-FEB # - , cron( rate( at( ) ( @daily every
    minutes mins hour seconds 1.5 -5 2027-01-01 2027-02-30T09:00 Z T09:00:00 30 2 29 4
    """.split()  # noqa: SIM905
)
NEAR = st.one_of(
    st.lists(TOKENS, max_size=8).map(" ".join),
    st.lists(TOKENS, min_size=5, max_size=7).map(lambda fields: f"cron({' '.join(fields)})"),
    st.lists(TOKENS, max_size=3).map(lambda words: f"rate({' '.join(words)})"),
    st.lists(TOKENS, max_size=3).map(lambda words: f"at({''.join(words)})"),
)


@settings(max_examples=examples(400), deadline=None, derandomize=True)
@given(
    st.one_of(NEAR, st.text(max_size=300), st.text("0123456789*?/,-LW# cronateMFI()", max_size=60))
)
def test_any_text_parses_or_gives_an_error_whose_suggestion_parses(text):
    error = error_of(text)
    assert error is None or (
        error.reason.endswith(".")
        and (error.suggestion is None or error_of(error.suggestion) is None)
    )


VALID = st.one_of(
    st.tuples(
        st.sampled_from(["cron(", "CRON ( ", "cron "]),
        st.sampled_from(["*", "05", "0/15", "1,2-9/3"]),
        st.sampled_from(["*", "9", "20-2", "*/6,007"]),
        st.sampled_from(["* * ?", "? jan-Mar mon", "l,lw,l-03 1 ?", "15W,1 * ?", "? 01 6L,FRI#05"]),
        st.sampled_from(["*", "2027", "2027-2030/2", ""]),
    ).map(lambda words: " ".join(words) + ")" * ("(" in words[0])),
    st.tuples(
        st.sampled_from(["rate(", "Rate "]),
        st.integers(1, 50_000).map(str),
        st.sampled_from([" minute", " HOURS", "  days"]),
    ).map(lambda words: "".join(words) + ")" * ("(" in words[0])),
    st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)).map(  # noqa: DTZ001
        lambda moment: f"at( {moment:%Y-%m-%dT%H:%M:%S})"
    ),
)


@settings(max_examples=examples(200), deadline=None, derandomize=True)
@given(VALID)
def test_the_canonical_form_reads_as_the_same_expression(text):
    expression = parse(text)
    again = parse(expression.canonical)
    assert (again, again.canonical) == (expression, expression.canonical)


@settings(max_examples=examples(200), deadline=None, derandomize=True)
@given(st.lists(TOKENS, min_size=6, max_size=6))
def test_a_suggestion_is_written_in_the_form_that_was_typed(fields):
    error = error_of(f"cron({' '.join(fields)})")
    assert error is None or error.suggestion is None or error.suggestion.startswith("cron(")


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "EST"])
def test_zone(name):
    assert parse_zone(name).key == name


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("asia/tokyo", "Asia/Tokyo"),
        ("Tokyo", "Asia/Tokyo"),
        ("Asia/Tokio", "Asia/Tokyo"),
        (" UTC ", "UTC"),
        ("utc", "UTC"),
        ("JST", "Asia/Tokyo"),
        ("GMT+9", "Etc/GMT-9"),
        ("utc -05:00", "Etc/GMT+5"),
        ("+09:00", "Etc/GMT-9"),
        ("- 3", "Etc/GMT+3"),
        ("GMT 9", "Etc/GMT-9"),
        ("UTC9", "Etc/GMT-9"),
        ("gmt0", "GMT0"),
        ("GMT+15", None),
        ("UTC+05:30", "Asia/Kolkata"),
        ("New York", "America/New_York"),
        ("", "UTC"),
        ("localtime", None),
        ("posixrules", None),
        ("Factory", None),
        ("../../etc/passwd", None),
        ("/etc/localtime", None),
        ("A" * 10_000, None),
        ("Asia/Tokyo\u0000", "Asia/Tokyo"),
    ],
)
def test_zone_error(name, suggestion):
    error = error_of(name, parse_zone)
    assert (error.field, error.suggestion) == ("timezone", suggestion)


def test_every_zone_name_makes_a_zone():
    assert {parse_zone(name).key for name in zone_names()} == zone_names()


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(st.text())
def test_any_zone_text_is_a_zone_or_an_expression_error(name):
    error = error_of(name, parse_zone)
    assert error is None or error.suggestion is None or error.suggestion in zone_names()
