"""How large the body of a request about a trigger may be: as large as its fields can be."""

from typing import Any

from events.patterns.parser import MAX_LENGTH as MAX_PATTERN
from moca.api.fields import Document, Names, Text
from moca.api.serializers import Column, MapSerializer
from triggers.serializers import TriggerSerializer
from triggers.validation import MAX_TEXT_PART

# What JSON needs at most for one character: clients may write an emoji as two escapes of six bytes.
BYTES_A_CHARACTER = 12
# Names, numbers, quotes, spaces, and what a client sends back of an answer.
REST = 32 * 1024
_STEP = 64 * 1024


def largest_body() -> int:
    """Bytes that a body may have, in whole steps of 64 KB."""
    characters = sum(map(_longest, TriggerSerializer.written().values()))
    needed = BYTES_A_CHARACTER * characters + REST
    return -(-needed // _STEP) * _STEP


def _longest(column: Column) -> int:
    """Characters of a field's value; 0 for one that is no text and holds none."""
    field, rules = column.field, column.rules()
    if isinstance(field, Names):
        return int(rules["maxItems"] * field.each["maxLength"])
    if isinstance(field, MapSerializer):
        return sum(map(_longest_part, field.fields.values()))
    return int(rules.get("maxLength", 0))


def _longest_part(part: Any) -> int:
    """Characters of a part of a map."""
    if part.read_only:
        return 0
    return MAX_PATTERN if isinstance(part, Document) else MAX_TEXT_PART * isinstance(part, Text)


LARGEST_BODY = largest_body()
