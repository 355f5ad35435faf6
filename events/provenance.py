"""Tags in an envelope's `resources` that say where an event came from, for the code that runs it.

They name the event source, the id under which the event was received, and for a test event the
operator who sent it. They are in the envelope because an event bus keeps them, while it gives each
event a new id. Senders cannot set them: `tag_source` removes what looks like a tag.
"""

from collections.abc import Mapping
from typing import Any

SOURCE, EVENT, TEST = "moca-event-source/", "moca-event/", "moca-test-event/"


def tag_source(envelope: dict[str, Any], source_id: str) -> None:
    """Tag an event with the source that received it, and remove all other tags."""
    others = [text for text in envelope["resources"] if not text.startswith((SOURCE, EVENT, TEST))]
    envelope["resources"] = [*others, source_tag(source_id)]


def source_tag(source_id: str) -> str:
    """The tag of a source's events."""
    return f"{SOURCE}{source_id}"


def tag_event(envelope: dict[str, Any], event_id: str) -> None:
    """Tag an event with the id under which it was received."""
    envelope["resources"] = [*envelope["resources"], f"{EVENT}{event_id}"]


def tag_test(envelope: dict[str, Any], by: str) -> None:
    """Tag an event as a test by an operator, whose name is `by`."""
    envelope["resources"] = [*envelope["resources"], f"{TEST}{by}"]


def event_id(envelope: Mapping[str, Any]) -> str | None:
    """The id under which an event was received, or None if no source received it."""
    return _tagged(envelope, EVENT)


def source_id(envelope: Mapping[str, Any]) -> str | None:
    """The id of the source that received an event, or None if no source received it."""
    return _tagged(envelope, SOURCE)


def tester(envelope: Mapping[str, Any]) -> str | None:
    """The operator who sent a test event, or None if it is no test."""
    return _tagged(envelope, TEST)


def _tagged(envelope: Mapping[str, Any], prefix: str) -> str | None:
    resources = envelope.get("resources")
    for text in resources if isinstance(resources, list) else []:
        if isinstance(text, str) and text.startswith(prefix):
            return text.removeprefix(prefix)
    return None
