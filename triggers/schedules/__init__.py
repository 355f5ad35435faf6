"""Schedule expressions of Amazon EventBridge Scheduler: `cron(...)`, `rate(...)`, `at(...)`.

`parse` returns a Cron, Rate or At, whose methods compute its runs. A `Plan` has several of these,
and rules for the days: intervals, days left out, working days. `describe` puts a schedule in words,
and `find_warnings` says what may surprise its author. Warnings and error reasons are `Sentence`s,
which `triggers.i18n` translates. This package imports neither Django nor AWS. docs/schedules.md has
the grammar.
"""

from moca.sentences import Sentence
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.description import describe, zone_words
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.form import MAX_LENGTH
from triggers.schedules.parser import Expression, parse
from triggers.schedules.plan import Plan
from triggers.schedules.rate import Rate
from triggers.schedules.timezones import parse_zone, zone_names
from triggers.schedules.warnings import find_warnings

__all__ = [
    "MAX_LENGTH",
    "At",
    "Correction",
    "Cron",
    "Expression",
    "ExpressionError",
    "Plan",
    "Rate",
    "Sentence",
    "describe",
    "find_warnings",
    "parse",
    "parse_zone",
    "zone_names",
    "zone_words",
]
