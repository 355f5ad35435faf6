"""Actions of operators on several triggers, with one message about the outcome."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from moca.concurrency import reason_of
from moca.display import excerpt
from triggers.models import Trigger
from triggers.services import REFUSALS

# The most refusals that a message names, since it is stored in a cookie.
NAMED_REFUSALS = 3


@dataclass(slots=True)
class Outcome:
    """The outcome of an action on several triggers.

    Attributes:
        done: the number of triggers that it changed.
        already: the number of triggers that needed no change.
        refused: the name and the reason for each of the others.
        left: the triggers for which there was no time.
    """

    done: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)
    left: list[Trigger] = field(default_factory=list)

    def sentence(self, done: str) -> str:
        """The outcome in a sentence for the operator.

        Args:
            done: the participle of the action, such as "enabled".
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
    *,
    seconds: float = math.inf,
) -> Outcome:
    """Do an action on each trigger, in a transaction each.

    Args:
        triggers: the triggers.
        act: does the action on one; returns False if there was nothing to do.
        refusals: errors of `act` that are reported for their trigger; others are raised.
        seconds: how long it may take; after that, the rest is left. The first is always done.
    """
    outcome = Outcome()
    end = time.monotonic() + seconds
    for number, trigger in enumerate(triggers):
        if number and time.monotonic() >= end:
            outcome.left.append(trigger)
            continue
        try:
            if act(trigger):
                outcome.done += 1
            else:
                outcome.already += 1
        except refusals as error:
            reason = excerpt(reason_of(error), 200)
            outcome.refused.append(f"{excerpt(trigger.name, 60)}: {reason}")
    return outcome
