"""What a pass does that makes copies equal to our rows, in one form for copies of all kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

# How long it may take from the making of a copy to the commit of its row.
COMMIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Action:
    """What was done, or is to be done, about one copy.

    Attributes:
        kind: `create`, `update`, `delete`, `fail`, or `wait` for what a later pass removes.
        what: what the copy is: `schedule` or `rule`.
        id: of whom: the id of the trigger or the event source.
        reason: why, in a few words.
    """

    kind: str
    what: str
    id: str
    reason: str

    @property
    def sentence(self) -> str:
        """What was repaired, for the record."""
        if self.kind == "delete":
            return f"The {self.what} was removed, since {self.reason}."
        return f"The {self.what} {self.reason}."


def mending(what: str, key: str, differences: Sequence[str] | None) -> Action:
    """What brings a copy to what it should be.

    Args:
        what: as `Action` has it.
        key: of whom it is.
        differences: the parts in which it differs; None where it is missing.
    """
    if differences is None:
        return Action("create", what, key, "was missing")
    return Action("update", what, key, f"differs in {', '.join(differences)}")
