"""Threads that watch for silence, in the scheduler process and beside the web server.

If the one process dies, the other still notices.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from alerts.courier import Courier
from executions import dead_man, deadlines, search, silence
from executions.measured import Keeper
from executions.process_lease import ProcessLease
from executions.runner import HEARTBEAT
from triggers.models import Process, ProcessKind

logger = logging.getLogger(__name__)

# How often a thread does its turn.
TURN_SECONDS = HEARTBEAT.total_seconds()
# How often this process looks for silence. The first look waits as long, because the scheduler
# deals with what was due meanwhile first.
LOOK_SECONDS = 60.0
# How long a turn indexes what agents have said, at the most: runs that begin come first.
INDEX_SECONDS = 1.0
# How long the end of the process waits for a turn that is under way.
STOP_SECONDS = 2.0


@contextmanager
def beside_the_web_server() -> Iterator[None]:
    """Watch for silence and deliver alerts, which nobody else does while no scheduler is alive."""
    with watching(WebServerTurn(), Keeper(ProcessKind.WEB)), Courier():
        yield


def beside_the_scheduler(lease: ProcessLease) -> AbstractContextManager[None]:
    """Watch for silence and deadlines, and call HEARTBEAT_URL, beside a scheduler process."""
    return watching(SchedulerTurn(lease), Keeper(ProcessKind.SCHEDULER))


@contextmanager
def watching(turn: Callable[[], None], keeper: Keeper) -> Iterator[None]:
    """Run a thread that does a turn every 15 seconds, and looks for silence every minute."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(turn, keeper, over), name="watch", daemon=True)
    thread.start()
    try:
        with keeper.counting():
            yield
    finally:
        over.set()
        thread.join(STOP_SECONDS)


def _watch(turn: Callable[[], None], keeper: Keeper, over: threading.Event) -> None:
    look_at = time.monotonic() + LOOK_SECONDS
    try:
        while True:
            _guarded(turn)
            _guarded(keeper.write)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                _guarded(lambda: silence.look(timezone.now()))
            if over.wait(TURN_SECONDS):
                _guarded(keeper.write)
                return
    finally:
        connections.close_all()


def _guarded(step: Callable[[], None]) -> None:
    try:
        step()
    except DatabaseError as error:
        # The database may be away. The main thread logs that.
        logger.info("The watch could not use the database: %s", type(error).__name__)
        close_old_connections()
    except Exception:
        logger.exception("The watch broke off; trying again")


class WebServerTurn:
    """Renews the row of this web server process."""

    def __init__(self) -> None:
        self._row: Process | None = None

    def __call__(self) -> None:
        now = timezone.now()
        if self._row is None:
            row = Process.of_this(ProcessKind.WEB)
            Process.objects.replace(row)
            self._row = row
            Process.objects.forget_dead(now, ProcessKind.WEB)
            return
        self._row.renew(now)
        Process.objects.replace(self._row)


class SchedulerTurn:
    """Calls HEARTBEAT_URL and enforces deadlines while the turns of a scheduler process end well.

    The process itself renews its row.
    """

    def __init__(self, lease: ProcessLease) -> None:
        self._lease = lease
        self._call_at = time.monotonic()

    def __call__(self) -> None:
        if not self._lease.is_well:
            return
        if settings.HEARTBEAT_URL and self._lease.is_written and time.monotonic() >= self._call_at:
            self._call_at = time.monotonic() + dead_man.EVERY_SECONDS
            self._lease.call_error = dead_man.call()
        deadlines.enforce(timezone.now())
        search.index_some(INDEX_SECONDS)
