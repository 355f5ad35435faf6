"""Write what the agents of runs under way have said and done, in threads of their own.

Otherwise a database that hangs would keep a run from reading its agent's stream until its time-out.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self

from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)

from agents import Output
from agents.replies import Reply, Transcript
from executions.models import OutputPiece, TriggerExecution, tool_map
from executions.pieces import new_pieces
from executions.runner.complete import is_charged, log_ids
from executions.runner.occurrence import BATCH, Run
from moca.dynamodb.queries import may_lag
from moca.outages import database, is_away

logger = logging.getLogger(__name__)

# How long a run that has ended waits for a write that is under way.
PATIENCE_SECONDS = 1.0
# How long nothing is written after the database was away.
RETRY_SECONDS = 5.0
# Where each write costs by the size of its row, the pause doubles with each write, up to this.
LONGEST_PAUSE_SECONDS = 60.0
# How many characters of the output the record has meanwhile, where writes cost by its size.
BEGINNING = 200
# How long the pauses are the shortest after somebody looked. Looks are marked every ten seconds
# and found within four; the rest is for the lag of the index.
LOOK_SECONDS = 20.0

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
            due = self._take()
            # Each write to DynamoDB takes a while, so its writes go side by side.
            size = 1 if is_charged() else BATCH
            for first in range(0, len(due), size):
                _pool.submit(write_and_log, due[first : first + size])

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


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be written for a run now.

    Attributes:
        run: the run.
        values: the values of its record's columns; none if the record stays as it is.
        rows: what the agent has said since the last write, where it is not written to the record.
        until: how many bytes of the output are written then.
    """

    run: Run
    values: dict[str, Any]
    rows: Sequence[OutputPiece] = ()
    until: int = 0


class Progress:
    """Writes the progress of one run inside `with Progress(...) as progress:`.

    A write is due at the end of each pause in which something came. It happens then even if the
    agent is silent: a tool that takes minutes is shown while it runs.

    Args:
        run: the run.
        pause: the least seconds between two writes. It grows with each write if writes are charged.
        on_loop: whether the run is one of an event loop. Then nothing may block, and each task
            would get a connection to the database of its own.
    """

    def __init__(self, run: Run, pause: float, *, on_loop: bool = False) -> None:
        self.run, self._pause, self._on_loop = run, pause, on_loop
        self._shortest = pause
        self._last = time.monotonic()
        self._next = self._last + pause
        self._looked_until = 0.0
        self._transcript = _NOTHING_YET
        self._is_set = False
        self._written = _values_of_nothing()
        self._bytes_written = 0
        self._is_over = False
        self._is_closed = False
        # Held from `take()` to `settle()`, so that an older state never replaces a newer one.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.run.on_look = self.look
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self.run.on_look = None
        _clock.cancel(self)
        # The result of the run is written next, to the same row.
        if self._lock.acquire(timeout=0.0 if self._on_loop else PATIENCE_SECONDS):
            self._lock.release()

    def note(self, transcript: Transcript) -> bool:
        """Note that something may have come, and have it written when that is due.

        Returns:
            False if a write has found that another process closed the run.
        """
        self._transcript = transcript
        if not self._on_loop and connection.in_atomic_block:
            # Another connection would not see what this transaction has written.
            if time.monotonic() >= self._next:
                write_and_log([self])
        elif not self._is_set:
            self._set(self._next)
        return not self._is_closed

    def look(self) -> None:
        """Have it written as often as at first for a while, because somebody looks."""
        now = time.monotonic()
        self._looked_until = now + LOOK_SECONDS
        self._next = min(self._next, max(now, self._last + self._shortest))
        if self._is_set:
            self._set(self._next)

    def take(self) -> Piece | None:
        """Take what is to be written now; None if there is nothing.

        Whoever takes a piece calls `settle()` with it, whatever has become of the write.
        """
        if not self._lock.acquire(blocking=False):
            # A write is under way. It may lack what came since.
            self._set(time.monotonic() + self._pause_now())
            return None
        self._last = time.monotonic()
        self._next = self._last + self._pause_now()
        # What comes from now on has another write, because this one may lack it.
        self._is_set = False
        piece = None
        try:
            if not (self._is_over or self._is_closed):
                piece = self._piece_of(self._transcript.so_far())
        finally:
            if piece is None:
                self._lock.release()
        return piece

    def settle(self, piece: Piece, is_ours: bool | None) -> None:
        """Note what has become of the write of a piece.

        Args:
            piece: what `take()` returned.
            is_ours: what `write()` returned for it.
        """
        try:
            if is_ours:
                self._written = piece.values or self._written
                self._bytes_written = piece.until
                self._lengthen_pause()
            elif is_ours is None and not connection.in_atomic_block:
                self._set(time.monotonic() + RETRY_SECONDS)
            else:
                self._is_closed = is_ours is False
        finally:
            self._lock.release()

    def _piece_of(self, reply: Reply) -> Piece | None:
        values = _values_of(reply)
        if values == self._written:
            values = {}
        rows: Sequence[OutputPiece] = ()
        if is_charged():
            rows = new_pieces(self.run.execution, reply.output, self._bytes_written)
        if not values and not rows:
            return None
        return Piece(self.run, values, rows, reply.output.total_bytes)

    def _lengthen_pause(self) -> None:
        if not is_charged() or self._is_looked_at() or self._pause >= LONGEST_PAUSE_SECONDS:
            return
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._next = time.monotonic() + self._pause

    def _pause_now(self) -> float:
        return self._shortest if self._is_looked_at() else self._pause

    def _is_looked_at(self) -> bool:
        return time.monotonic() < self._looked_until

    def _set(self, at: float) -> None:
        self._is_set = True
        if not self._is_over:
            _clock.set(self, at)


