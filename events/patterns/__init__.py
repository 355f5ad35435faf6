"""Event patterns of Amazon EventBridge: which events a trigger wants.

`parse` reads a pattern, `Pattern.matches` asks it of an event, and `Pattern.explain` says field by
field why it holds or does not. Nothing here needs Django or AWS.

The language is that of the EventBridge User Guide, pages "Event pattern syntax"
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html), "Comparison
operators" (.../eb-create-pattern-operators.html), "Matching on multiple values"
(.../eb-event-patterns-arrays.html) and "Null values and empty strings"
(.../eb-event-patterns-null-values.html). What they leave open is as in Event Ruler, the library
that EventBridge is built on (https://github.com/aws/event-ruler).
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
