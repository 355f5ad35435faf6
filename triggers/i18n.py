"""What the schedule package says, in the reader's language."""

from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import get_language, gettext

from triggers.schedules import (
    Correction,
    Expression,
    ExpressionError,
    Sentence,
    describe,
    japanese,
    parse,
    parse_zone,
)

Suggestion = dict[str, Any]


def describe_schedule(expression: Expression, zone: ZoneInfo) -> str:
    """A schedule in words, in the reader's language."""
    return _said(expression, zone)


def _said(expression: Expression, zone: ZoneInfo | None) -> str:
    if get_language() == "ja":
        return japanese.describe(expression, zone)
    return describe(expression, zone)


def translate(text: str) -> str:
    """A sentence of the schedule package in the reader's language; any other text as it is."""
    if not isinstance(text, Sentence):
        return text
    parts = {
        name: translate(part) if isinstance(part, str) else part
        for name, part in text.parts.items()
    }
    return gettext(text.template) % parts


def suggestions_of(error: ExpressionError) -> list[Suggestion]:
    """What may be meant, as the API gives it, in the reader's language.

    For a timezone each has only a `timezone`. For an expression each has its `expression` and, in
    words, its `description`; the `timezone` to set with it and `notes` about it are there only if
    there are any.
    """
    if error.field == "timezone":
        return [{"timezone": name} for name in error.suggestions]
    return [_offer(each) for each in error.corrections if each.words]


def _offer(correction: Correction) -> Suggestion:
    zone = parse_zone(correction.timezone) if correction.timezone else None
    offer: Suggestion = {
        "expression": correction.expression,
        "description": _said(parse(correction.expression), zone),
    }
    if correction.timezone:
        offer["timezone"] = correction.timezone
    if correction.notes:
        offer["notes"] = [translate(note) for note in correction.notes]
    return offer
