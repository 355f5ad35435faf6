"""Translates the schedule package's texts into the reader's language, for pages and the API."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import get_language

# Those who import this module need it, too.
from moca.reasons import translated as translated
from triggers.schedules import (
    Correction,
    Expression,
    ExpressionError,
    Plan,
    describe,
    japanese,
    parse,
    parse_zone,
)
from triggers.schedules.plan_parts import read_plan

Suggestion = dict[str, Any]


def describe_schedule(expression: Expression | Plan, zone: ZoneInfo | None) -> str:
    """Describe a schedule in the reader's language, with the zone if one is given."""
    if get_language() == "ja":
        return japanese.describe(expression, zone)
    return describe(expression, zone)


def suggestions_of(error: ExpressionError) -> list[Suggestion]:
    """The error's corrections in the API's form, in the reader's language.

    A suggestion for a timezone has a `timezone` only. One for an expression has an `expression`
    and a `description`; if there are any, also the `timezone` to set with it, further `parts` of
    the schedule, and `notes`.
    """
    if error.field == "timezone":
        return [{"timezone": name} for name in error.suggestions]
    return [_suggestion(each) for each in error.corrections if each.words]


def plan_of(expression: Expression, parts: Mapping[str, Any]) -> Expression | Plan:
    """The schedule of an expression with valid parts beside it."""
    return read_plan(expression, parts, parse, lambda _part, _error: None)


def _suggestion(correction: Correction) -> Suggestion:
    zone = parse_zone(correction.timezone) if correction.timezone else None
    schedule = plan_of(parse(correction.expression), correction.parts)
    suggestion: Suggestion = {
        "expression": correction.expression,
        "description": describe_schedule(schedule, zone),
    }
    if correction.parts:
        suggestion["parts"] = dict(correction.parts)
    if correction.timezone:
        suggestion["timezone"] = correction.timezone
    if correction.notes:
        suggestion["notes"] = [translated(note) for note in correction.notes]
    return suggestion
