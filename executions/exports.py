"""Runs as CSV or as JSON lines, for the API, the pages and `manage.py export_runs`.

Rows are read some at a time, so the memory that an export takes does not grow with its length.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from executions.models import TriggerExecution
from moca.times import iso

CSV, JSONL = "csv", "jsonl"
FORMATS = {CSV: "text/csv; charset=utf-8", JSONL: "application/x-ndjson"}
# How many rows one read takes: fewer if each may have 128 KB of output.
READ_AT_ONCE, WITH_OUTPUT_AT_ONCE = 500, 50
# Fields that no export has.
LEFT_OUT = ("event_payload", "reasoning", "tools", "questions", "answers")
OUTPUT = ("output", "output_tail")
# Spreadsheets take a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# The mark by which spreadsheets know UTF-8.
MARK = "\ufeff"

Value = str | int | float | None
Match = Callable[[TriggerExecution], bool]


def _usage(key: str) -> Callable[[TriggerExecution], Value]:
    def read(execution: TriggerExecution) -> Value:
        usage = execution.usage if isinstance(execution.usage, dict) else {}
        value: Value = usage.get(key)
        return value

    return read


def _time(name: str) -> Callable[[TriggerExecution], Value]:
    def read(execution: TriggerExecution) -> Value:
        moment: datetime | None = getattr(execution, name)
        return iso(moment) if moment else None

    return read


COLUMNS: dict[str, Callable[[TriggerExecution], Value]] = {
    "executionId": lambda run: run.pk,
    "triggerId": lambda run: run.trigger_id,
    "userId": lambda run: run.user_id,
    "agentId": lambda run: run.agent_id,
    "status": lambda run: str(run.status),
    "outcome": lambda run: str(run.shown_outcome),
    "source": lambda run: str(run.source),
    "attempt": lambda run: run.attempt,
    "scheduledAt": _time("scheduled_at"),
    "startedAt": _time("started_at"),
    "completedAt": _time("completed_at"),
    "durationMs": lambda run: run.duration_ms,
    "inputTokens": _usage("inputTokens"),
    "outputTokens": _usage("outputTokens"),
    "cacheReadTokens": _usage("cacheReadTokens"),
    "cacheWriteTokens": _usage("cacheWriteTokens"),
    "cost": _usage("cost"),
    "currency": _usage("currency"),
    "errorCode": lambda run: run.error_code,
    "error": lambda run: run.error,
    "sessionId": lambda run: run.session_id,
    "requestId": lambda run: run.request_id,
    "replayOf": lambda run: run.replay_of,
    "continues": lambda run: run.continues,
}
SAID, NAME = "output", "triggerName"


def columns(*, with_output: bool) -> dict[str, Callable[[TriggerExecution], Value]]:
    """The columns of an export, each with the function that reads its value of a run.

    New ones come last, after the output too, because scripts may count columns.
    """
    said = {SAID: lambda run: run.said.text} if with_output else {}
    return {**COLUMNS, **said, NAME: lambda run: run.trigger_name}


def read(
    rows: Any, *, with_output: bool = False, after: str = "", most: float = float("inf")
) -> Iterator[TriggerExecution]:
    """The runs of a query, newest first, with the names of their triggers.

    One that is lost is shown as failed.

    Args:
        rows: the query.
        with_output: whether what the agents said is read.
        after: the id of the run before the first; empty to begin with the newest.
        most: how many runs are read.
    """
    now, last = timezone.now(), after
    size = WITH_OUTPUT_AT_ONCE if with_output else READ_AT_ONCE
    names: dict[str, str] = {}
    rows = rows.defer(*LEFT_OUT, *(() if with_output else OUTPUT)).order_by("-pk")
    while most > 0:
        some = list((rows.filter(pk__lt=last) if last else rows)[: int(min(size, most))])
        if new := [execution for execution in some if execution.trigger_id not in names]:
            names |= dict.fromkeys((execution.trigger_id for execution in new), "")
            names |= TriggerExecution.objects.trigger_names(new, only_own=True)
        for execution in some:
            execution.trigger_name = names[execution.trigger_id]
            execution.close_if_lost(now)
            yield execution
        if len(some) < size:
            return
        last, most = some[-1].pk, most - len(some)


def lines(
    executions: Iterable[TriggerExecution],
    form: str,
    *,
    with_output: bool = False,
    is_first: bool = True,
    mark: bool = False,
) -> Iterator[str]:
    """The lines of an export, one for each run.

    Args:
        executions: the runs, from `read()`.
        form: `csv` or `jsonl`.
        with_output: whether there is a column with what the agent said.
        is_first: whether CSV begins with a line of names.
        mark: whether CSV begins with a byte order mark, for spreadsheets.
    """
    reads = columns(with_output=with_output)
    if form == CSV and is_first:
        yield (MARK if mark else "") + _csv_line([*reads])
    for execution in executions:
        values = [read_value(execution) for read_value in reads.values()]
        if form == CSV:
            yield _csv_line([_cell(value) for value in values])
        else:
            found = zip(reads, values, strict=True)
            present = {name: value for name, value in found if value not in (None, "")}
            yield json.dumps(present, ensure_ascii=False, separators=(",", ":")) + "\n"


def file_name(form: str, now: datetime) -> str:
    """The name under which a browser saves an export."""
    return f"runs-{now:%Y-%m-%d-%H%M}.{form}"


def _cell(value: Value) -> Value:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def _csv_line(cells: Iterable[Value]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
