"""Moments on the clock of the person who looks at a page.

The browser knows the name of that person's zone. What its clock shows is told by the server, since
a browser's zone data may be years old.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from console.access import for_operators
from moca.times import parse_iso
from triggers.schedules import parse_zone

# No page shows more.
MOST = 100


@require_safe
@for_operators()
def clock(request: HttpRequest) -> HttpResponse:
    """Tell the moments `at` on the clock of `zone`, which the browser writes as the person does."""
    texts = request.GET.getlist("at")
    try:
        if len(texts) > MOST:
            raise ValueError(f"at: give at most {MOST} moments")
        zone = parse_zone(request.GET.get("zone", ""))
        moments = [localtime(parse_iso(text), zone) for text in texts]
    except (ValueError, OverflowError) as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"times": [moment.isoformat(timespec="seconds") for moment in moments]})
