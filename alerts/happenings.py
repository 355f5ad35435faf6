"""What alerts can be about. Producers name a happening, and rules choose among them."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Happening(TextChoices):
    """A kind of happening, and the parameters that its producer gives to `alerts.outbox.tell()`.

    | happening | parameters |
    | --- | --- |
    | STARTED, COMPLETED | none |
    | FAILED, FAILING | `number`: failures in a row, this one included; `reason` |
    | RECOVERED | `number`: failures in a row before this run |
    | MISSED, SKIPPED | `reason` |
    | LATE, TOO_LONG | `minutes`; `reason` if there is more to say |
    | WAITS | `hours`: until when somebody has to answer |
    | PAUSED | `number`: failures in a row; `reason` |
    | OUT_OF_STEP | `reason`; `name` if it is about no trigger |
    | OVER_BUDGET | `number`: spent, in percent; `reason`; `name` if it is about no trigger |
    | NO_SCHEDULER | `minutes`: since when no scheduler is alive; the installation's, no trigger's |
    | CHANNEL_OFF | `channel`: its name; `reason`; the installation's, no trigger's |

    A `reason` is a `moca.sentences.Reason`, which the reader gets in the reader's language. Any
    happening may have one. A missing parameter loses its sentence and nothing else.
    """

    STARTED = "started", _("A run started")
    COMPLETED = "completed", _("A run completed")
    FAILED = "failed", _("A run failed")
    FAILING = "failing", _("A trigger keeps failing")
    RECOVERED = "recovered", _("A trigger works again")
    MISSED = "missed", _("Runs were missed")
    SKIPPED = "skipped", _("A run was skipped")
    LATE = "late", _("A run is late")
    TOO_LONG = "too_long", _("A run takes too long")
    WAITS = "waits", _("A run waits for a person")
    PAUSED = "paused", _("A trigger was paused after failures")
    OUT_OF_STEP = "out_of_step", _("A schedule differs from its trigger")
    OVER_BUDGET = "over_budget", _("A budget is used up")
    NO_SCHEDULER = "no_scheduler", _("No scheduler is alive")
    CHANNEL_OFF = "channel_off", _("A channel was switched off")


# What a new rule tells: whatever keeps triggers from doing their work, and its end.
DEFAULTS = (
    Happening.FAILING,
    Happening.RECOVERED,
    Happening.MISSED,
    Happening.LATE,
    Happening.TOO_LONG,
    Happening.WAITS,
    Happening.PAUSED,
    Happening.OUT_OF_STEP,
    Happening.OVER_BUDGET,
    Happening.NO_SCHEDULER,
    Happening.CHANNEL_OFF,
)
