"""Serves `/metrics` for Prometheus, on one machine.

Web server and scheduler are processes of their own. Each writes what it has counted to a row of the
database every 15 seconds, and the web server shows the rows of all. The queue is read at each
request. Nothing is counted or written while METRICS_TOKEN is not set.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from executions import measures
from executions.models.measured import KEPT, MeasuredProcess
from moca import exposition, metrics
from moca.exposition import Registry, Sample
from moca.ids import new_id
from triggers.models import Process


class Keeper:
    """Keeps the counts of this process in its row.

    Args:
        kind: `scheduler` or `web`.
    """

    def __init__(self, kind: str) -> None:
        self._id, self._kind = new_id(), kind
        self._registry = Registry()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count in the block, if METRICS_TOKEN is set."""
        if settings.METRICS_TOKEN:
            metrics.use(self._registry)
        try:
            yield
        finally:
            metrics.leave(self._registry)

    def write(self) -> None:
        """Write the row; nothing if METRICS_TOKEN is not set."""
        if not settings.METRICS_TOKEN:
            return
        now = timezone.now()
        row = MeasuredProcess(
            pk=self._id,
            kind=self._kind,
            series=self._registry.snapshot(),
            seen_at=now,
            ttl=int((now + KEPT).timestamp()),
        )
        MeasuredProcess.objects.replace(row)


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """All counts, for a request with the token."""
    token = settings.METRICS_TOKEN
    if not token or settings.TRIGGER_LAMBDA_ARN:
        return HttpResponse(
            "There are no metrics here: set METRICS_TOKEN. On AWS they are in CloudWatch.\n",
            status=404,
            content_type="text/plain",
        )
    way, _, given = request.headers.get("Authorization", "").partition(" ")
    if way.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    text = exposition.text([*_queue(), *_counted()], measures.ALL)
    return HttpResponse(text, content_type=exposition.CONTENT_TYPE)


def _counted() -> Iterator[Sample]:
    """The counts of all processes."""
    for row in MeasuredProcess.objects.shown(timezone.now()):
        for name, labels, counts in row.series:
            yield Sample(name, {**labels, "process": str(row)}, counts)


def _queue() -> Iterator[Sample]:
    """The queue, as the scheduler processes saw it at their last heartbeat."""
    now = timezone.now()
    queue = Process.objects.queue(now)
    if queue is None:
        return
    waited = max(0.0, (now - queue.since).total_seconds()) if queue.since else 0.0
    yield Sample(measures.WAITING.name, {}, queue.waiting)
    yield Sample(measures.OLDEST.name, {}, waited)
    yield Sample(measures.RUNNING.name, {}, queue.running)
    yield Sample(measures.PLACES.name, {}, queue.places)
