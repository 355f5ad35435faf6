"""The triggers that an action of the list takes: the ticked ones, or all that match its filters."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import NotSupportedError
from django.db.models import QuerySet

from triggers.models import Trigger

# The most triggers that one action takes.
MOST = 1000
# Keys that one read asks for.
KEYS_A_READ = 100
# What is longer is no key of a trigger.
LONGEST_USER, LONGEST_ID = 128, 36


@dataclass(frozen=True, slots=True)
class Selection:
    """Triggers that somebody chose.

    Attributes:
        triggers: the triggers.
        is_all: whether they are all that match, most of which nobody has ticked.
        has_more: whether more match than one action takes.
        too_many: whether more rows would have to be looked through than the database allows.
    """

    triggers: list[Trigger] = field(default_factory=list)
    is_all: bool = False
    has_more: bool = False
    too_many: bool = False

    @property
    def keys(self) -> str:
        """The triggers in one field of a form, because a form may not have a field for each."""
        return json.dumps([f"{trigger.user_id}:{trigger.pk}" for trigger in self.triggers])


def matching(rows: QuerySet[Trigger]) -> Selection:
    """The newest `MOST` of the triggers that match."""
    try:
        found = list(rows.order_by("-pk")[: MOST + 1])
    except NotSupportedError:
        return Selection(is_all=True, too_many=True)
    return Selection(found[:MOST], is_all=True, has_more=len(found) > MOST)


def with_keys(ticked: Iterable[str]) -> Selection:
    """The triggers whose users and ids are named, in one read for each 100."""
    keys = list(_keys(ticked))
    found: list[Trigger] = []
    for start in range(0, len(keys), KEYS_A_READ):
        found += Trigger.objects.named(keys[start : start + KEYS_A_READ])
    return Selection(found)


def read_keys(text: str) -> list[str]:
    """What `Selection.keys` wrote; empty if it makes no sense."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [key for key in found if isinstance(key, str)][:MOST] if isinstance(found, list) else []


def _keys(ticked: Iterable[str]) -> Iterator[tuple[str, str]]:
    for each in ticked:
        user, _colon, trigger_id = each.rpartition(":")
        if 0 < len(user) <= LONGEST_USER and 0 < len(trigger_id) <= LONGEST_ID:
            yield user, trigger_id
