"""Reads the triggers and event sources for a file, page by page, for `export_triggers`."""

from collections.abc import Callable, Iterator
from typing import Any

from events import sources
from events.models import EventSource
from triggers.import_export.files import SOURCES, TRIGGERS, Sections
from triggers.import_export.serialize import source_entry, trigger_entry
from triggers.models import Trigger

Say = Callable[[str], None]


def export_sections(user_id: str, say: Say) -> Sections:
    """The sections of a file, whose entries are read while it is written.

    Args:
        user_id: exports only this user's triggers and the event sources that they listen to;
            empty for all.
        say: called with a message for each entry that is left out.
    """
    return [(SOURCES, _sources(user_id, say)), (TRIGGERS, _triggers(user_id, say))]


def _sources(user_id: str, say: Say) -> Iterator[dict[str, Any]]:
    rows = {row.pk: row for row in EventSource.objects.all()}
    wanted = _listened_to(user_id) if user_id else rows.keys() | sources.configured().keys()
    for source_id in sorted(wanted):
        if source_id in sources.configured():
            say(f"Left out, since the settings have it: event source {source_id}")
        elif source_id in rows:
            yield source_entry(rows[source_id])


def _listened_to(user_id: str) -> set[str]:
    """The ids of the event sources that a user's triggers listen to."""
    rows = Trigger.objects.of_user(user_id).events().order_by("pk").iterator()
    return {row.subscription.source_id for row in rows if row.subscription}


def _triggers(user_id: str, say: Say) -> Iterator[dict[str, Any]]:
    for owner in [user_id] if user_id else _owners():
        for trigger in Trigger.objects.of_user(owner).order_by("pk").iterator():
            if trigger.is_unreadable:
                say(f"Left out: trigger {trigger.pk} of {owner}. {trigger.sync_error}")
            else:
                yield trigger_entry(trigger)


def _owners() -> list[str]:
    """The ids of all users who have triggers, sorted here, since no index sorts by them."""
    rows = Trigger.objects.order_by("pk").values_list("user_id", flat=True)
    return sorted(set(rows.iterator()))
