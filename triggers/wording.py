"""What the schedule package says, in the reader's language."""

from zoneinfo import ZoneInfo

from django.utils.translation import get_language, gettext

from triggers.schedules import Expression, Sentence, describe, japanese


def words_of(expression: Expression, zone: ZoneInfo) -> str:
    """A schedule in words, in the reader's language."""
    if get_language() == "ja":
        return japanese.describe(expression, zone)
    return describe(expression, zone)


def translated(text: str) -> str:
    """A sentence of the schedule package in the reader's language; any other text as it is."""
    if not isinstance(text, Sentence):
        return text
    parts = {
        name: translated(part) if isinstance(part, str) else part
        for name, part in text.parts.items()
    }
    return gettext(text.template) % parts
