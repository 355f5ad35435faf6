"""The versions of a trigger's prompt, from its audit log: what it was, since when, and by whom."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from moca.authentication.models import AuditEntry
from triggers.models import Trigger

# How many of a trigger's latest changes are read.
MOST_READ = 200
# Hexadecimal digits of a version.
DIGITS = 10


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A prompt that a trigger has or had.

    Attributes:
        id: names the text: `version_of()` of it. If a prompt comes back, so does its id.
        prompt: the text.
        since: when the trigger got it; None if nobody knows.
        by: who wrote it; empty if nobody knows.
    """

    id: str
    prompt: str
    since: datetime | None
    by: str


def version_of(prompt: str) -> str:
    """The id of a prompt: the beginning of its SHA-256."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:DIGITS]


def versions_of(trigger: Trigger) -> list[PromptVersion]:
    """The versions of a trigger's prompt that are known, the present one first; one bounded read.

    Programs that write no audit entries may have written others in between.
    """
    return list(_versions(trigger))


def _versions(trigger: Trigger) -> Iterator[PromptVersion]:
    entries = AuditEntry.objects.filter(
        object_id=trigger.pk, object_type=trigger._meta.label_lower
    ).order_by("-pk")[:MOST_READ]
    text = trigger.prompt
    for entry in entries:
        if entry.action == AuditEntry.Action.CREATED:
            yield PromptVersion(version_of(text), text, entry.at, entry.actor)
            return
        if "prompt" not in entry.changes:
            continue
        before, after = entry.changes["prompt"]
        if after != text:
            # Another program has changed it since.
            yield PromptVersion(version_of(text), text, None, "")
            text = after
        yield PromptVersion(version_of(text), text, entry.at, entry.actor)
        text = before
    yield PromptVersion(version_of(text), text, None, "")


def find(trigger: Trigger, version: str) -> PromptVersion | None:
    """The version of a trigger's prompt with an id; None if it is not known."""
    return next((each for each in versions_of(trigger) if each.id == version), None)
