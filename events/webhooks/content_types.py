"""The content types that webhooks may have."""

from events.webhooks import cloudevents
from events.webhooks.errors import ContentTypeError

JSON = "application/json"
# GitHub, Slack and Stripe send these.
OF_PROVIDERS = (JSON,)
# Any other webhook. CloudEvents in binary mode may have any type: see `cloudevents.is_binary()`.
OF_WEBHOOKS = (*OF_PROVIDERS, cloudevents.STRUCTURED, cloudevents.BATCHED)


def check(media_type: str, accepted: tuple[str, ...]) -> None:
    """Raise ContentTypeError unless the type is accepted."""
    if media_type not in accepted:
        raise ContentTypeError("Content-Type", f"Send the body as {' or '.join(accepted)}.")
