"""The download of runs, with the filters of their page."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from console.access import for_operators
from console.runs import AllRunFilters, narrowed
from executions import exports, search
from executions.api.export import MOST_BYTES, in_parts
from executions.models import TriggerExecution


@require_safe
@for_operators()
def export(request: HttpRequest) -> Any:
    """The runs of a list as a file, without what the agents said unless `output` is set."""
    form = request.GET.get("format", exports.CSV)
    if form not in exports.FORMATS:
        return HttpResponse(f"format: give one of {', '.join(exports.FORMATS)}.\n", status=400)
    filters = AllRunFilters(request.GET)
    if not filters.is_valid():
        # A file has no place to say that it ignores a filter.
        return HttpResponse(_refusal(filters), status=400, content_type="text/plain; charset=utf-8")
    now, chosen = timezone.now(), filters.chosen
    rows: Any = TriggerExecution.objects.all()
    with_output = bool(request.GET.get("output"))
    rows, terms = narrowed(rows, chosen, now), search.terms_of(chosen.get("search", ""))
    reads_outputs = bool(chosen.get("search")) and not search.has_index()
    if chosen.get("search") and not reads_outputs:
        rows = search.narrow(rows, terms)
    found = exports.read(rows, with_output=with_output or reads_outputs)
    if reads_outputs:
        found = filter(lambda run: search.has_said(run, terms), found)
    lines = exports.lines(found, form, with_output=with_output, mark=True)
    headers = {
        "Content-Disposition": f'attachment; filename="{exports.file_name(form, now)}"',
        "Cache-Control": "no-store",
    }
    kind = exports.FORMATS[form]
    if not in_parts():
        return StreamingHttpResponse(lines, content_type=kind, headers=headers)
    body = bytearray()
    for line in lines:
        body += line.encode()
        if len(body) > MOST_BYTES:
            text = _(
                "These are too many runs for one file here: choose a shorter time, or use the API."
            )
            messages.warning(request, text)
            return HttpResponseRedirect(f"{reverse('console:runs')}?{request.GET.urlencode()}")
    return HttpResponse(bytes(body), content_type=kind, headers=headers)


def _refusal(filters: AllRunFilters) -> str:
    """The invalid filters, a line each: the parameter, what is wrong, and the values to give."""
    lines = []
    for name, errors in filters.errors.items():
        choices: Any = getattr(filters.fields[name], "choices", ())
        values = ", ".join(str(value) for value, _label in choices if value)
        offer = _("Give one of %(values)s.") % {"values": values} if values else ""
        lines.append(f"{name}: {' '.join([*errors, offer]).strip()}\n")
    return "".join(lines)
