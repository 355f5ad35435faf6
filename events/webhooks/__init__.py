"""Bodies of webhooks: the content types and forms that are accepted, converted to envelopes.

The largest body is MAX_EVENT_BYTES of the settings; signatures are in `events.signatures`.
"""

from events.webhooks.content_types import JSON
from events.webhooks.errors import ContentTypeError, EnvelopeError, SizeError
from events.webhooks.fields import IncomingEvent
from events.webhooks.parse import parse, sample

__all__ = [
    "JSON",
    "ContentTypeError",
    "EnvelopeError",
    "IncomingEvent",
    "SizeError",
    "parse",
    "sample",
]
