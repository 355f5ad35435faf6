"""Access to the operators' pages by sign-in and role."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from moca.authentication.models import Operator, Role

View = Callable[..., HttpResponse]


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    messages.warning(
        request,
        _("Your session has ended, and what you sent was not saved. Sign in and send it again."),
    )
    # Back to the page with the form, because most addresses that accept a form show no page.
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure()):
        return redirect_to_login(resolve_url("home"))
    parts = urlsplit(page)
    return redirect_to_login(parts._replace(scheme="", netloc="").geturl())


def for_operators(role: Role = Role.VIEWER) -> Callable[[View], View]:
    """Restrict a view to operators with a role. Others get the sign-in page, or 403.

    Args:
        role: the least role that may use the view.
    """

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            operator = request.user
            if not isinstance(operator, Operator) or not operator.is_active:
                if "HX-Request" in request.headers:
                    # A script asked for a part of a page. The reload leads to the sign-in.
                    return HttpResponse(status=204, headers={"HX-Refresh": "true"})
                return _ask_to_sign_in(request)
            if not operator.has_role(role):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
