"""Errors that `events.webhooks` raises for a request body that it cannot accept."""


class EnvelopeError(ValueError):
    """The body is no event.

    Attributes:
        field: the path of the faulty field, or empty for the whole body.
        code: the reason in one word, for logs. `str(error)` is the reason for people.
    """

    code = "body"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ContentTypeError(EnvelopeError):
    """The source does not accept the body's content type."""

    code = "content-type"


class SizeError(EnvelopeError):
    """The events are larger than an event bus accepts."""

    code = "size"
