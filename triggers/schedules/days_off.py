"""Days that a schedule leaves out, and working days, for `plan`.

Public holidays are those of the `holidays` package. It is loaded by the first schedule that names a
country: it takes 0.1 s and 17 MB.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from moca.sentences import Sentence as _

_DAY = timedelta(days=1)
# Saturday and Sunday, as numbers of `date.weekday()`.
_WEEKEND = frozenset({5, 6})


class _Country(NamedTuple):
    """The public holidays of a year with their names, and what a weekend is there."""

    holidays: Mapping[date, str]
    weekend: frozenset[int]
    # Days of a weekend on which people work, in exchange for another day.
    workdays: frozenset[date]


_NOWHERE = _Country({}, _WEEKEND, frozenset())


class _Year(NamedTuple):
    left_out: frozenset[date]
    working: frozenset[date]


@dataclass(frozen=True, slots=True)
class DaysOff:
    """The days that a schedule leaves out.

    Attributes:
        dates: single days.
        ranges: first and last days.
        holidays: a country, or a country and a subdivision, such as "DE" or "DE-BY"; else empty.
        weekends: whether weekends are left out.
    """

    dates: frozenset[date] = frozenset()
    ranges: tuple[tuple[date, date], ...] = ()
    holidays: str = ""
    weekends: bool = False
    _known: dict[int, _Year] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether no day is left out."""
        return not (self.dates or self.ranges or self.holidays or self.weekends)

    @property
    def is_weekly(self) -> bool:
        """Whether at most Saturdays and Sundays are left out."""
        return not (self.dates or self.ranges or self.holidays)

    def is_left_out(self, day: date) -> bool:
        """Whether the schedule leaves a day out."""
        return day in self._year(day.year).left_out

    def is_working(self, day: date) -> bool:
        """Whether a day is neither left out nor part of a weekend."""
        return day in self._year(day.year).working

    def knows_holidays(self, year: int) -> bool:
        """Whether its country has a public holiday in a year; true if it names no country."""
        return not self.holidays or bool(_country(self.holidays, year).holidays)

    def why(self, day: date) -> str:
        """Why a day is left out, in a word or two; empty if it is not."""
        if not self.is_left_out(day):
            return ""
        country = _country(self.holidays, day.year)
        if name := country.holidays.get(day):
            return name
        if day in self.dates or any(first <= day <= last for first, last in self.ranges):
            return _("left out")
        return _("weekend")

    def working_days(self, year: int, month: int) -> list[date]:
        """The working days of a month, in order."""
        return sorted(day for day in self._year(year).working if day.month == month)

    def _year(self, year: int) -> _Year:
        known = self._known.get(year)
        if known is None:
            known = self._known[year] = self._read(year)
        return known

    def _read(self, year: int) -> _Year:
        country = _country(self.holidays, year)
        days = [date(year, 1, 1) + n * _DAY for n in range(366)]
        days = [day for day in days if day.year == year]
        free = {
            day for day in days if day.weekday() in country.weekend and day not in country.workdays
        }
        out = set(country.holidays) | {day for day in self.dates if day.year == year}
        for first, last in self.ranges:
            start = max(first, date(year, 1, 1))
            end = min(last, date(year, 12, 31))
            out |= {start + n * _DAY for n in range((end - start).days + 1)}
        if self.weekends:
            out |= free
        return _Year(frozenset(out), frozenset(days) - free - out)


NO_DAYS_OFF = DaysOff()


@lru_cache(maxsize=512)
def _country(name: str, year: int) -> _Country:
    """What a year has in a country; Saturday and Sunday are the weekend without one."""
    if not name:
        return _NOWHERE
    from holidays import country_holidays  # 100 ms of each start, and 17 MB

    country, _dash, subdivision = name.partition("-")
    found = country_holidays(country, subdiv=subdivision or None, years=year, expand=False)
    weekend = frozenset(found.weekend)
    return _Country(dict(found.items()), weekend, frozenset(found.weekend_workdays))


def countries() -> Mapping[str, str]:
    """The codes of the countries whose public holidays are known, with their English names."""
    from holidays.registry import COUNTRIES  # 100 ms of each start, and 17 MB

    found = {
        codes[1]: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", codes[0]) for codes in COUNTRIES.values()
    }
    return dict(sorted(found.items(), key=lambda each: each[1]))


def code_of(text: str) -> str:
    """The code of a country, given its English name or its code in small letters; else empty."""
    wanted = text.strip().casefold()
    found = (
        code for code, name in countries().items() if wanted in (name.casefold(), code.lower())
    )
    return next(found, "")


def country_names() -> Mapping[str, tuple[str, ...]]:
    """The countries whose public holidays are known, each with its subdivisions."""
    from holidays import list_supported_countries  # 100 ms of each start, and 17 MB

    found = list_supported_countries(include_aliases=False)
    return {name: tuple(found[name]) for name in sorted(found)}
