"""Write what the agents of runs under way have said and done, in threads of their own.

Otherwise a database that hangs would keep a run from reading its agent's stream until its time-out.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from agents.replies import Reply, Transcript
from executions.models import tool_map
from executions.runner.claim import Run
from executions.runner.complete import log_ids
from moca.outages import database, is_away

logger = logging.getLogger(__name__)

# How long a run that has ended waits for a write that is under way.
PATIENCE_SECONDS = 1.0
# How long nothing is written after the database was away.
RETRY_SECONDS = 5.0

# How often it is seen which writes are due.
TICK_SECONDS = 0.1

_pool = ThreadPoolExecutor(4, thread_name_prefix="progress")


class _Clock:
    """Starts writes when they are due: one thread for all runs of a process."""

    def __init__(self) -> None:
        self._due: dict[Progress, float] = {}
        self._lock = threading.Lock()
        self._is_needed = threading.Event()
        self._thread: threading.Thread | None = None

    def set(self, progress: "Progress", at: float) -> None:
        """Have the progress of a run written at a monotonic time."""
        with self._lock:
            self._due[progress] = at
            self._is_needed.set()
            # A fork leaves the thread behind.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._tick, name="progress clock", daemon=True
                )
                self._thread.start()

    def cancel(self, progress: "Progress") -> None:
        with self._lock:
            self._due.pop(progress, None)

    def _tick(self) -> None:
        while self._is_needed.wait():
            time.sleep(TICK_SECONDS)
            for progress in self._take():
                _pool.submit(progress.write_and_log)

    def _take(self) -> "list[Progress]":
        with self._lock:
            now = time.monotonic()
            due = [progress for progress, at in self._due.items() if at <= now]
            for progress in due:
                del self._due[progress]
            if not self._due:
                self._is_needed.clear()
        return due


_clock = _Clock()


class Progress:
    """Writes the progress of one run inside `with Progress(...) as progress:`.

    A write is due at the end of each pause in which something came. It happens then even if the
    agent is silent: a tool that takes minutes is shown while it runs.

    Args:
        run: the run.
        pause: the least seconds between two writes.
    """

    def __init__(self, run: Run, pause: float) -> None:
        self._run, self._pause = run, pause
        self._next = time.monotonic() + pause
        self._transcript = Transcript()
        self._is_set = False
        self._written = _values_of(self._transcript.so_far())
        self._is_over = False
        self._is_closed = False
        # Held during a write, so that an older state never replaces a newer one.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        _clock.cancel(self)
        # The result of the run is written next, to the same row.
        if self._lock.acquire(timeout=PATIENCE_SECONDS):
            self._lock.release()

    def note(self, transcript: Transcript) -> bool:
        """Note that something may have come, and have it written when that is due.

        Returns:
            False if a write has found that another process closed the run.
        """
        self._transcript = transcript
        if connection.in_atomic_block:
            # Another connection would not see what this transaction has written.
            if time.monotonic() >= self._next:
                self._write()
        elif not self._is_set:
            self._is_set = True
            _clock.set(self, self._next)
        return not self._is_closed

    def write_and_log(self) -> None:
        """Write what has come so far. A failure is logged, and the run goes on."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001  (the run goes on, and its end is written)
            # A database's error may quote what the agent said.
            reason = "The progress of a run could not be written: %s"
            logger.error(reason, type(error).__name__, extra=log_ids(self._run.execution))

    def _write(self) -> None:
        with self._lock:
            self._next = time.monotonic() + self._pause
            # What comes from now on has another write, because this one may lack it.
            self._is_set = False
            if self._is_over or self._is_closed:
                return
            values = _values_of(self._transcript.so_far())
            if values == self._written:
                return
            is_ours = None if database.was_on_within(RETRY_SECONDS) else _save(self._run, values)
            if is_ours:
                self._written = values
            elif is_ours is None and not connection.in_atomic_block:
                self._is_set = True
                _clock.set(self, time.monotonic() + RETRY_SECONDS)
            else:
                self._is_closed = is_ours is False


def _values_of(reply: Reply) -> dict[str, Any]:
    return {
        "output": reply.output.head,
        "output_tail": reply.output.tail,
        "output_bytes": reply.output.total_bytes,
        "reasoning": reply.reasoning,
        "tools": [tool_map(tool) for tool in reply.tools] or None,
        # With it, another process can ask what became of the run if this one dies.
        **({"task_id": reply.task_id[:200]} if reply.task_id else {}),
    }


def _save(run: Run, values: dict[str, Any]) -> bool | None:
    """Write to the record of a run.

    Returns:
        False if another process has closed the run, None if the database refused.
    """
    try:
        return bool(run.record().update(**values, reached_agent=True))
    except (OperationalError, InterfaceError) as error:
        if is_away(error):
            database.failed(error)
        close_old_connections()
        return None
