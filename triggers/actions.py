"""What operators do to triggers, one by one or many at once, with each on record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from moca import audit
from moca.conflicts import ConflictError, reason_of
from moca.display import excerpt
from triggers.models import Trigger
from triggers.schedulers import SchedulerError
from triggers.synchronization import in_step

# What may keep one from being done, with a message for the operator.
REFUSALS: tuple[type[Exception], ...] = (ConflictError, SchedulerError, ValidationError)
# A message travels in a cookie, so it names this many refusals at the most.
NAMED_REFUSALS = 3


def enable(trigger: Trigger, *, by: str) -> bool:
    """Let a trigger fire; False where it may already.

    Raises:
        ValidationError: what is wrong with it, so that it could not fire.
        SchedulerError: the scheduler refuses.
        ConflictError: somebody else changed it at the same moment.
    """
    if trigger.enabled:
        return False
    trigger.enable()
    trigger.clean()
    with in_step():
        audit.save(trigger, by=by)
    return True


def disable(trigger: Trigger, *, by: str) -> bool:
    """Keep a trigger from firing; False where it is kept already. Raises as `enable()` does."""
    if not trigger.enabled:
        return False
    trigger.disable()
    with in_step():
        audit.save(trigger, by=by)
    return True


def delete(trigger: Trigger, *, by: str) -> bool:
    """Delete a trigger; the records of its runs stay until they expire. Raises as `enable()`."""
    with in_step():
        audit.delete(trigger, by=by)
    return True


@dataclass(slots=True)
class Outcome:
    """What became of an action on several triggers.

    Attributes:
        done: how many it was done to.
        already: how many needed nothing.
        refused: for each of the others its name and the reason.
    """

    done: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)

    def sentence(self, done: str) -> str:
        """The sum of it for the operator.

        Args:
            done: the word for what was done, such as "enabled".
        """
        parts = []
        if self.done or not self.already:
            parts.append(_("%(number)s %(done)s") % {"number": self.done, "done": done})
        if self.already:
            parts.append(_("%(number)s already %(done)s") % {"number": self.already, "done": done})
        if self.refused:
            named = _("; ").join(self.refused[:NAMED_REFUSALS]).rstrip(".。")
            if (more := len(self.refused) - NAMED_REFUSALS) > 0:
                named += _("; and %(number)s more") % {"number": more}
            number = len(self.refused)
            parts.append(
                _("%(number)s could not be: %(named)s") % {"number": number, "named": named}
            )
        return _("%(done)s.") % {"done": _(", ").join(parts)}


def act_on_each(
    triggers: Iterable[Trigger],
    act: Callable[[Trigger], bool],
    refusals: tuple[type[Exception], ...] = REFUSALS,
) -> Outcome:
    """Do something to each trigger, one transaction each.

    Args:
        triggers: the triggers.
        act: does it to one; False where there was nothing to do.
        refusals: the errors that say why it could not be done to one.
    """
    outcome = Outcome()
    for trigger in triggers:
        try:
            if act(trigger):
                outcome.done += 1
            else:
                outcome.already += 1
        except refusals as error:
            reason = excerpt(reason_of(error), 200)
            outcome.refused.append(f"{excerpt(trigger.name, 60)}: {reason}")
    return outcome
