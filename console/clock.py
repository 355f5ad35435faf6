"""Times in an operator's time zone: a conversion for scripts, and the choice of a form of times."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import for_operators
from console.times import COOKIE, parse_times
from console.trigger_list import next_page
from moca.display import exact
from moca.times import parse_iso
from triggers.schedules import parse_zone

# No page has more moments to convert.
MOST = 100


@require_safe
@for_operators()
def clock(request: HttpRequest) -> HttpResponse:
    """Convert the moments `at` to the time zone `zone`: as ISO 8601, and as the pages show them.

    The browser only knows the name of its time zone for sure. Its time zone data may be years old.
    """
    texts = request.GET.getlist("at")
    try:
        if len(texts) > MOST:
            raise ValueError(f"at: give at most {MOST} moments")
        zone = parse_zone(request.GET.get("zone", ""))
        moments = [localtime(parse_iso(text), zone) for text in texts]
    except (ValueError, OverflowError) as error:
        return JsonResponse({"error": str(error)}, status=400)
    times = [moment.isoformat(timespec="seconds") for moment in moments]
    return JsonResponse({"times": times, "words": [exact(moment, zone) for moment in moments]})


@require_POST
@for_operators()
def choose_times(request: HttpRequest) -> HttpResponse:
    """Remember in a cookie whether pages show times relative, in UTC or in the local time zone."""
    response = HttpResponseRedirect(next_page(request))
    zone = request.POST.get("zone", "")
    try:
        times = parse_times(request.POST.get("times", ""), zone)
    except ValueError:
        reason = _("Times: choose relative, UTC or local. Local needs a time zone, not “%(zone)s”.")
        messages.warning(request, reason % {"zone": zone[:100]})
        return response
    response.set_cookie(
        COOKIE,
        times.cookie,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
