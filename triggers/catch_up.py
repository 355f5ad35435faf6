"""What a trigger starts late, after nobody was there to start it in time: its `catchUp`."""

from datetime import datetime, timedelta

from moca.times import INSTANT
from triggers.models.choices import CatchUp
from triggers.models.trigger import Trigger

# A run that starts within this time of its due time is not late.
GRACE = timedelta(minutes=1)
# The most occurrences that `all` catches up.
MOST_CAUGHT_UP = 100


def catches_up_since(
    trigger: Trigger, first: datetime, now: datetime, usual: timedelta
) -> datetime:
    """The moment from which on due occurrences start, however late; earlier ones are missed.

    Args:
        trigger: the trigger, which has a schedule.
        first: when its earliest occurrence that has not started was due.
        now: the present, less the trigger's offset within its flexible window.
        usual: how late an occurrence may start if the trigger's `catchUp` is `recent`.
    """
    is_late = first < now - GRACE
    match trigger.catch_up:
        case CatchUp.NONE:
            return now - min(usual, GRACE)
        case CatchUp.LAST:
            last = trigger.last_run(now + INSTANT) if is_late else None
            return last or first
        case CatchUp.ALL:
            return _of_the_newest(trigger, first, now) if is_late else first
        case _:
            return now - usual


def _of_the_newest(trigger: Trigger, first: datetime, now: datetime) -> datetime:
    """When the earliest of the newest `MOST_CAUGHT_UP` occurrences from `first` on was due."""
    ahead = trigger.next_runs(first - INSTANT, MOST_CAUGHT_UP + 1)
    if len(ahead) <= MOST_CAUGHT_UP or ahead[-1] > now:
        return first
    since = now + INSTANT
    for _ in range(MOST_CAUGHT_UP):
        since = trigger.last_run(since) or first
    return since
