"""The API's views that export executions as CSV or JSON lines."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request

from executions import exports
from executions.api.views import Filters, of_trigger, span
from executions.models import TriggerExecution
from moca.api import parameters
from moca.api.errors import NotFoundError
from moca.api.pagination import last_of, token_after
from moca.api.views import APIView
from moca.ids import first_id

# The header with the `nextToken` of an export in parts.
NEXT = "X-Next-Token"
# What a part has at the most: rows, rows that are looked at, and bytes. Lambda returns 6 MB, and
# some answers grow by a third on their way.
MOST_ROWS, MOST_LOOKED_AT, MOST_BYTES = 10_000, 20_000, 4 * 1024 * 1024
PARAMETERS = (
    *("format", "limit", "nextToken", "status", "outcome", "agentId", "search"),
    *("since", "until", "output"),
)


class ExportView(APIView):
    parameters: ClassVar = {"GET": PARAMETERS}

    def get(self, request: Request, trigger_id: str) -> HttpResponseBase:
        """Export a trigger's executions, newest first."""
        rows, is_there = of_trigger(self.user_id, trigger_id)
        if not is_there and not rows.exists():
            raise NotFoundError("trigger")
        return _export(request, rows, [self.user_id, "export", trigger_id])


class AllExportView(APIView):
    parameters: ClassVar = {"GET": (*PARAMETERS, "triggerId")}

    def get(self, request: Request) -> HttpResponseBase:
        """Export the executions of all your triggers, newest first."""
        rows = TriggerExecution.objects.of_user(self.user_id)
        if trigger_id := parameters.search_text(request.query_params, "triggerId"):
            rows = of_trigger(self.user_id, trigger_id)[0]
        return _export(request, rows, [self.user_id, "export all", trigger_id])


def _export(request: Request, rows: Any, bound_to: Sequence[str]) -> HttpResponseBase:
    query, now = request.query_params, timezone.now()
    filters = Filters(query, now)
    form = parameters.choice(query, "format", [*exports.FORMATS]) or exports.CSV
    with_output = parameters.flag(query, "output")
    limit = parameters.whole_number(query, "limit", default=0, least=1, most=MOST_ROWS)
    since, until = span(query)
    rows = rows.filter(pk__gte=first_id(since)) if since else rows
    rows = rows.filter(pk__lt=first_id(until)) if until else rows
    rows = filters.listed(rows).defer(None)
    bound = [*bound_to, *filters.values, form, str(with_output), str(since), str(until)]
    last = last_of(query.get("nextToken"), bound)
    reads = with_output or filters.reads_outputs
    write = partial(exports.lines, form=form, with_output=with_output, is_first=not last)
    headers = {
        "Content-Disposition": f'attachment; filename="{exports.file_name(form, now)}"',
    }
    if not (limit or last or in_parts()):
        found = filter(filters.match, exports.read(rows, with_output=reads))
        kind = exports.FORMATS[form]
        return StreamingHttpResponse(write(found), content_type=kind, headers=headers)
    read = exports.read(rows, with_output=reads, after=last, most=MOST_LOOKED_AT + 1)
    body, following = _part(read, filters, write, limit or MOST_ROWS)
    if following:
        headers[NEXT] = token_after(following, bound)
    return HttpResponse(body, content_type=exports.FORMATS[form], headers=headers)


def in_parts() -> bool:
    """Whether this process cannot stream, and its answers have an end: in a Lambda function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _part(
    executions: Iterator[TriggerExecution], filters: Filters, write: Any, limit: int
) -> tuple[bytes, str]:
    """One part of an export.

    Returns:
        Its body, and the id of the last execution that was looked at; empty if it was the last of
        all.
    """
    body = bytearray("".join(write([])).encode())
    rows, last = 0, ""
    for looked_at, execution in enumerate(executions):
        if looked_at == MOST_LOOKED_AT:
            return bytes(body), last
        if filters.match(execution):
            text = "".join(write([execution], is_first=False)).encode()
            if rows == limit or (rows and len(body) + len(text) > MOST_BYTES):
                return bytes(body), last
            body += text
            rows += 1
        last = execution.pk
    return bytes(body), ""
