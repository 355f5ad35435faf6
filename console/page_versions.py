"""Versions of open pages: what a page that looks again by itself compares before it is made anew.

A page carries its version, a digest of each of a few cheap reads: mostly keys of an index, half a
read unit for the 20 newest. The reads are dealt out over turns. A poll makes those of one turn and
gets 204 No Content if they give what they gave when the page was made.

How long a change may go unseen:

- What a person does, the start and the end of a run: as many polls as the page has turns.
- A run that begins and ends between two polls of its turn: the same, if it is among the 20 runs
  with the latest due times. A trigger's own page compares the trigger's row, and misses none.
- All else, relative times such as "2 minutes ago" among it: `LONGEST`.
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
from events.models import ReceivedEvent
from executions.housekeeping import LONGEST_LEASE
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from moca.dynamodb.queries import from_index
from moca.ids import made_at
from triggers.models import Trigger

# A page is made anew after this time at the latest.
LONGEST = timedelta(minutes=5)
# As many entries of an index as half a read unit gives.
NEWEST = 20
# How long an index may take to list what a change has made: until then a page may lack it.
SETTLED = timedelta(seconds=5)

Read = Callable[[datetime], Iterable[Any]]
Turns = Sequence[Sequence[Read]]


def looks_again(
    turns_of: Callable[..., Turns], subject_of: Callable[..., str] = lambda **_path: ""
) -> Callable[[View], View]:
    """Answer a poll by 204 No Content while the page is as it was.

    It stands below `for_operators()`, so that nobody learns anything who may not see the page. The
    view's template shows `request.page_version` as `data-version` beside `data-refresh`.

    Args:
        turns_of: gives the reads of each turn, for the arguments of the view and a subject.
        subject_of: tells for the arguments of the view what the reads are about, if it takes a
            read to know. The page keeps that and sends it along; any operator may see it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def versioned(request: HttpRequest, *args: Any, **path: Any) -> HttpResponse:
            now = timezone.now()
            known = request.headers.get("X-Page-Version", "")
            if known and _is_unchanged(request, known, partial(turns_of, **path), now):
                return HttpResponse(status=204)
            try:
                # Before the view reads: what changes meanwhile is seen by the next poll.
                subject = subject_of(**path)
                turns = turns_of(subject=subject, **path)
                request.page_version = _version(request, turns, subject, now)  # type: ignore[attr-defined]
                response = view(request, *args, **path)
            except Http404:
                if not known:
                    raise
                response = HttpResponse(status=404)
            if known and response.status_code == 404:
                # What the page shows is gone: only the whole page can say so.
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            return response

        return versioned

    return decorate


def _version(request: HttpRequest, turns: Turns, subject: str, now: datetime) -> str:
    """When the page was made, whose view it is, what each turn's reads gave, and their subject."""
    made = str(int(now.timestamp()))
    digests = "-".join(_digest_of_turn(turn, now) for turn in turns)
    return ".".join([made, _viewer(request, made, subject), digests, subject])


def _is_unchanged(
    request: HttpRequest, known: str, turns_of: Callable[..., Turns], now: datetime
) -> bool:
    """Whether a page of this version shows what it would show now, as far as one turn tells."""
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
    """Whose view the page is, and of what: another one is never taken for unchanged."""
    operator: Any = request.user
    reader = [operator.pk, operator.role, get_language(), times_of(request).cookie]
    return _digest([made, *reader, request.get_full_path(), subject])


def _digest_of_turn(turn: Sequence[Read], now: datetime) -> str:
    return _digest([list(read(now)) for read in turn])


def _digest(values: Any) -> str:
    return salted_hmac("console.versions", repr(values), algorithm="sha256").hexdigest()[:16]


# What pages are about


def changes(now: datetime) -> Iterable[Any]:
    """The newest audit entries: what people and the product have changed."""
    newest = from_index(AuditEntry.objects.order_by("-id"))
    ids = list(newest.values_list("pk", flat=True)[:NEWEST])
    yield ids
    if ids and now - made_at(ids[0]) < SETTLED:
        # The next poll has the page made once more.
        yield now


def running(now: datetime, trigger_id: str = "") -> Iterable[Any]:
    """The runs on record as running, those of one trigger if one is named."""
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
    """All of a trigger's row, which the start and the end of each of its runs change."""
    return Trigger.objects.filter(user_id=user_id, pk=trigger_id).values_list()


def newest_events(source_ids: Sequence[str], _now: datetime) -> Iterable[Any]:
    """The events that came in last at the addresses of some sources."""
    rows = ReceivedEvent.objects.filter(source_id__in=source_ids).order_by("-received_at")
    return from_index(rows).values_list("pk", flat=True)[:NEWEST]


def queued_events(_now: datetime) -> Iterable[Any]:
    """The events that wait, of any source; one that leaves the queue changes its state."""
    return from_index(ReceivedEvent.objects.queued()).values_list("pk", flat=True)[:NEWEST]


def of_all(**_path: str) -> Turns:
    """For pages that show many triggers or runs."""
    return [[changes, running], [newest_runs]]
