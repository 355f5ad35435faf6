"""Versions of open pages: a poll renders the page again only if its version has changed.

A page carries its version: digests of a few cheap reads, mostly of the 20 newest keys of an index,
which cost half a read unit. The reads are divided into turns. Each poll repeats the reads of one
turn, and gets 204 No Content if the digest is the same.

How long a change may go unseen:

- An operator's change, the start or the end of a run: as many polls as the page has turns.
- A run that starts and ends between two polls of its turn: the same, if it is among the 20 runs
  with the latest due times. The page of a trigger compares the trigger's row, and misses no run.
- Everything else, such as the relative time "2 minutes ago": `LONGEST`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import get_language

from console.access import View
from console.times import times_of
from events.models import ReceivedEvent, SeenMessage
from events.seen import Purpose
from executions.maintenance import LONGEST_LEASE
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from moca.dynamodb.queries import from_index
from moca.ids import made_at
from triggers.models import Trigger

# A page is rendered again after this time at the latest.
LONGEST = timedelta(minutes=5)
# Half a read unit reads this many entries of an index.
NEWEST = 20
# An index may take this long to contain a change. A page rendered earlier may lack it.
SETTLED = timedelta(seconds=5)

Read = Callable[[datetime], Iterable[Any]]
Turns = Sequence[Sequence[Read]]


def polled(
    turns_of: Callable[..., Turns], subject_of: Callable[..., str] = lambda **_path: ""
) -> Callable[[View], View]:
    """Answer polls with 204 No Content while the page is unchanged.

    Put it below `for_operators()`, so that it answers only those who may see the page. The view's
    template writes `request.page_version` as `data-version` beside `data-refresh`.

    Args:
        turns_of: returns the reads of each turn, given the view's arguments and a subject.
        subject_of: returns the subject of the reads, given the view's arguments, if finding it
            takes a read. The page sends it with each poll. Any operator may see it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def versioned(request: HttpRequest, *args: Any, **path: Any) -> HttpResponse:
            now = timezone.now()
            known = request.headers.get("X-Page-Version", "")
            if known and _is_unchanged(request, known, partial(turns_of, **path), now):
                return HttpResponse(status=204)
            try:
                # Before the view reads, so that the next poll sees changes made meanwhile.
                subject = subject_of(**path)
                turns = turns_of(subject=subject, **path)
                request.page_version = _version(request, turns, subject, now)  # type: ignore[attr-defined]
                response = view(request, *args, **path)
            except Http404:
                if not known:
                    raise
                response = HttpResponse(status=404)
            if known and response.status_code == 404:
                # The row is gone. Only a reload of the whole page can show that.
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            return response

        return versioned

    return decorate


def _version(request: HttpRequest, turns: Turns, subject: str, now: datetime) -> str:
    """The time of the page, a digest of its viewer, the digests of its turns, and the subject."""
    made = str(int(now.timestamp()))
    digests = "-".join(_digest_of_turn(turn, now) for turn in turns)
    return ".".join([made, _viewer(request, made, subject), digests, subject])


def _is_unchanged(
    request: HttpRequest, known: str, turns_of: Callable[..., Turns], now: datetime
) -> bool:
    """Whether the reads of one turn give the same as when the page was rendered."""
    made, viewer, digests, subject = [*known.split(".", 3), "", "", ""][:4]
    if not constant_time_compare(viewer, _viewer(request, made, subject)):
        return False
    if now.timestamp() - int(made) >= LONGEST.total_seconds():
        return False
    turns, before = turns_of(subject=subject), digests.split("-")
    if len(before) != len(turns):
        return False
    turn = request.headers.get("X-Page-Turn", "")
    place = int(turn) % len(turns) if turn.isdecimal() and len(turn) < 10 else 0
    return before[place] == _digest_of_turn(turns[place], now)


def _viewer(request: HttpRequest, made: str, subject: str) -> str:
    """A digest of the operator, the language, the times and the URL: others get a new page."""
    operator: Any = request.user
    reader = [operator.pk, operator.role, get_language(), times_of(request).cookie]
    return _digest([made, *reader, request.get_full_path(), subject])


def _digest_of_turn(turn: Sequence[Read], now: datetime) -> str:
    return _digest([list(read(now)) for read in turn])


def _digest(values: Any) -> str:
    return salted_hmac("console.versions", repr(values), algorithm="sha256").hexdigest()[:16]


# Reads


def changes(now: datetime) -> Iterable[Any]:
    """The newest audit entries: changes by operators and by the product itself."""
    newest = from_index(AuditEntry.objects.order_by("-id"))
    ids = list(newest.values_list("pk", flat=True)[:NEWEST])
    yield ids
    if ids and now - made_at(ids[0]) < SETTLED:
        # A value that differs at the next poll, which renders the page once more.
        yield now


def running(now: datetime, trigger_id: str = "") -> Iterable[Any]:
    """The runs that are recorded as running, of one trigger if it is given."""
    leased = TriggerExecution.objects.running().filter(lease_until__isnull=False)
    found = from_index(leased.order_by("-lease_until"))
    rows = found.values_list("trigger_id", "pk", "lease_until")[:NEWEST]
    # A heartbeat that renews a lease changes nothing that a page shows.
    return sorted(
        (owner, pk, until < now, until > now + LONGEST_LEASE)
        for owner, pk, until in rows
        if until and (owner == trigger_id or not trigger_id)
    )


def newest_runs(_now: datetime) -> Iterable[Any]:
    """The runs with the latest due times."""
    newest = from_index(TriggerExecution.objects.order_by("-id"))
    return newest.values_list("pk", flat=True)[:NEWEST]


def row_of(user_id: str, trigger_id: str, _now: datetime) -> Iterable[Any]:
    """A trigger's row, which changes at the start and the end of each of its runs."""
    return Trigger.objects.filter(user_id=user_id, pk=trigger_id).values_list()


def newest_events(source_ids: Sequence[str], _now: datetime) -> Iterable[Any]:
    """The last received events of some sources."""
    rows = ReceivedEvent.objects.filter(source_id__in=source_ids).order_by("-received_at")
    return from_index(rows).values_list("pk", flat=True)[:NEWEST]


def newest_heard(source_id: str, _now: datetime) -> Iterable[Any]:
    """The last message that came while a source listened."""
    return SeenMessage.objects.of(source_id, Purpose.HEARD).values_list("pk", flat=True)[:1]


def queued_events(_now: datetime) -> Iterable[Any]:
    """The queued events of all sources. An event that leaves the queue changes its state."""
    return from_index(ReceivedEvent.objects.queued()).values_list("pk", flat=True)[:NEWEST]


def of_all(**_path: str) -> Turns:
    """The turns of pages that show many triggers or runs."""
    return [[changes, running], [newest_runs]]
