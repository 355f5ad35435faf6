"""REST framework's exception handler: turns exceptions of the API's views into answers."""

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as rest
from rest_framework.response import Response

from moca.api.editions import error_body
from moca.api.errors import APIError, InvalidFieldsError, NotFoundError, details_of
from moca.concurrency import ConflictError
from moca.reconcile import ProjectionError

logger = logging.getLogger(__name__)


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception that a view raised.

    Returns:
        None if the exception is unexpected. Django then logs its traceback, and
        `JSONErrorsMiddleware` puts the answer into the API's shape.
    """
    error = api_error_of(exception)
    if error is None:
        return None
    status, body = error_body(context["request"], error)
    return Response(body, status=status, headers=error.headers)


def api_error_of(exception: Exception) -> APIError | None:
    """The error to answer with; None if the exception is unexpected."""
    match exception:
        case APIError():
            return exception
        case ValidationError():
            return InvalidFieldsError(details_of(exception))
        case ConflictError():
            return APIError(409, str(exception))
        case ProjectionError():
            return APIError(502, str(exception))
        case Http404():
            return NotFoundError("address")
        case OperationalError() | InterfaceError():
            # Log no traceback: an outage would log one per request.
            logger.error("The database failed: %s", exception)
            return APIError(503, headers={"Retry-After": "1"})
        case DataError():
            return APIError(400, f"This cannot be stored: {exception}")
        case PermissionDenied() | rest.APIException():
            return _of_framework(exception)
    return None


def _of_framework(exception: PermissionDenied | rest.APIException) -> APIError:
    match exception:
        case rest.Throttled():
            seconds = max(1, math.ceil(getattr(exception, "wait", None) or 1))
            message = f"Too many requests: try again in {seconds} s."
            return APIError(429, message, headers={"Retry-After": str(seconds)})
        case rest.UnsupportedMediaType():
            return APIError(415)
        case rest.APIException():
            return APIError(exception.status_code, str(exception.detail))
    return APIError(403, str(exception))
