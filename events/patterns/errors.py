"""Errors that parsing and matching of event patterns raise."""

from moca.sentences import Sentence as _


class PatternError(ValueError):
    """The pattern is invalid.

    `str(error)` tells the author of the pattern what is wrong and how to correct it. `where` is the
    path of the faulty part, such as "detail.state[0].prefix", or empty for the whole pattern.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where = where

    @property
    def full_message(self) -> str:
        """The path and the message in one text."""
        return f"{self.where}: {self}" if self.where else str(self)


class TooMuchWorkError(Exception):
    """Matching took more steps than its limit, so it is unknown whether the event matches.

    `reason` is the message, which can be translated.
    """

    def __init__(self, limit: int) -> None:
        self.reason = _(
            "To compare the event with the pattern takes more than %(limit)s steps. Ask for fewer "
            "fields within the event's lists, or for fewer values of each.",
            limit=f"{limit:,}",
        )
        super().__init__(self.reason)
