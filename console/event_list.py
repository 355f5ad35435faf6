"""The list of event sources: where their events come from, and which triggers listen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from console import page_versions
from console.access import for_operators
from events import sources
from events.buses import get_bus
from events.models import KEPT, EventSource, ReceivedEvent
from events.signing_keys import UnreadableError
from moca.dynamodb.queries import from_index
from triggers.models import Trigger

# Counts this many of the newest event triggers. The page says if there are more.
MOST = 1000
# Events per read, and reads at most, to find the last event of each source.
LOOKED_AT = 200
READS = 4
# Sources per read. Each is a partition of its own on DynamoDB.
TOGETHER = 100
# An open page watches this many sources for new events.
WATCHED = 20
# No event waits longer than this if a scheduler process handles the queue.
PATIENCE = timedelta(minutes=1)


@dataclass(slots=True)
class Row:
    """A source as the list shows it.

    Attributes:
        triggers: the number of enabled triggers that listen to it.
        others: the number of disabled ones.
        last: when its last event arrived. None if none was found.
        since: the time back to which events were read without finding one. None if all were read.
        lacks_secret: whether it rejects all events because it has no secret.
    """

    source: EventSource
    triggers: int
    others: int
    last: datetime | None
    since: datetime | None
    lacks_secret: bool


def lacks_secret(source: EventSource, now: datetime) -> bool:
    """Whether a source of the database rejects all events because it has no readable secret."""
    if source.is_configured or not source.has_address:
        return False
    try:
        return not source.active_secrets(now)
    except UnreadableError:
        return True


def _turns(subject: str) -> page_versions.Turns:
    last = partial(page_versions.newest_events, subject.split(","))
    return [[page_versions.changes, events_wait], [last] if subject else []]


def _subject() -> str:
    """The ids of the watched sources. Each costs half a read unit per poll."""
    ids = (source.pk for source in sources.all_sources() if source.has_address)
    return ",".join(islice(ids, WATCHED))


@require_GET
@for_operators()
@page_versions.polled(_turns, _subject)
def event_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = sources.all_sources()
    words = request.GET.get("q", "").strip()
    shown = [source for source in found if _is_meant(source, words)]
    rows, has_more = rows_of(shown, now)
    context = {
        "rows": rows,
        "has_more": has_more,
        "most": MOST,
        "total": len(found),
        "words": words,
        "now": now,
        "kept": KEPT,
        "waiting_since": waiting_since(now),
    }
    return render(request, "console/events.html", context)


def waiting_since(now: datetime) -> datetime | None:
    """Since when events have waited for the scheduler process. None if none waits for long.

    With an event bus there is no queue here: an event that the bus refused waits for its sender.
    """
    if not get_bus().is_transactional:
        return None
    queued = from_index(ReceivedEvent.objects.queued())
    first = next(iter(queued.values_list("received_at", flat=True)[:1]), None)
    return first if first and first < now - PATIENCE else None


def events_wait(now: datetime) -> Iterable[Any]:
    """For the version of a page: whether events wait for long."""
    yield waiting_since(now) is not None


def _is_meant(source: EventSource, words: str) -> bool:
    text = f"{source.pk} {source.name} {source.description}".casefold()
    return all(word in text for word in words.casefold().split())


def rows_of(found: Sequence[EventSource], now: datetime) -> tuple[list[Row], bool]:
    """The rows of the list, in a few reads whatever the number of sources.

    Returns:
        The rows, and whether there are more event triggers than counted.
    """
    listening, has_more = _listening()
    last, since = _last_events([source.pk for source in found if source.has_address])
    rows = [
        Row(
            source,
            listening[source.pk, True],
            listening[source.pk, False],
            last.get(source.pk),
            since.get(source.pk),
            lacks_secret(source, now),
        )
        for source in found
    ]
    return rows, has_more


def _listening() -> tuple[Counter[tuple[Any, bool]], bool]:
    """The number of triggers that listen to each source, enabled and disabled."""
    newest = Trigger.objects.events().order_by("-pk").values_list("event_config", "enabled")
    found = list(newest[: MOST + 1])
    configs = [(config, on) for config, on in found[:MOST] if isinstance(config, dict)]
    counted = Counter((str(config.get("eventSourceId")), on) for config, on in configs)
    return counted, len(found) > MOST


def _last_events(ids: Iterable[str]) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """When the last event of each source arrived, and for the others since when none has."""
    last: dict[str, datetime] = {}
    since: dict[str, datetime] = {}
    left = list(ids)
    for start in range(0, len(left), TOGETHER):
        some = left[start : start + TOGETHER]
        for _ in range(READS):
            latest = _latest(some)
            for source_id, moment in latest:
                last[source_id] = max(moment, last.get(source_id, moment))
            some = [source_id for source_id in some if source_id not in last]
            if len(latest) < LOOKED_AT or not some:
                break
        else:
            # One or two sources have nearly all events.
            since |= dict.fromkeys(some, latest[-1][1])
    return last, since


def _latest(ids: Sequence[str]) -> list[tuple[str, datetime]]:
    if not ids:
        return []
    rows = from_index(ReceivedEvent.objects.filter(source_id__in=ids).order_by("-received_at"))
    return list(rows.values_list("source_id", "received_at")[:LOOKED_AT])