_NOTHING_YET = Transcript()


def _values_of(reply: Reply) -> dict[str, Any]:
    """The columns of a record with what an agent has said and done so far."""
    output = reply.output
    if is_charged():
        # Lists of runs show the beginning. The rest is in rows of its own.
        output = Output()
        output.append(reply.output.head[:BEGINNING])
    return {
        "output": output.head,
        "output_tail": output.tail,
        "output_bytes": output.total_bytes,
        "reasoning": reply.reasoning,
        "tools": [tool_map(tool) for tool in reply.tools] or None,
        # With it, another process can ask what became of the run if this one dies.
        **({"task_id": reply.task_id[:200]} if reply.task_id else {}),
    }


@cache
def _values_of_nothing() -> dict[str, Any]:
    return _values_of(_NOTHING_YET.so_far())


def write_and_log(batch: Sequence[Progress]) -> None:
    """Write what has come so far for some runs. A failure is logged, and the runs go on."""
    taken = [(progress, piece) for progress in batch if (piece := _take_and_log(progress))]
    if not taken:
        return
    results: Sequence[bool | None] = [None] * len(taken)
    try:
        results = write([piece for _, piece in taken])
    finally:
        for (progress, piece), is_ours in zip(taken, results, strict=True):
            progress.settle(piece, is_ours)


def write(pieces: Sequence[Piece]) -> list[bool | None]:
    """Write pieces to the records of their runs, in one transaction where that costs no more.

    Returns:
        For each piece False if another process has closed the run, None if it was not written and
        is to be tried again. A failure that is no refusal of the database is logged.
    """
    if database.was_on_within(RETRY_SECONDS):
        return [None] * len(pieces)
    if len(pieces) == 1 or is_charged():
        # In DynamoDB, a transaction costs twice as much as its writes one by one.
        return [_save_or_log(piece) for piece in pieces]
    try:
        with transaction.atomic():
            return [_update(piece.run, piece.values) for piece in pieces]
    except (OperationalError, InterfaceError) as error:
        _note_refusal(error)
        return [None] * len(pieces)
    except Exception:  # noqa: BLE001  (the value of one run must not keep the others from theirs)
        return [_save_or_log(piece) for piece in pieces]


def _save(run: Run, values: dict[str, Any]) -> bool | None:
    """Write to the record of a run.

    Returns:
        False if another process has closed the run, None if the database refused.
    """
    try:
        return _update(run, values)
    except (OperationalError, InterfaceError) as error:
        _note_refusal(error)
        return None


def _put(rows: Sequence[OutputPiece]) -> bool | None:
    """Write rows beside the record of a run; None if the database refused."""
    try:
        for row in rows:
            OutputPiece.objects.put(row)
    except (OperationalError, InterfaceError) as error:
        _note_refusal(error)
        return None
    return True


def _save_or_log(piece: Piece) -> bool | None:
    try:
        is_ours = _save(piece.run, piece.values)
        return _put(piece.rows) if is_ours else is_ours
    except Exception as error:  # noqa: BLE001  (the run goes on, and its end is written)
        _log(piece.run, error)
        return None


def _take_and_log(progress: Progress) -> Piece | None:
    try:
        return progress.take()
    except Exception as error:  # noqa: BLE001  (the run goes on, and its end is written)
        _log(progress.run, error)
        return None


def _update(run: Run, values: dict[str, Any]) -> bool:
    if not values:
        # A read costs a fifth of a write at the most.
        return bool(may_lag(run.record()).exists())
    key = run.execution.unfinished_key
    return bool(TriggerExecution.objects.update_keyed(key, {**values, "reached_agent": True}))


def _note_refusal(error: Exception) -> None:
    if is_away(error):
        database.failed(error)
    close_old_connections()


def _log(run: Run, error: Exception) -> None:
    # A database's error may quote what the agent said.
    reason = "The progress of a run could not be written: %s"
    logger.error(reason, type(error).__name__, extra=log_ids(run.execution))
