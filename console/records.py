"""What pages with the form of one row have in common: bound forms, refusals and deletions."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _

from moca.concurrency import reason_of

Form = TypeVar("Form", bound="ModelForm[Any]")


def bound_form(kind: type[Form], request: HttpRequest, row: models.Model | None) -> Form:
    """The form of a row, with the input if the request has any.

    Args:
        kind: the class of the form.
        request: the request.
        row: the row as it is stored now; None for a new one.
    """
    return kind(request.POST if request.method == "POST" else None, instance=row)


def refused_form(
    kind: type[Form], request: HttpRequest, row: models.Model | None, reason: str
) -> Form:
    """The form with its input after a refusal, which is among its errors.

    Args:
        kind: the class of the form. It shows its attribute `refusal`.
        request: the request.
        row: the row as it is stored now; None for a new one.
        reason: why nothing was saved.
    """
    refused: type[Form] = type(f"Refused{kind.__name__}", (kind,), {"refusal": reason})
    form = bound_form(refused, request, row)
    form.is_valid()
    return form


def reason_not_saved(error: Exception) -> str:
    """Why the row of a form was not saved, for `refused_form()`."""
    return _("Nothing was saved: %(reason)s") % {"reason": reason_of(error)}


def refusal_of_delete(
    request: HttpRequest,
    name: str,
    delete: Callable[[], object],
    refusals: tuple[type[Exception], ...],
) -> str:
    """Delete a row, and tell the operator; returns why not, or an empty text."""
    try:
        delete()
    except refusals as error:
        return _("Nothing was deleted: %(reason)s") % {"reason": reason_of(error)}
    messages.success(request, _("%(name)s: deleted.") % {"name": name})
    return ""
