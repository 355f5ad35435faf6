"""What senders read back, where they expect more than a status.

A question is answered and starts nothing: whether the address is ours, or what to suggest. An
event is recorded first. Nothing here waits for a run, because Slack and Discord wait three seconds.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac

from events.kinds import SourceKind
from events.schemes import sns
from events.schemes.base import FORM, Message
from events.signatures import Signature
from events.webhooks.errors import EnvelopeError
from events.webhooks.fields import parse_json

VERIFICATION = "url_verification"
RECEIVED = "Received. The triggers that listen to this start now."
# The types of Discord's requests, and those of answers to them ("Receiving and Responding to
# Interactions"): a message, the same message without a change, and suggestions. The application's
# webhook has a ping of its own.
DISCORD_WEBHOOK_PING = 0
DISCORD_PING, DISCORD_COMPONENT, DISCORD_AUTOCOMPLETE = 1, 3, 4
DISCORD_PONG, DISCORD_MESSAGE, DISCORD_UNCHANGED, DISCORD_CHOICES = 1, 4, 6, 8
# Only the person who has sent the interaction sees the answer.
DISCORD_EPHEMERAL = 64
# The most characters of Meta's challenge, which is sent back.
MAX_CHALLENGE = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer for a sender.

    Attributes:
        body: its body; a JSON text unless the content type is another.
        content_type: its content type.
        status: its status.
    """

    body: str = ""
    content_type: str = "application/json"
    status: int = 200


def _of_json(value: Mapping[str, Any]) -> Answer:
    return Answer(json.dumps(value))


def to_question(kind: str, signature: Signature, message: Message) -> Answer | None:
    """The answer to a verified message that is no event, or None if it is one.

    Raises:
        EnvelopeError: the body cannot be read.
        SignatureError: the message names an address that is not the sender's.
        UnavailableError: the sender cannot be reached now.
    """
    answer = _QUESTIONS.get(kind)
    return answer(signature, message) if answer else None


def to_event(kind: str, message: Message) -> Answer | None:
    """The answer to an event that is on record, or None for the API's usual one."""
    answer = _EVENTS.get(kind)
    return answer(message) if answer else None


def slack_challenge(kind: str, message: Message) -> str | None:
    """The challenge to answer when Slack verifies a new address, or None for other messages.

    Source: "Using the Slack Events API", url_verification.
    """
    if kind != SourceKind.SLACK or VERIFICATION.encode() not in message.body:
        return None
    if message.media_type == FORM:
        return None
    document = parse_json(message.body)
    if isinstance(document, dict) and document.get("type") == VERIFICATION:
        challenge = document.get("challenge")
        return challenge if isinstance(challenge, str) and challenge else None
    return None


def verify_token(source_id: str) -> str:
    """The token by which Meta knows that an address is the one that an operator has entered.

    It is made from SECRET_KEY, so that there is nothing to enter and to keep.
    """
    return salted_hmac("moca meta verify token", source_id, algorithm="sha256").hexdigest()[:32]


def meta_challenge(source_id: str, query: Mapping[str, str]) -> str | None:
    """The challenge of Meta's handshake, or None if its token is another one.

    Source: Meta, "Webhooks", verification requests. The answer is the same whether there is such a
    source or not.
    """
    challenge = query.get("hub.challenge", "")
    is_right = constant_time_compare(query.get("hub.verify_token", ""), verify_token(source_id))
    is_short = 0 < len(challenge) <= MAX_CHALLENGE and challenge.isprintable()
    return challenge if is_right and is_short and query.get("hub.mode") == "subscribe" else None


def _slack_question(signature: Signature, message: Message) -> Answer | None:
    """Slack asks sometimes whether the address of a command has a certificate."""
    fields = message.document if message.media_type == FORM else None
    is_check = isinstance(fields, dict) and fields.get("ssl_check") == "1"
    return Answer(content_type="text/plain") if is_check else None


def _slack_event(message: Message) -> Answer | None:
    """For a command a note that only its author sees; for a button an empty answer.

    An answer with a body would be an error in a dialog ("Handling user interaction").
    """
    fields = message.document if message.media_type == FORM else None
    if not isinstance(fields, dict):
        return None
    if "command" in fields:
        return _of_json({"response_type": "ephemeral", "text": RECEIVED})
    return Answer(content_type="text/plain")


def _zoom_question(signature: Signature, message: Message) -> Answer | None:
    """Zoom's `endpoint.url_validation`: a token, and its HMAC by the secret."""
    document = message.document
    if not isinstance(document, dict) or document.get("event") != "endpoint.url_validation":
        return None
    payload = document.get("payload")
    plain = payload.get("plainToken") if isinstance(payload, dict) else None
    if not isinstance(plain, str):
        return None
    try:
        data = plain.encode()
    except UnicodeEncodeError as error:
        raise EnvelopeError("payload.plainToken", "Give a text without half characters.") from error
    mac = hmac.new(signature.secret.encode(), data, hashlib.sha256).hexdigest()
    return _of_json({"plainToken": plain, "encryptedToken": mac})


def _discord_question(signature: Signature, message: Message) -> Answer | None:
    document = message.document
    if not isinstance(document, dict) or "event" in document:
        return None
    kind = document.get("type")
    if kind == DISCORD_WEBHOOK_PING:
        return Answer(status=204)
    if kind == DISCORD_PING:
        return _of_json({"type": DISCORD_PONG})
    if kind == DISCORD_AUTOCOMPLETE:
        return _of_json({"type": DISCORD_CHOICES, "data": {"choices": []}})
    return None


def _discord_event(message: Message) -> Answer | None:
    document = message.document
    if not isinstance(document, dict) or "event" in document:
        return Answer(status=204)
    if document.get("type") == DISCORD_COMPONENT:
        return _of_json({"type": DISCORD_UNCHANGED})
    data = {"content": RECEIVED, "flags": DISCORD_EPHEMERAL}
    return _of_json({"type": DISCORD_MESSAGE, "data": data})


def _sns_question(signature: Signature, message: Message) -> Answer | None:
    """A subscription is confirmed. The end of one starts nothing."""
    document = message.document
    if not isinstance(document, dict) or document.get("Type") == sns.NOTIFICATION:
        return None
    if document.get("Type") == sns.CONFIRMATION:
        sns.confirm(document)
    return Answer(content_type="text/plain")


def _twilio_event(message: Message) -> Answer | None:
    """No instructions: Twilio reads the answer as TwiML, and reports other types as an error."""
    return Answer("<Response/>", "text/xml")


_QUESTIONS: dict[str, Callable[[Signature, Message], Answer | None]] = {
    SourceKind.SLACK: _slack_question,
    SourceKind.ZOOM: _zoom_question,
    SourceKind.DISCORD: _discord_question,
    SourceKind.SNS: _sns_question,
}
_EVENTS: dict[str, Callable[[Message], Answer | None]] = {
    SourceKind.SLACK: _slack_event,
    SourceKind.DISCORD: _discord_event,
    SourceKind.TWILIO: _twilio_event,
}
