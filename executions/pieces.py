"""What the agent of a run under way says, as rows beside the record of the run.

Where writes are charged by size, each write of the record would cost as much as all that the agent
has said. There, the record has the beginning alone until the run ends, and each write puts what is
new into a row of its own: see `OutputPiece`. Whoever reads the output of a run that may be under
way, or ends a run that another process has run, calls `fold_in()` first.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from agents import Output
from agents.output import KEPT_AT_EACH_END
from executions.models import OutputPiece, TriggerExecution
from triggers.models import RunStatus

# How long pieces are kept. Maintenance closes a lost run sooner, even after days without a process.
LIFE = timedelta(days=7)
# How many rows are read at once.
CHUNK = 20


def new_pieces(execution: TriggerExecution, output: Output, written: int) -> list[OutputPiece]:
    """The rows for what an output has beyond a number of bytes, not saved.

    There are two if the agent has said so much since then that some of it is not kept.
    """
    total = output.total_bytes
    head, tail = output.head.encode(), output.tail.encode()
    parts = [(0, head), (total - len(tail), tail)]
    return [
        _piece(execution, max(written, start), text[max(0, written - start) :])
        for start, text in parts
        if text and start + len(text) > written
    ]


def _piece(execution: TriggerExecution, start: int, text: bytes) -> OutputPiece:
    return OutputPiece(
        id=OutputPiece.key_of(execution, start),
        execution_id=execution.pk,
        start=start,
        text=text.decode(),
        ttl=int((timezone.now() + LIFE).timestamp()),
    )


def fold_in(execution: TriggerExecution) -> None:
    """Set on a record under way what was written beside it; saves nothing.

    Args:
        execution: the record, as it was just read. One of a run that has ended has its output.
    """
    has_pieces = getattr(connection.features, "charges_by_size", False)
    if not has_pieces or execution.status != RunStatus.RUNNING or not execution.attempt:
        return
    output = _whole(execution)
    # A process of an earlier release has written it to the record.
    if output.total_bytes > execution.output_bytes:
        execution.set_output(output)


def _whole(execution: TriggerExecution) -> Output:
    rows = OutputPiece.objects.of_attempt(execution)
    output, is_all = Output(), True
    for row in rows.iterator(chunk_size=CHUNK):
        output = _added(output, row)
        if output.total_bytes > 2 * KEPT_AT_EACH_END:
            is_all = False
            break
    if is_all:
        return output
    # There may be many more. Only the end of them is kept.
    newest = list(_last(rows.reverse().iterator(chunk_size=CHUNK), output.total_bytes))
    for row in reversed(newest):
        output = _added(output, row)
    return output


def _last(newest: Iterable[OutputPiece], known: int) -> Iterator[OutputPiece]:
    """The newest rows that make up what is kept of the end, without those that are known."""
    size = 0
    for row in newest:
        if row.start < known or size > KEPT_AT_EACH_END:
            return
        size += len(row.text.encode())
        yield row


def _added(output: Output, row: OutputPiece) -> Output:
    text = row.text.encode()
    end = row.start + len(text)
    if row.start > output.total_bytes:
        # What came in between is not kept, and so nothing of the end that was known.
        return Output.stored(output.head, row.text, end)
    # A write that was repeated may have more than the one before.
    output.append(text[output.total_bytes - row.start :].decode("utf-8", "ignore"))
    return output
