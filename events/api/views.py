"""The API's view that lists event sources to clients and receives events from senders."""

import logging
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from events import ingest, rejections, signatures, sources, webhooks
from events.buses import BusError
from events.models import EventSource
from events.rejections import Rejection
from events.serializers import EventSourceSerializer
from events.signatures import SignatureError
from events.signing_keys import UnreadableError
from events.webhooks import ContentTypeError, EnvelopeError, SizeError
from moca.api.errors import APIError, InvalidParameterError, detail
from moca.api.views import ANY, APIView
from moca.concurrency import ConflictError

logger = logging.getLogger(__name__)


class EventsView(APIView):
    # Senders may add parameters to the address. They sign only the body.
    parameters: ClassVar = {"POST": ANY}

    # Senders sign their messages and have no token.
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
                "eventSources": EventSourceSerializer(found, many=True).data,
                "metadata": {"count": len(found)},
            }
        )

    def post(self, request: Request) -> Response:
        """Receive signed events."""
        source_id = request.query_params.get("source", "")
        if not source_id:
            raise InvalidParameterError("source", "Name the event source: POST /events?source=ID.")
        body, now = request._request.body, timezone.now()
        headers = {name.lower(): text for name, text in request.headers.items()}
        content_type = request.content_type or ""
        found = _with_address(source_id)
        source = found or ingest.decoy_source(headers, now)

        def note(code: str, reason: str) -> bool:
            request_id = getattr(request, "request_id", "")
            rejection = Rejection(code, reason, headers, body, request_id)
            return rejections.record(found, source_id, rejection, now)

        try:
            signature = ingest.authenticate(source, content_type, headers, body, now)
            challenge = webhooks.slack_challenge(source.kind, body)
            if challenge is not None:
                return Response({"challenge": challenge})
            receipts = ingest.receive(source, signature, content_type, headers, body, now)
        except SignatureError as error:
            note(error.code if found else "no-source", str(error))
            message = signatures.rejection_message(headers, body, now)
            raise APIError(401, message, code="INVALID_SIGNATURE") from error
        except EnvelopeError as error:
            note(error.code, f"{error.field}: {error}" if error.field else str(error))
            raise _refusal(error) from error
        except UnreadableError as error:
            if note("secrets", str(error)):
                logger.error("Events of the source %s are refused: %s", source.pk, error)
            message = (
                "The secrets of this source cannot be read here, so no signature can be checked: "
                "tell its operators, and send the event again later."
            )
            raise APIError(503, message, headers={"Retry-After": "60"}) from error
        except (BusError, ConflictError) as error:
            logger.error("Events of the source %s could not be published: %s", source.pk, error)
            message = "The event could not be taken on: send it again in a moment."
            raise APIError(503, message, headers={"Retry-After": "5"}) from error
        events = [{"id": one.id, "duplicate": one.is_duplicate} for one in receipts]
        return Response({"events": events, "metadata": {"count": len(events)}})


def _refusal(error: EnvelopeError) -> APIError:
    """Make the error for a sender whose signed message is no event."""
    match error:
        case ContentTypeError():
            return APIError(415, str(error))
        case SizeError():
            return APIError(413, str(error))
    where = f"{error.field}: " if error.field else ""
    return APIError(400, f"{where}{error}", details=[detail(error.field, str(error))])


def _with_address(source_id: str) -> EventSource | None:
    """Return the source of an id, if it has an address."""
    source = sources.find_kept(source_id)
    return source if source is not None and source.has_address else None
