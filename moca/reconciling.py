"""What a pass does that makes copies equal to our rows, in one form for copies of all kinds."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from moca.sentences import Code, Reason

# What a repair is called on the record.
MISSING = Code("copy_missing", _("The %(what)s was missing."))
DIFFERED = Code("copy_differed", _("The %(what)s differs in %(parts)s."))
REMOVED = Code("copy_removed", _("The %(what)s was removed, since %(cause)s."))
KINDS = {
    "schedule": Code("schedule", _("schedule"))(),
    "rule": Code("rule", _("rule"))(),
}

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
        parts: in what it differed, if it did.
    """

    kind: str
    what: str
    id: str
    reason: str
    parts: tuple[str, ...] = ()

    @property
    def printed(self) -> dict[str, str]:
        """What a command prints of it."""
        texts = {"kind": self.kind, "what": self.what, "id": self.id}
        return texts | {"reason": str(self.reason)}

    @property
    def sentence(self) -> Reason:
        """What was repaired, for the record."""
        what = KINDS[self.what]
        if self.kind == "delete":
            return REMOVED(what=what, cause=self.reason)
        if self.parts:
            return DIFFERED(what=what, parts=", ".join(self.parts))
        return MISSING(what=what)


def mending(what: str, key: str, differences: Sequence[str] | None) -> Action:
    """What brings a copy to what it should be.

    Args:
        what: as `Action` has it.
        key: of whom it is.
        differences: the parts in which it differs; None where it is missing.
    """
    if differences is None:
        return Action("create", what, key, "was missing")
    reason = f"differs in {', '.join(differences)}"
    return Action("update", what, key, reason, tuple(differences))
