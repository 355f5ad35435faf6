"""Schedule expressions of Amazon EventBridge Scheduler: `cron(...)`, `rate(...)`, `at(...)`.

`parse` reads one, its methods give the running times, and `describe` and `find_warnings` say what
Warnings and the reasons of errors are each a `Sentence`, which can be translated.
it does. Warnings and the reasons of errors are each a `Sentence`, which can be translated.
"""

from moca.sentences import Sentence
from triggers.schedules.at import At
from triggers.schedules.cron import Cron
from triggers.schedules.description import describe, zone_words
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.parser import MAX_LENGTH, Expression, parse
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
    "Rate",
    "Sentence",
    "describe",
    "find_warnings",
    "parse",
    "parse_zone",
    "zone_names",
    "zone_words",
]
