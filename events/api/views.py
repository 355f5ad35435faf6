"""The event sources there are, and the address at which they take in events."""

import logging
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from events import envelopes, receiving, sources
from events.buses import BusError
from events.envelopes import ContentTypeError, EnvelopeError, SizeError
from events.models import EventSource
from events.secrets import UnreadableError
from events.signatures import SignatureError
from moca.api.errors import APIError, InvalidParameterError, detail
from moca.api.views import ANY, APIView
from moca.conflicts import ConflictError

logger = logging.getLogger(__name__)


class EventsView(APIView):
    # Senders sign what is in the body, and may add to an address what they like.
    parameters: ClassVar = {"POST": ANY}

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
        body, now = request._request.body, timezone.now()
        headers = {name.lower(): text for name, text in request.headers.items()}
        try:
            signature = receiving.verified(source, headers, body, now)
            challenge = envelopes.slack_challenge(source.kind, body)
            if challenge is not None:
                return Response({"challenge": challenge})
            receipts = receiving.receive(
                source, signature, request.content_type or "", headers, body, now
            )
        except (SignatureError, EnvelopeError) as error:
            raise _refusal(error) from error
        except UnreadableError as error:
            logger.error("Events of the source %s are refused: %s", source.pk, error)
            message = (
                "The secrets of this source cannot be read here, so no signature can be checked: "
                "tell its operators, and send the event again later."
            )
            raise APIError(503, message, headers={"Retry-After": "60"}) from error
        except (BusError, ConflictError) as error:
            logger.error("Events of the source %s could not go on: %s", source.pk, error)
            message = "The event could not be taken on: send it again in a moment."
            raise APIError(503, message, headers={"Retry-After": "5"}) from error
        events = [{"id": one.id, "duplicate": one.is_duplicate} for one in receipts]
        return Response({"events": events, "metadata": {"count": len(events)}})


def _refusal(error: SignatureError | EnvelopeError) -> APIError:
    """What the sender of a message is told that is not taken."""
    match error:
        case SignatureError():
            return APIError(401, str(error), extra={"code": "INVALID_SIGNATURE"})
        case ContentTypeError():
            return APIError(415, str(error))
        case SizeError():
            return APIError(413, str(error))
    where = f"{error.field}: " if error.field else ""
    return APIError(400, f"{where}{error}", details=[detail(error.field, str(error))])


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
