"""Messages that an address did not take in, for the pages: rejected ones, and what a source hears.

Anybody can send anything to an address. Headers that may have secrets are therefore masked before
they are stored, and all texts are cut. `events.rejections` and `events.listening` write the rows.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models, transaction
from django.utils.translation import ngettext

from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Index, Layout
from moca.ids import new_id

# How long a rejected message is shown.
KEPT = timedelta(days=7)
# Headers of a message that are shown, and characters of each.
MAX_HEADERS, MAX_NAME, MAX_VALUE = 40, 60, 120
MAX_TYPE = 100
# Names of headers whose values are never shown.
SECRET_NAME = re.compile(
    r"auth|cookie|credential|digest|hash|hmac|jwt|key|pass|secret|session|sig|token|cert|csrf|xsrf"
)
# Names of headers whose values are shown even if they look like a secret.
OPEN_NAME = re.compile(
    r"(^|-)(id|uuid|delivery|event|topic|timestamp|time|type|version|length|agent|host|accept|"
    r"encoding|date|connection|proto|port|domain|resource|trigger|origin|language|attempt)$"
)
# A value without spaces of so many characters may be a secret.
OPAQUE = re.compile(r"[^\s:;,]{20,}")
# What may stand before a signature or token: `sha256=`, `v1,`, `Bearer `.
LEAD = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]{0,11}[=, ])")
# What `_form()` has stored in place of a secret.
MASKED = re.compile(r"(.*)••• \((\d{1,9}) characters\)")


class Purpose(models.TextChoices):
    """Why a message was kept."""

    REJECTED = "rejected"
    HEARD = "heard"


class SeenQuerySet(ExpectingQuerySet["SeenMessage"]):
    def of(self, source_id: str, purpose: str) -> Self:
        """Select the messages of a source, the newest first."""
        return self.filter(source_id=source_id, purpose=purpose).order_by("-seen_at")


class SeenMessage(models.Model):
    """A message that came to a source's address and was not taken in."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    source_id = models.CharField(max_length=36)
    purpose = models.CharField(max_length=10, choices=Purpose)
    seen_at = models.DateTimeField()
    # Why it was rejected: a word, and the sentence that its log line has.
    code = models.CharField(max_length=30, blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # How many were rejected since the one before it.
    times = models.PositiveIntegerField(default=1)
    # Pairs of a name and a value that may be shown.
    headers = models.JSONField(default=list)
    media_type = models.CharField(max_length=MAX_TYPE, blank=True)
    size = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    # The first part of the body, if it may be shown.
    start = models.TextField(blank=True)
    # The whole message, encrypted, if it is to be verified with a secret that is not known yet.
    sealed = models.TextField(blank=True)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the row goes.")

    objects: ClassVar[Any] = SeenQuerySet.as_manager()

    dynamodb = Layout(
        "SEEN#{id}",
        "SEEN",
        indexes=[Index("GSI3", "SEEN#{source_id}#{purpose}", "{seen_at}")],
    )

    class Meta:
        app_label = "events"
        indexes = [
            models.Index(fields=["source_id", "purpose", "seen_at"]),
            models.Index(fields=["ttl"]),
        ]

    def __str__(self) -> str:
        return self.id


def keep(row: SeenMessage, most: int) -> None:
    """Store a message, and remove the oldest ones of its source beyond `most`."""
    with transaction.atomic():
        row.save(force_insert=True)
        rows = SeenMessage.objects.of(row.source_id, row.purpose)
        ids = list(rows.values_list("pk", flat=True)[: most + 10])
        for pk in ids[most:]:
            SeenMessage.objects.filter(pk=pk).delete()


def shown_headers(headers: Mapping[str, str]) -> list[list[str]]:
    """The headers of a message as pages may show them, sorted by name."""
    return [
        [printable(name, MAX_NAME), printable(_shown(name, text), MAX_VALUE)]
        for name, text in sorted(headers.items())[:MAX_HEADERS]
    ]


def _shown(name: str, text: str) -> str:
    """The value of a header, or its form if it may be a secret."""
    if not text:
        return ""
    if SECRET_NAME.search(name):
        return _form(text)
    if not OPEN_NAME.search(name) and OPAQUE.search(text):
        return _form(text)
    return text


def _form(text: str) -> str:
    """What a secret looks like: what leads it, and how long it is. `sha256=••• (71 characters)`."""
    lead = LEAD.match(text)
    return f"{lead.group() if lead else ''}••• ({len(text)} characters)"


def header_words(value: str) -> str:
    """The stored value of a header in the reader's language, in which a masked one is described."""
    masked = MASKED.fullmatch(value)
    if masked is None:
        return value
    lead, number = masked[1], int(masked[2])
    words = ngettext("%(number)s character", "%(number)s characters", number)
    return f"{lead}••• ({words % {'number': number}})"


def printable(text: str, most: int) -> str:
    """At most so many characters of a text; others than letters, signs and line ends as �."""
    kept = "".join(each if each.isprintable() or each == "\n" else "�" for each in text[:most])
    return f"{kept}…" if len(text) > most else kept
