"""Every N days, weeks or months from a first date, for `plan`."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

EveryUnit = Literal["days", "weeks", "months"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Every:
    """The days of every `number`th day, week or month, counted from the one that `first` is in.

    Weeks begin on Monday. Days before `first` do not count.
    """

    number: int
    unit: EveryUnit
    first: date

    def takes(self, day: date) -> bool:
        """Whether a day is in one of the periods."""
        return day >= self.first and self._place(day) % self.number == 0

    def day_from(self, day: date) -> date:
        """The first day in one of the periods that is not before `day`."""
        if day <= self.first:
            return self.first
        over = self._place(day) % self.number
        return day if over == 0 else self._beginning(day, self.number - over)

    def day_to(self, day: date) -> date | None:
        """The last day in one of the periods that is not after `day`; None if there is none."""
        if day < self.first:
            return None
        over = self._place(day) % self.number
        return day if over == 0 else self._beginning(day, 1 - over) - _DAY

    def months_of_year(self) -> tuple[int, ...]:
        """The months in which any period begins, if each year has the same; else all twelve."""
        if self.unit != "months" or 12 % self.number:
            return tuple(range(1, 13))
        return tuple(sorted((self.first.month - 1 + n) % 12 + 1 for n in range(0, 12, self.number)))

    def _place(self, day: date) -> int:
        """How many periods of one day, week or month `day` is away from `first`."""
        if self.unit == "months":
            return (day.year - self.first.year) * 12 + day.month - self.first.month
        if self.unit == "weeks":
            return (_monday(day) - _monday(self.first)).days // 7
        return (day - self.first).days

    def _beginning(self, day: date, periods: int) -> date:
        """The first day of the period that is so many periods away from that of `day`."""
        if self.unit == "months":
            months = day.year * 12 + day.month - 1 + periods
            return date(months // 12, months % 12 + 1, 1)
        if self.unit == "weeks":
            return _monday(day) + timedelta(weeks=periods)
        return day + timedelta(days=periods)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
