"""The content types that webhooks may have."""

from events.kinds import SourceKind
from events.schemes.base import FORM
from events.webhooks import cloudevents
from events.webhooks.errors import ContentTypeError

JSON = "application/json"
# What most senders send.
OF_PROVIDERS = (JSON,)
# Slack sends commands and buttons as forms, Twilio nearly everything; SNS says text for its JSON.
OF_KINDS = {
    SourceKind.SLACK: (JSON, FORM),
    SourceKind.TWILIO: (FORM, JSON),
    SourceKind.SNS: (JSON, "text/plain"),
}
# Any other webhook. CloudEvents in binary mode may have any type: see `cloudevents.is_binary()`.
OF_WEBHOOKS = (*OF_PROVIDERS, cloudevents.STRUCTURED, cloudevents.BATCHED)
# The senders that a source describes: any webhook, and forms.
OF_GENERAL = (*OF_WEBHOOKS, FORM)


def check(media_type: str, accepted: tuple[str, ...]) -> None:
    """Raise ContentTypeError unless the type is accepted."""
    if media_type not in accepted:
        raise ContentTypeError("Content-Type", f"Send the body as {' or '.join(accepted)}.")
