"""The API's view that lists event sources to clients and receives events from senders."""

import logging
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from events import answers, ingest, listening, rejections, signatures, sources
from events.answers import MAX_CHALLENGE, Answer
from events.buses import BusError
from events.kinds import SourceKind
from events.models import EventSource
from events.rejections import Rejection
from events.schemes.base import Message, SignatureError, UnavailableError
from events.serializers import EventSourceSerializer
from events.signing_keys import UnreadableError
from events.webhooks import ContentTypeError, EnvelopeError, SizeError
from moca.api.errors import APIError, InvalidParameterError, detail
from moca.api.views import ANY, APIView
from moca.concurrency import ConflictError

logger = logging.getLogger(__name__)

# The header with which senders of CloudEvents ask whether they may send, and Meta's parameter.
ORIGIN, META_MODE = "WebHook-Request-Origin", "hub.mode"


class EventsView(APIView):
    # Senders may add parameters to the address. They sign only the body.
    parameters: ClassVar = {"POST": ANY}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer the handshakes of senders, who have no token, before anything else."""
        if handshake := _handshake(request):
            return handshake
        return super().dispatch(request, *args, **kwargs)

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

    def post(self, request: Request) -> Response | HttpResponse:
        """Receive signed events."""
        source_id = request.query_params.get("source", "")
        if not source_id:
            raise InvalidParameterError("source", "Name the event source: POST /events?source=ID.")
        message, now = _message(request), timezone.now()
        found = _with_address(source_id)
        if found and listening.is_listening(found, now):
            return _heard(found, message, now)
        source = found or ingest.decoy_source(message.headers, now)

        def note(code: str, reason: str, *, is_verified: bool = False) -> bool:
            request_id = getattr(request, "request_id", "")
            rejection = Rejection(code, reason, message, request_id, is_verified)
            return rejections.record(found, source_id, rejection, now)

        try:
            return _received(source, message, now)
        except SignatureError as error:
            note(error.code if found else "no-source", str(error))
            reason = signatures.rejection_message(message, now)
            raise APIError(401, reason, code="INVALID_SIGNATURE") from error
        except EnvelopeError as error:
            text = f"{error.field}: {error}" if error.field else str(error)
            note(error.code, text, is_verified=found is not None)
            raise _refusal(error) from error
        except UnreadableError as error:
            if note("secrets", str(error)):
                logger.error("Events of the source %s are refused: %s", source.pk, error)
            reason = (
                "The secrets of this source cannot be read here, so no signature can be checked: "
                "tell its operators, and send the event again later."
            )
            raise APIError(503, reason, headers={"Retry-After": "60"}) from error
        except UnavailableError as error:
            note("unavailable", str(error))
            reason = "The message cannot be checked at present: send it again in a moment."
            raise APIError(503, reason, headers={"Retry-After": "30"}) from error
        except (BusError, ConflictError) as error:
            logger.error("Events of the source %s could not be published: %s", source.pk, error)
            reason = "The event could not be taken on: send it again in a moment."
            raise APIError(503, reason, headers={"Retry-After": "5"}) from error


def _heard(source: EventSource, message: Message, now: datetime) -> Response:
    """Look at a message that nobody verifies, and answer as if it were taken in."""
    listening.hear(source, message, now)
    try:
        challenge = answers.slack_challenge(SourceKind.SLACK, message)
    except EnvelopeError:
        challenge = None
    if challenge is not None:
        return Response({"challenge": challenge[:MAX_CHALLENGE]})
    return Response({"events": [], "metadata": {"count": 0}})


def _received(source: EventSource, message: Message, now: datetime) -> Response | HttpResponse:
    """Verify and store a message; returns what its sender reads back."""
    signature = ingest.authenticate(source, message, now)
    challenge = answers.slack_challenge(source.kind, message)
    if challenge is not None:
        return Response({"challenge": challenge})
    if answer := answers.to_question(source.kind, signature, message):
        return _own(answer)
    receipts = ingest.receive(source, signature, message, now)
    if answer := answers.to_event(source.kind, message):
        return _own(answer)
    events = [{"id": one.id, "duplicate": one.is_duplicate} for one in receipts]
    return Response({"events": events, "metadata": {"count": len(events)}})


def _message(request: Request) -> Message:
    """The message that a request brings."""
    headers = {name.lower(): text for name, text in request.headers.items()}
    return Message(
        headers, request._request.body, request.content_type or "", _addresses(request._request)
    )


def _addresses(request: HttpRequest) -> list[str]:
    """The addresses to which a sender may have sent a message, for those that sign it.

    That of the request, with the host and the protocol that a trusted proxy names, and that below
    PUBLIC_URL. Byte for byte as the sender wrote the query.
    """
    query = request.META.get("QUERY_STRING", "")
    path = f"{request.path_info}?{query}" if query else request.path_info
    own = f"{request.scheme}://{request.get_host()}{get_script_prefix().rstrip('/')}{path}"
    public = f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else own
    return [public] if public == own else [public, own]


def _handshake(request: HttpRequest) -> HttpResponse | None:
    """The answer to a sender that asks whether it may send here, or None to other requests.

    CloudEvents ask by OPTIONS (HTTP 1.1 Web Hooks for Event Delivery, 4), Meta by GET. Neither
    answer says whether there is such a source: what counts is the signature of each message.
    """
    if request.method == "OPTIONS" and (origin := request.headers.get(ORIGIN)):
        headers = {
            "Allow": "GET, POST, OPTIONS",
            "WebHook-Allowed-Origin": origin,
            "WebHook-Allowed-Rate": "*",
        }
        return HttpResponse(headers=headers, content_type="text/plain")
    if request.method != "GET" or META_MODE not in request.GET:
        return None
    challenge = answers.meta_challenge(request.GET.get("source", ""), request.GET.dict())
    if challenge is None:
        wrong = "hub.verify_token is another one: the page of the event source shows it."
        return HttpResponse(wrong, content_type="text/plain", status=403)
    return HttpResponse(challenge, content_type="text/plain")


def _own(answer: Answer) -> HttpResponse:
    """The answer that a sender expects in a form of its own."""
    return HttpResponse(answer.body, content_type=answer.content_type, status=answer.status)


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
