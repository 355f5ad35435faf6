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

_pool = ThreadPoolExecutor(4, thread_name_prefix="progress")


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
        self._timer: threading.Timer | None = None
        self._written = _values_of(Transcript().so_far())
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
        if self._timer is not None:
            self._timer.cancel()
        # The result of the run is written next, to the same row.
        if self._lock.acquire(timeout=PATIENCE_SECONDS):
            self._lock.release()

    def note(self, transcript: Transcript) -> bool:
        """Note that something may have come, and have it written when that is due.

        Returns:
            False if a write has found that another process closed the run.
        """
        if connection.in_atomic_block:
            # Another connection would not see what this transaction has written.
            if time.monotonic() >= self._next:
                self._write(transcript)
        elif self._timer is None:
            self._start_timer(transcript, self._next - time.monotonic())
        return not self._is_closed

    def _start_timer(self, transcript: Transcript, seconds: float) -> None:
        timer = threading.Timer(max(0.0, seconds), self._queue_write, [transcript])
        timer.daemon = True
        self._timer = timer
        timer.start()

    def _queue_write(self, transcript: Transcript) -> None:
        # The threads of the pool keep their connections to the database.
        _pool.submit(self._write_and_log, transcript)

    def _write_and_log(self, transcript: Transcript) -> None:
        try:
            self._write(transcript)
        except Exception as error:  # noqa: BLE001  (the run goes on, and its end is written)
            # A database's error may quote what the agent said.
            reason = "The progress of a run could not be written: %s"
            logger.error(reason, type(error).__name__, extra=log_ids(self._run.execution))

    def _write(self, transcript: Transcript) -> None:
        with self._lock:
            self._next = time.monotonic() + self._pause
            # What comes from now on starts the next timer, because this write may lack it.
            self._timer = None
            if self._is_over or self._is_closed:
                return
            values = _values_of(transcript.so_far())
            if values == self._written:
                return
            is_ours = None if database.was_on_within(RETRY_SECONDS) else _save(self._run, values)
            if is_ours:
                self._written = values
            elif is_ours is None and not connection.in_atomic_block:
                self._start_timer(transcript, RETRY_SECONDS)
            else:
                self._is_closed = is_ours is False


def _values_of(reply: Reply) -> dict[str, Any]:
    return {
        "output": reply.output.head,
        "output_tail": reply.output.tail,
        "output_bytes": reply.output.total_bytes,
        "reasoning": reply.reasoning,
        "tools": [tool_map(tool) for tool in reply.tools] or None,
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
