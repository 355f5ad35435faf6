"""The one error of the schedule package."""

from collections.abc import Callable


class ExpressionError(ValueError):
    """A schedule or timezone that cannot be read.

    `field` names the part to look at: "minutes", "hours", "day-of-month", "month",
    "day-of-week", "year", "rate", "at", "timezone", or "expression" for the whole.
    `reason` is a sentence for the person who typed it. `suggestion` is the corrected text,
    written in the way the original was, or None where no correction is likely. `suggestions` are
    all that may be meant, the likeliest first; `suggestion` is the first of them.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        suggestion: str | None = None,
        others: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.suggestion = suggestion
        self.suggestions = (*(() if suggestion is None else (suggestion,)), *others)

    def within(self, write: Callable[[str], str]) -> "ExpressionError":
        """The same error about a larger text, into which `write` sets the corrected part."""
        suggestion = None if self.suggestion is None else write(self.suggestion)
        return ExpressionError(self.field, self.reason, suggestion)
