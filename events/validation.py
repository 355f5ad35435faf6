"""Validates the buses of event sources, and the patterns of sources and triggers.

`events.secret_rules` validates secrets and options. The handler does without them.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from events.patterns import PatternError, parse

# EventBusName of EventBridge's PutRule. A bus of another account is named by its ARN.
BUS_NAME = re.compile(r"[/.\-_A-Za-z0-9:]{1,256}")

# The fields of EventBridge's envelope.
FIELDS = (
    *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"),
    "replay-name",
)


def is_bus_open(name: str) -> bool:
    """Whether sources and triggers may listen to an event bus. "" is the default bus."""
    return not name or name in open_buses() or "*" in settings.EVENT_BUSES


def open_buses() -> list[str]:
    """Return the event buses that the settings name."""
    return sorted({settings.EVENT_BUS_NAME, *settings.EVENT_BUSES} - {"*"})


def bus_errors(name: str, *, is_free: bool) -> list[ValidationError]:
    """Find what is wrong with the name of a source's event bus. "" is the default bus.

    Args:
        name: the name.
        is_free: whether the bus may be one that the settings do not name.
    """
    if name and not BUS_NAME.fullmatch(name):
        return [
            ValidationError(_("Give the name of an event bus, such as default."), code="invalid")
        ]
    if is_free or is_bus_open(name):
        return []
    reason = _("Use one of %(buses)s, or have EVENT_BUSES name this one too.")
    buses = ", ".join(open_buses())
    return [ValidationError(reason, code="bus", params={"buses": buses})]


def pattern_errors(pattern: Any) -> list[ValidationError]:
    """Find what is wrong with an event pattern."""
    try:
        parse(pattern)
    except PatternError as error:
        return [ValidationError(error.full_message, code="pattern")]
    return spelling_errors(pattern)


def spelling_errors(pattern: Any) -> list[ValidationError]:
    """Find keys of a pattern that are another spelling of a field of events.

    The AWS CDK writes `detailType`, for example, and turns it into `detail-type`. As it is written,
    such a pattern is valid, and matches no event.
    """
    reason = _("No event has a field %(key)s: write %(field)s.")
    return [
        ValidationError(reason, code="pattern", params={"key": key, "field": field})
        for key, field in _misspelt(pattern)
    ]


def _misspelt(pattern: Any) -> Iterator[tuple[str, str]]:
    """The keys that are another spelling of a field, each with the field."""
    if not isinstance(pattern, dict):
        return
    for key in pattern:
        field = _FOLDED.get(_fold(key))
        if field and key not in FIELDS:
            yield key, field
    for choice in pattern.get("$or", ()):
        yield from _misspelt(choice)


def _fold(key: str) -> str:
    """A key without what people and tools spell in different ways."""
    return re.sub(r"[-_ ]", "", key).lower()


_FOLDED = {_fold(field): field for field in FIELDS}
