"""Marks among an envelope's `resources`: at whose address an event came in, and as which.

An event that an operator made up to try the triggers says whose it is.

They go with the event over an event bus, whose own ids are new for each time that one is put there.
No sender can set them: what looks like one is removed.
"""

from collections.abc import Mapping
from typing import Any

SOURCE, EVENT, TEST = "moca-event-source/", "moca-event/", "moca-test-event/"


def tag_source(envelope: dict[str, Any], source_id: str) -> None:
    """Mark an event as one that came in at the address of a source, and remove other marks."""
    others = [text for text in envelope["resources"] if not text.startswith((SOURCE, EVENT, TEST))]
    envelope["resources"] = [*others, source_tag(source_id)]


def source_tag(source_id: str) -> str:
    """The mark of a source's events."""
    return f"{SOURCE}{source_id}"


def tag_event(envelope: dict[str, Any], event_id: str) -> None:
    """Mark an event with the id under which it was received."""
    envelope["resources"] = [*envelope["resources"], f"{EVENT}{event_id}"]


def tag_test(envelope: dict[str, Any], by: str) -> None:
    """Mark an event as one that an operator made up."""
    envelope["resources"] = [*envelope["resources"], f"{TEST}{by}"]


def event_id(envelope: Mapping[str, Any]) -> str | None:
    """The id under which an event was received here; None for one from elsewhere."""
    return _marked(envelope, EVENT)


def source_id(envelope: Mapping[str, Any]) -> str | None:
    """The id of the source at whose address an event came in; None for one from elsewhere."""
    return _marked(envelope, SOURCE)


def tester(envelope: Mapping[str, Any]) -> str | None:
    """Who made an event up to try the triggers; None for one that happened."""
    return _marked(envelope, TEST)


def _marked(envelope: Mapping[str, Any], mark: str) -> str | None:
    resources = envelope.get("resources")
    for text in resources if isinstance(resources, list) else []:
        if isinstance(text, str) and text.startswith(mark):
            return text.removeprefix(mark)
    return None
