"""ExpressionError, which `parse` and `parse_zone` raise, and the corrections that it suggests."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Correction:
    """One valid schedule that the author of an invalid text may have meant."""

    expression: str
    """The corrected text, in the form of the original: with or without `cron(...)`."""
    notes: tuple[str, ...] = ()
    """Sentences about what the correction drops or assumes."""
    timezone: str = ""
    """The IANA timezone to set with it; empty if the schedule keeps its own."""
    words: str = ""
    """The runs in English."""
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Other parts of the schedule to set with it, by their names in `scheduleConfig`."""


class ExpressionError(ValueError):
    """A schedule or timezone is invalid.

    Args:
        field: the part to correct: "minutes", "hours", "day-of-month", "month", "day-of-week",
            "year", "rate", "at", "timezone", or "expression" for the whole.
        reason: a sentence for the person who typed the text.
        suggestion: the corrected text, if there is only one; short for `corrections`.
        corrections: what the person may have meant, the likeliest first.
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

    @property
    def suggestions(self) -> tuple[str, ...]:
        """The texts of all corrections, the likeliest first."""
        return tuple(each.expression for each in self.corrections)

    def within(self, write: Callable[[str], str]) -> "ExpressionError":
        """The same error for a larger text; `write` inserts a corrected part into that text."""
        corrections = (
            replace(each, expression=write(each.expression)) for each in self.corrections
        )
        return ExpressionError(self.field, self.reason, corrections=corrections)
