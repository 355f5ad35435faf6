"""Write the output of runs under way to their records, in threads of their own.

Otherwise a database that hangs would keep a run from reading its agent's stream until its time-out.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from agents import Output
from executions.runner.claim import Run
from moca.outages import database, is_away

# How long a run waits for its output to be written.
PATIENCE_SECONDS = 1.0
# How long no output is written after the database was away.
RETRY_SECONDS = 5.0

_pool = ThreadPoolExecutor(4, thread_name_prefix="progress")


class Progress:
    """Writes the output of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._writing: Future[bool] | None = None

    def write(self, output: Output) -> bool:
        """Write the output, unless the last write is under way or the database is away.

        Returns:
            False if a write has found that another process closed the run.
        """
        if connection.in_atomic_block:
            # Another connection would not see what this transaction has written.
            return _save(self._run, output)
        if self._writing is None:
            if database.was_on_within(RETRY_SECONDS):
                return True
            self._writing = _pool.submit(_save, self._run, output)
        elif not self._writing.done():
            return True
        try:
            is_ours = self._writing.result(PATIENCE_SECONDS)
        except NotYetError:
            return True
        self._writing = None
        return is_ours


def _save(run: Run, output: Output) -> bool:
    try:
        written = run.record().update(
            output=output.head,
            output_tail=output.tail,
            output_bytes=output.total_bytes,
            reached_agent=True,
        )
    except (OperationalError, InterfaceError) as error:
        # The next write has this output, too.
        if is_away(error):
            database.failed(error)
        close_old_connections()
        return True
    return bool(written)
