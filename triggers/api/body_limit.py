"""The largest body of a request about a trigger, from the limits of its fields.

The middleware of `moca.api` reads it by the setting API_BODY_LIMIT. The largest webhook or event is
MAX_EVENT_BYTES of the settings.
"""

from typing import Any

from events.patterns.parser import MAX_LENGTH as MAX_PATTERN
from moca.api.fields import Document, Names, Text
from moca.api.serializers import Column, MapSerializer
from triggers.output_checks import MAX_SCHEMA
from triggers.serializers import TriggerSerializer
from triggers.validation import MAX_TEXT_PART

# The most bytes of JSON for one character: clients may write an emoji as two escapes of six bytes.
BYTES_PER_CHARACTER = 12
# For names, numbers, quotes, spaces, and read-only fields that a client sends back.
OVERHEAD = 32 * 1024
_STEP = 64 * 1024


def largest_body() -> int:
    """The limit in bytes, a multiple of 64 KB."""
    characters = sum(map(_longest, TriggerSerializer.written().values()))
    needed = BYTES_PER_CHARACTER * characters + OVERHEAD
    return -(-needed // _STEP) * _STEP


def _longest(column: Column) -> int:
    """The most characters in a field's value; 0 for a number, a flag or a choice."""
    field, rules = column.field, column.rules()
    if isinstance(field, Names):
        return int(rules["maxItems"] * field.each["maxLength"])
    if isinstance(field, MapSerializer):
        return sum(map(_longest_part, field.fields.values()))
    return int(rules.get("maxLength", 0))


def _longest_part(part: Any) -> int:
    """The most characters in a part of a map."""
    if part.read_only:
        return 0
    if isinstance(part, Names):
        return int(part.rules["maxItems"] * part.each["maxLength"])
    if isinstance(part, Document):
        return max(MAX_PATTERN, MAX_SCHEMA)
    return MAX_TEXT_PART * isinstance(part, Text)


LARGEST_BODY = largest_body()
