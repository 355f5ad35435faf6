"""The sign of life of this process: a thread that renews its row, and looks for silence.

The scheduler process and the web server run it. If the one dies, the other still notices.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from alerts.courier import Courier
from executions import dead_man, deadlines, silence
from executions.processes import RENEWAL, Kind, Process, forget_dead

logger = logging.getLogger(__name__)

# How often this process looks for silence. The first look waits as long, because the scheduler
# deals with what was due meanwhile first.
LOOK_SECONDS = 60.0
# How long the main thread may be busy before this thread stops to call it alive.
PATIENCE_SECONDS = 120.0
# How long the end of the process waits for a write that is under way.
STOP_SECONDS = 2.0


@contextmanager
def beside_the_web_server() -> Iterator[None]:
    """Watch for silence and deliver alerts, which nobody else does while no scheduler is alive."""
    with SignOfLife(Kind.WEB), Courier():
        yield


class SignOfLife:
    """Use it as a context manager around the work of a process.

    Args:
        kind: one of `Kind`.
        runs: returns how many runs this process has under way.
    """

    def __init__(self, kind: str, runs: Callable[[], int] = lambda: 0) -> None:
        self._kind, self._runs = kind, runs
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="sign-of-life", daemon=True)
        self._marked_at: float | None = None
        self._row: Process | None = None
        self._look_at = self._call_at = 0.0

    def __enter__(self) -> Self:
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._call_at = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(STOP_SECONDS)

    def mark(self) -> None:
        """Say that the main thread goes on. After the first call, it has to be repeated."""
        self._marked_at = time.monotonic()

    @property
    def _is_alive(self) -> bool:
        marked = self._marked_at
        return marked is None or time.monotonic() - marked < PATIENCE_SECONDS

    def _live(self) -> None:
        try:
            while True:
                self._turn()
                if self._over.wait(RENEWAL.total_seconds()):
                    return
        finally:
            connections.close_all()

    def _turn(self) -> None:
        try:
            if self._is_alive:
                self._call()
                self._renew()
                if self._kind == Kind.SCHEDULER:
                    deadlines.enforce(timezone.now())
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LOOK_SECONDS
                silence.look(timezone.now())
        except DatabaseError as error:
            # The database may be away. The main thread logs that.
            logger.info("No sign of life could be written: %s", type(error).__name__)
            close_old_connections()
        except Exception:
            logger.exception("The sign of life broke off; trying again")

    def _renew(self) -> None:
        now = timezone.now()
        if self._row is None:
            row = Process.of_this(self._kind)
            row.save(force_insert=True)
            self._row = row
            forget_dead(now, self._kind)
            return
        row = self._row
        row.runs = self._runs()
        row.renew(now)
        values = ("seen_at", "alive_until", "ttl", "runs", "called_at", "call_error")
        found = Process.objects.filter(pk=row.pk)
        if not found.update(**{name: getattr(row, name) for name in values}):
            # Another process held this one for dead.
            row.save(force_insert=True)

    def _call(self) -> None:
        """Call HEARTBEAT_URL, if this process fires schedules and the call is due."""
        if self._kind != Kind.SCHEDULER or not settings.HEARTBEAT_URL or self._row is None:
            return
        if time.monotonic() < self._call_at:
            return
        self._call_at = time.monotonic() + dead_man.EVERY_SECONDS
        self._row.call_error = dead_man.call()[:200]
        self._row.called_at = timezone.now()
