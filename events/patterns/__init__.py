"""Event patterns of Amazon EventBridge, by which triggers select events.

`parse` returns a Pattern. `Pattern.matches` tests an event, and `Pattern.explain` says for each
field why the event matches or not. This package imports neither Django nor AWS.

The pattern language is defined by the EventBridge User Guide, pages "Event pattern syntax"
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html), "Comparison
operators" (.../eb-create-pattern-operators.html), "Matching on multiple values"
(.../eb-event-patterns-arrays.html) and "Null values and empty strings"
(.../eb-event-patterns-null-values.html). If these pages leave something open, this package does
what Event Ruler does, the library behind EventBridge (https://github.com/aws/event-ruler).
"""

from events.patterns.errors import PatternError, TooMuchWorkError
from events.patterns.explain import Finding
from events.patterns.parser import MAX_COMBINATIONS, MAX_DEPTH, MAX_LENGTH
from events.patterns.pattern import Pattern, parse
from events.patterns.work import MAX_STEPS, Work

__all__ = [
    "MAX_COMBINATIONS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_STEPS",
    "Finding",
    "Pattern",
    "PatternError",
    "TooMuchWorkError",
    "Work",
    "parse",
]
