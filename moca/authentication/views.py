"""Views of the sign-in by Cognito. The sign-in by password is the admin's own."""

import logging
from typing import Any

from django.contrib.auth import login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from moca import audit
from moca.authentication import cognito
from moca.authentication.cognito import BY_COGNITO, SignInError
from moca.authentication.models import Operator
from moca.concurrency import StaleVersionError

logger = logging.getLogger(__name__)

MAX_NAME = 150


@require_GET
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to Cognito's page. `next` in the query is the page to go to afterwards."""
    next_page = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(next_page, allowed_hosts=None):
        next_page = resolve_url("home")
    try:
        return HttpResponseRedirect(cognito.begin(request, _callback(request), next_page))
    except SignInError as error:
        return _refusal(request, error)


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Cognito redirects here: verify its answer, and sign the operator in."""
    try:
        claims, next_page = cognito.finish(request, _callback(request))
        operator = _operator_of(claims)
    except SignInError as error:
        return _refusal(request, error)
    login(request, operator, backend="moca.authentication.backends.OperatorBackend")
    request.session[BY_COGNITO] = True
    return HttpResponseRedirect(next_page)


def _callback(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("cognito-callback"))


def _operator_of(claims: dict[str, Any]) -> Operator:
    """Create or update the operator of these claims.

    Raises:
        SignInError: the person is in no group with a role, is inactive here, or signs in twice at
            the same moment.
    """
    subject = str(claims["sub"])
    role = cognito.role_of_groups(claims)
    if role is None:
        logger.warning("%s is in no group that may sign in", subject)
        raise SignInError(
            _(
                "You are in none of the groups that may sign in here. Ask whoever manages the user "
                "pool to add you to one."
            ),
            status=403,
        )
    email = str(claims.get("email") or "")
    operator = Operator.objects.filter(subject=subject).first()
    try:
        if operator is None:
            operator = Operator(subject=subject, username=_free_name(claims), role=role)
            operator.set_unusable_password()
        elif not operator.is_active or operator.is_service:
            raise SignInError(_("Your account here is not active. Ask an admin."), status=403)
        operator.role, operator.email = role, email
        audit.save(operator, by="Cognito")
    except (IntegrityError, StaleVersionError) as error:
        # Another sign-in of the same person came first.
        reason = _("Somebody else signed in as you at this moment. Try again.")
        raise SignInError(reason) from error
    return operator


def _free_name(claims: dict[str, Any]) -> str:
    """A free username: the e-mail address, else the pool's username, else one with the `sub`."""
    subject = str(claims["sub"])
    wanted = [claims.get("email"), claims.get("cognito:username"), subject]
    names = [str(name)[:MAX_NAME] for name in wanted if name]
    taken = set(Operator.objects.filter(username__in=names).values_list("username", flat=True))
    return next((name for name in names if name not in taken), f"{subject[:100]} (Cognito)")


def _refusal(request: HttpRequest, error: SignInError) -> HttpResponse:
    return render(request, "sign_in_error.html", {"reason": str(error)}, status=error.status)
