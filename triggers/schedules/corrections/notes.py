"""Notes that several corrections share: what a correction drops or assumes."""

from moca.sentences import Sentence as _


def no_seconds(seconds: str) -> str:
    return _(
        "It leaves out the seconds (%(seconds)s), for a schedule runs at whole minutes.",
        seconds=seconds,
    )


def no_count(number: str) -> str:
    return _("It does not stop after %(number)s repetitions; set an end date.", number=number)


def no_end(end: str) -> str:
    return _("It leaves out its end; set the end date to %(end)s.", end=end[:40])


def at_midnight() -> str:
    return _("It takes midnight, because no time of day is given.")


def one_time_only() -> str:
    return _("It leaves out the other times; make a trigger for each.")


def no_interval(number: str, unit: str) -> str:
    return _(
        "It leaves out the interval; set every %(number)s %(unit)s beside it, with the date from "
        "which it counts.",
        number=number,
        unit=unit,
    )
