"""The engine against two walks through time that share no code with it.

One walk goes through every minute in UTC and looks at the clock on the wall, so it knows about
changes of the clock only what the wall shows. The other goes through every day of forty years for
sparse expressions. Both match text against the grammar value by value. Together they
compare about 25,000 cases of (expression, zone, instant), of which more than 20,000 differ from
all others, and each case for the next run as well as the previous one.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from triggers.schedules import ExpressionError, parse

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

ZONES = """
UTC Asia/Tokyo Asia/Kathmandu America/New_York America/St_Johns America/Sao_Paulo America/Havana
America/Scoresbysund Europe/London Europe/Berlin Europe/Dublin Africa/Casablanca Africa/Cairo
Africa/Monrovia Asia/Beirut Asia/Gaza Asia/Tehran Australia/Lord_Howe Pacific/Apia
Pacific/Chatham Pacific/Kwajalein Pacific/Kiritimati Antarctica/Troll Antarctica/Casey
Antarctica/Vostok Asia/Pyongyang
""".split()  # noqa: SIM905


def number(word, names, low):
    return names.index(word) + low if word in names else int(word)


@lru_cache(maxsize=100_000)
def item_matches(item, value, low, high, names=()):
    base, _, step = item.partition("/")
    first, dash, last = base.partition("-")
    start = low if first == "*" else number(first, names, low)
    end = number(last, names, low) if dash else (high if step or first == "*" else start)
    span = high - low + 1
    ahead = (value - start) % span
    return ahead <= (end - start) % span and ahead % int(step or 1) == 0


@lru_cache(maxsize=100_000)
def matches(text, value, low, high, names=()):
    return any(item_matches(item, value, low, high, names) for item in text.split(","))


def is_workday(day):
    return day.isoweekday() <= 5


def month_day_matches(item, day):
    length = monthrange(day.year, day.month)[1]
    if item == "LW":
        return is_workday(day) and not any(
            is_workday(day.replace(day=later)) for later in range(day.day + 1, length + 1)
        )
    if item.endswith("W"):
        wanted = int(item[:-1])
        if wanted > length:
            return False
        workdays = [n for n in range(1, length + 1) if is_workday(day.replace(day=n))]
        return day.day == min(workdays, key=lambda n: abs(n - wanted))
    if item.startswith("L"):
        return (day + int(item[2:] or 0) * DAY).month == day.month and (
            day + (int(item[2:] or 0) + 1) * DAY
        ).month != day.month
    return item_matches(item, day.day, 1, 31)


def week_day_matches(item, day):
    weekday = day.isoweekday() % 7 + 1
    if item == "L":
        return weekday == 7
    if item.endswith("L"):
        return weekday == number(item[:-1], WEEKDAYS, 1) and (day + 7 * DAY).month != day.month
    name, hash_sign, nth = item.partition("#")
    if hash_sign:
        return weekday == number(name, WEEKDAYS, 1) and -(-day.day // 7) == int(nth)
    return item_matches(item, weekday, 1, 7, WEEKDAYS)


def day_matches(fields, day):
    _, _, month_days, months, week_days, years = fields
    if not (matches(years, day.year, 1970, 2199) and matches(months, day.month, 1, 12, MONTHS)):
        return False
    if month_days == "?":
        return any(week_day_matches(item, day) for item in week_days.split(","))
    return any(month_day_matches(item, day) for item in month_days.split(","))


@lru_cache
def change_days(zone):
    """A plain day, and the days from 1970 to 2060 after which the offset of the zone changes."""
    days = [datetime(2027, 2, 27, tzinfo=UTC)]
    for count in range(90 * 365):
        day = datetime(1970, 1, 10, tzinfo=UTC) + count * DAY
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            days.append(day)
    return days


def walk_minutes(fields, zone, start, days):
    """Every run in the `days` days from `start`, found by looking at the wall each minute."""
    is_minute = [matches(fields[0], value, 0, 59) for value in range(60)]
    is_hour = [matches(fields[1], value, 0, 23) for value in range(24)]
    is_day = lru_cache(lambda day: day_matches(fields, day))
    seen, runs = set(), []
    # Offsets are not whole minutes everywhere, so each minute is entered where its wall does.
    for count in range(-1440, days * 1440):
        moment = start + count * MINUTE
        wall = moment.astimezone(zone)
        if wall.second:
            moment += timedelta(seconds=60 - wall.second)
            wall = moment.astimezone(zone)
        if not (is_minute[wall.minute] and is_hour[wall.hour] and is_day(wall.date())):
            continue
        shown = (wall.date(), wall.hour, wall.minute)
        if shown not in seen:
            seen.add(shown)
            runs.append(moment)
    return [run for run in runs if run >= start]


def walk_dates(fields, years):
    """Every matching date of these years."""
    for year in years:
        for month in range(1, 13):
            if matches(fields[5], year, 1970, 2199) and matches(fields[3], month, 1, 12, MONTHS):
                length = monthrange(year, month)[1]
                dates = (date(year, month, day) for day in range(1, length + 1))
                yield from (day for day in dates if day_matches(fields, day))


def walk_days(fields, zone, years):
    """Every run on the local dates of these years."""
    return [run for day in walk_dates(fields, years) for run in day_runs(fields, zone, day)]


def day_runs(fields, zone, day):
    runs = []
    for hour in filter(lambda value: matches(fields[1], value, 0, 23), range(24)):
        for minute in filter(lambda value: matches(fields[0], value, 0, 59), range(60)):
            wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            instants = {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
            shown = [at for at in instants if at.astimezone(zone) == wall]
            runs += [min(shown)] if shown else []
    return runs


def assert_agrees(expression, zone, runs, moment, start, end):
    """`runs` are all those from `start` until before `end`."""
    after = bisect_right(runs, moment)
    found = expression.next_run(moment, zone)
    if after < len(runs):
        assert found == runs[after]
    else:
        assert found is None or found >= end
    before = bisect_left(runs, moment)
    found = expression.previous_run(moment, zone)
    if before:
        assert found == runs[before - 1]
    else:
        assert found is None or found < start


def some_instants(random, count, runs, start, end):
    """Instants within the window: on runs, next to runs and anywhere."""
    for _ in range(count):
        moment = start + timedelta(seconds=random.randrange(int((end - start).total_seconds())))
        if runs and random.random() < 0.5:
            offsets = (-3600, -60, -1, 0, 0, 1, 30, 60, 3600)
            moment = random.choice(runs) + timedelta(seconds=random.choice(offsets))
        yield min(max(moment, start), end - MINUTE)


def field(low, high, names=(), wraps=False, extras=()):
    """A strategy for the text of a field."""
    value = st.integers(low, high)
    word = value.map(str)
    if names:
        word = st.one_of(word, value.map(lambda n: names[n - low]))
    pairs = st.tuples(value, value)
    if not wraps:
        pairs = pairs.map(sorted)
    ranges = pairs.map(lambda pair: f"{pair[0]}-{pair[1]}")
    step = st.integers(1, (high - low) // 2).map(lambda n: f"/{n}")
    stepped = st.tuples(st.one_of(st.just("*"), word, ranges), step).map("".join)
    items = st.one_of(word, ranges, stepped, *extras)
    return st.lists(items, min_size=1, max_size=3).map(",".join)


def mostly(common, rare):
    return st.integers(0, 5).flatmap(lambda number: rare if number == 5 else common)


EVERY = st.just("*")
MINUTES = st.one_of(EVERY, field(0, 59), st.sampled_from(["0", "30", "0/15", "*/7", "59"]))
HOURS = st.one_of(
    EVERY, field(0, 23, wraps=True), st.sampled_from(["0", "1", "2", "3", "23", "0-3"])
)
FEW_MINUTES = st.sampled_from(["0", "30", "59", "15,45", "0/20", "1"])
FEW_HOURS = st.sampled_from(["0", "1", "2", "3", "23", "12", "1-2", "22-1/3"])
MONTH_DAYS = st.tuples(
    field(
        1,
        31,
        extras=(
            st.sampled_from(["L", "LW", "L-1", "L-3", "L-29"]),
            st.integers(1, 31).map(lambda day: f"{day}W"),
        ),
    ),
    st.just("?"),
)
WEEK_DAYS = st.tuples(
    st.just("?"),
    st.one_of(
        field(1, 7, WEEKDAYS, wraps=True, extras=(st.sampled_from(["L", "6L", "SUNL", "1L"]),)),
        st.tuples(st.sampled_from([*WEEKDAYS, "2", "7"]), st.integers(1, 5)).map(
            lambda pair: f"{pair[0]}#{pair[1]}"
        ),
    ),
)
EVERY_DAY = st.sampled_from([("*", "?"), ("?", "*")])
YEARS = st.one_of(EVERY, EVERY, field(1970, 2199), st.sampled_from(["2000-2060/3", "*/3", "2027"]))


@st.composite
def crons(draw, minutes, hours, days, months, years):
    month_day, week_day = draw(days)
    return [draw(minutes), draw(hours), month_day, draw(months), week_day, draw(years)]


def parsed(fields):
    """The expression, or None for one that is refused."""
    try:
        return parse(" ".join(fields))
    except ExpressionError:
        return None


def never_comes(fields):
    return next(walk_dates(fields, range(1970, 2200)), None) is None


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(
    crons(
        MINUTES,
        HOURS,
        mostly(EVERY_DAY, st.one_of(MONTH_DAYS, WEEK_DAYS)),
        mostly(EVERY, field(1, 12, MONTHS, wraps=True)),
        EVERY,
    ),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.integers(0, 2**32),
)
def test_walk_by_minutes_around_changes_of_the_clock(fields, zone, seed):
    """400 examples x 40 instants = 16,000 cases, each next and previous."""
    random = Random(seed)
    expression = parsed(fields)
    if expression is None:
        assert never_comes(fields)
        return
    start = random.choice(change_days(zone)) - DAY
    end = start + 3 * DAY
    runs = walk_minutes(fields, zone, start, 3)
    runs = list(takewhile(lambda run: run < end, runs))
    for moment in some_instants(random, 40, runs, start, end):
        assert_agrees(expression, zone, runs, moment, start, end)


@settings(max_examples=examples(60), deadline=None, derandomize=True)
@given(
    crons(
        FEW_MINUTES,
        FEW_HOURS,
        st.one_of(MONTH_DAYS, WEEK_DAYS),
        st.one_of(EVERY, field(1, 12, MONTHS, wraps=True), st.just("2"), st.just("3,10")),
        YEARS,
    ),
    st.sampled_from(ZONES).map(ZoneInfo),
    st.integers(1970, 2150),
    st.integers(0, 2**32),
)
def test_walk_by_days_of_forty_years(fields, zone, year, seed):
    """160 examples x 60 instants = 9,600 cases, each next and previous."""
    random = Random(seed)
    expression = parsed(fields)
    if expression is None:
        assert never_comes(fields)
        return
    runs = walk_days(fields, zone, range(year, year + 41))
    # The walk goes by local days; two days inside its ends every offset has been passed.
    start = datetime(year, 1, 3, tzinfo=UTC)
    end = datetime(year + 40, 12, 29, tzinfo=UTC)
    runs = [run for run in runs if start <= run < end]
    for moment in some_instants(random, 60, runs, start, end):
        assert_agrees(expression, zone, runs, moment, start, end)
