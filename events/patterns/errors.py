"""The errors of the pattern package."""


class PatternError(ValueError):
    """A pattern that cannot be read.

    `str(error)` is a sentence or two for the person who wrote it: what is wrong, and the fix.
    `where` is the path to the place, such as "detail.state[0].prefix", empty for the whole.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where = where

    @property
    def full_message(self) -> str:
        """The place and the sentence, for where both stand in one text."""
        return f"{self.where}: {self}" if self.where else str(self)


class TooMuchWorkError(Exception):
    """A pattern and an event that are together more work than is done for them.

    Whether the event matches is not known then.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"To compare the event with the pattern takes more than {limit:,} steps. Ask for fewer "
            "fields within the event's lists, or for fewer values of each."
        )
