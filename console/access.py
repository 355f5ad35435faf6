"""Who may see a page, and who may act on it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from moca.authentication.models import Operator, Role

View = Callable[..., HttpResponse]


def for_operators(role: Role = Role.VIEWER) -> Callable[[View], View]:
    """Let operators of a role in; others are asked to sign in, or get 403.

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
                    # A part of a page was asked for: the page itself is to lead to the sign-in.
                    return HttpResponse(status=204, headers={"HX-Refresh": "true"})
                return redirect_to_login(request.get_full_path())
            if not operator.has_role(role):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
