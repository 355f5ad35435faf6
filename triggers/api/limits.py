"""How large the body of a request about a trigger may be: as large as its fields can be."""

from django.core.validators import MaxLengthValidator
from django.db.models import Field

from events.patterns.parser import MAX_LENGTH as MAX_PATTERN
from triggers.api.body import FIELDS
from triggers.models import Trigger
from triggers.validation import (
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_TEXT_PART,
    MAX_TOOL_LENGTH,
    MAX_TOOLS,
)

# What JSON needs at most for one character: clients may write an emoji as two escapes of six bytes.
BYTES_A_CHARACTER = 12
LISTS = {"enabled_tools": MAX_TOOLS * MAX_TOOL_LENGTH, "tags": MAX_TAGS * MAX_TAG_LENGTH}
# Texts in the two maps besides the pattern: expression, zone, two dates, source and bus.
TEXT_PARTS = 6
# Names, numbers, quotes, spaces, and what a client sends back of an answer.
REST = 32 * 1024
_STEP = 64 * 1024


def largest_body() -> int:
    """Bytes that a body may have, in whole steps of 64 KB."""
    fields = [Trigger._meta.get_field(one.attribute) for one in FIELDS.values()]
    characters = sum(map(_longest, fields)) + MAX_PATTERN + TEXT_PARTS * MAX_TEXT_PART
    needed = BYTES_A_CHARACTER * characters + REST
    return -(-needed // _STEP) * _STEP


def _longest(field: object) -> int:
    """Characters of a field's value; 0 for one that is no text and no list of texts."""
    if not isinstance(field, Field):
        return 0
    by_rules = [
        int(rule.limit_value)
        for rule in field.validators
        if isinstance(rule, MaxLengthValidator) and not callable(rule.limit_value)
    ]
    return LISTS.get(field.name, 0) or max(by_rules, default=0)


LARGEST_BODY = largest_body()
