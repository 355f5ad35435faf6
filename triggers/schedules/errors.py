"""The one error of the schedule package, and the corrections that it offers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing that may be meant by a text that cannot be read."""

    expression: str
    """The corrected text, written in the way the original was."""
    notes: tuple[str, ...] = ()
    """Sentences about what it leaves out, or what it takes for granted."""
    timezone: str = ""
    """The timezone to set with it; empty if the schedule keeps its own."""
    words: str = ""
    """Its runs in English words."""


class ExpressionError(ValueError):
    """A schedule or timezone that cannot be read.

    `field` names the part to look at: "minutes", "hours", "day-of-month", "month",
    "day-of-week", "year", "rate", "at", "timezone", or "expression" for the whole.
    `reason` is a sentence for the person who typed it. `corrections` are what may be meant, the
    likeliest first. Code that knows a single corrected text passes it as `suggestion`.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        suggestion: str | None = None,
        *,
        corrections: Iterable[Correction] = (),
    ) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.corrections = tuple(corrections)
        if suggestion is not None and not self.corrections:
            self.corrections = (Correction(suggestion),)

    @property
    def suggestion(self) -> str | None:
        """The text of the likeliest correction, or None if there is none."""
        return self.corrections[0].expression if self.corrections else None

    def within(self, write: Callable[[str], str]) -> "ExpressionError":
        """The same error about a larger text, into which `write` sets the corrected part."""
        corrections = (
            replace(each, expression=write(each.expression)) for each in self.corrections
        )
        return ExpressionError(self.field, self.reason, corrections=corrections)
