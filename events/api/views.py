"""The event sources there are, and the address at which they take in events."""

import logging
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from events import envelopes, receiving, sources
from events.buses import BusError
from events.envelopes import ContentTypeError, EnvelopeError
from events.models import EventSource
from events.signatures import SignatureError
from moca.api.errors import APIError, InvalidParameterError, detail
from moca.api.views import APIView
from moca.aws.secrets import SecretError

logger = logging.getLogger(__name__)


class EventsView(APIView):
    # A sender has a signature in place of a token.
    def get_authenticators(self) -> list[BaseAuthentication]:
        return (
            [] if self.request and self.request.method == "POST" else super().get_authenticators()
        )

    def get_permissions(self) -> Any:
        return [AllowAny()] if self.request.method == "POST" else super().get_permissions()

    def get(self, request: Request) -> Response:
        """List the sources that event triggers can listen to."""
        found = sources.all_sources()
        return Response(
            {
                "eventSources": [source_json(source) for source in found],
                "metadata": {"count": len(found)},
            }
        )

    def post(self, request: Request) -> Response:
        """Take in signed events."""
        source = _source(request)
        body, headers, now = request._request.body, dict(request.headers), timezone.now()
        try:
            receiving.verified(source, headers, body, now)
            challenge = envelopes.slack_challenge(source.kind, body)
            if challenge is not None:
                return Response({"challenge": challenge})
            receipts = receiving.receive(source, request.content_type, headers, body, now)
        except SignatureError as error:
            raise APIError(401, str(error), extra={"code": "INVALID_SIGNATURE"}) from error
        except ContentTypeError as error:
            raise APIError(415, str(error)) from error
        except EnvelopeError as error:
            where = f"{error.field}: " if error.field else ""
            details = [detail(error.field, str(error))]
            raise APIError(400, f"{where}{error}", details=details) from error
        except (BusError, SecretError) as error:
            logger.error("Events of %s could not go on: %s", source.pk, error)
            message = "The event could not be taken on: send it again in a moment."
            raise APIError(503, message, headers={"Retry-After": "5"}) from error
        events = [{"id": one.id, "duplicate": one.is_duplicate} for one in receipts]
        return Response({"events": events, "metadata": {"count": len(events)}})


def source_json(source: EventSource) -> dict[str, Any]:
    """The source in the form of the contract; what is not set is left out."""
    return {
        "id": source.pk,
        "name": source.name,
        "description": source.description,
        **({"icon": source.icon} if source.icon else {}),
        **({"eventPattern": source.pattern} if source.pattern else {}),
    }


def _source(request: Request) -> EventSource:
    """The source that the address names."""
    source_id = request.query_params.get("source", "")
    if not source_id:
        raise InvalidParameterError("source", "Name the event source: POST /events?source=ID.")
    source = sources.find(source_id)
    if source is None or not source.has_address:
        raise APIError(404, "No event source takes events at this address.")
    return source
