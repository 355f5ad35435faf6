"""Reason codes that are stored on triggers and in audit entries, with their messages.

They say why a trigger cannot fire, and why its row or its projection was changed.
"""

from django.utils.translation import gettext_noop as _

from moca.sentences import Code

# Rows that another program wrote.
UNREADABLE = Code("unreadable", _("Another program wrote what cannot be read: %(names)s."))

# EventBridge Scheduler.
SCHEDULE_UNREADABLE = Code(
    "schedule_unreadable", _("The schedule cannot be read: correct it first.")
)
SCHEDULER_FULL = Code(
    "scheduler_full",
    _(
        "EventBridge Scheduler has no room for more schedules: delete some, or have the quota of "
        "the account raised."
    ),
)
SCHEDULER_THROTTLING = Code(
    "scheduler_throttling", _("EventBridge Scheduler is throttling: try again in a moment.")
)
SCHEDULER_DENIED = Code(
    "scheduler_denied",
    _(
        "EventBridge Scheduler refuses our role: check that it may use the schedules of the "
        "group, and pass SCHEDULER_ROLE_ARN."
    ),
)
SCHEDULE_GROUP_MISSING = Code(
    "schedule_group_missing", _("The schedule group is missing: check SCHEDULE_GROUP_NAME.")
)
SCHEDULER_UNREACHABLE = Code(
    "scheduler_unreachable", _("EventBridge Scheduler cannot be reached: %(error)s")
)
SCHEDULER_REFUSES = Code("scheduler_refuses", _("EventBridge Scheduler refuses it: %(message)s"))
# The local scheduler.
NOT_FIRED = Code(
    "not_fired",
    _("What is due is not fired: check that a scheduler process is running."),
)

# Why a run or an event was left out, and why a pause ended.
PAUSED = Code("paused_by_person", _("Left out: the trigger was paused."))
ALL_PAUSED = Code("all_paused", _("Left out: the whole installation was paused."))
PAUSE_OVER = Code("pause_over", _("The pause was over at %(time)s UTC."))
TIME_CORRECTED = Code(
    "time_corrected",
    _(
        "The schedule waited for a time that was written while the clock was ahead. It waits for "
        "the next run again."
    ),
)
DRIFT_NOTED = Code(
    "drift_noted",
    _(
        "A change was given up, and the %(what)s could not be restored: %(error)s The reconciler "
        "tries again."
    ),
)

# What was done about budgets. `reason` of an alert, and of an entry in the audit log.
TOKENS = Code("tokens", _("%(number)s tokens"))
MONEY = Code("money", _("%(number)s %(currency)s"))
A_DAY = Code("a_day", _("a day"))
A_MONTH = Code("a_month", _("a month"))
BUDGET_NEARLY_USED_UP = Code(
    "budget_nearly_used_up",
    _("%(spent)s of %(most)s %(period)s are spent. The budget begins anew at %(end)s."),
)
BUDGET_USED_UP = Code(
    "budget_used_up",
    _("Paused until %(end)s, because the budget of %(most)s %(period)s is used up."),
)
USER_NEARLY_USED_UP = Code(
    "user_budget_nearly_used_up",
    _(
        "The triggers of %(user)s have spent %(spent)s of %(most)s %(period)s. The budget begins "
        "anew at %(end)s."
    ),
)
USER_USED_UP = Code(
    "user_budget_used_up",
    _(
        "The triggers of %(user)s are paused until %(end)s, because the user's budget of %(most)s "
        "%(period)s is used up."
    ),
)
USER_PAUSED = Code(
    "user_budget_pause", _("Left out: the budget of the trigger's user was used up.")
)

# Why a command changed a row.
SAMPLE = Code("sample", _("A sample to try."))
IMPORTED = Code("imported", _("A file was imported by the command."))

# Why the projection of a trigger was removed.
PROJECTION_NOT_NEEDED = Code("copy_not_needed", _("it is not needed any more"))
TRIGGER_GONE = Code("copy_without_trigger", _("its trigger is gone"))
NO_PROJECTION_WANTED = Code("copy_unwanted", _("its trigger has no %(what)s"))

# Why a run failed whose agent has answered: its output does not keep the checks of the trigger.
OUTPUT_EMPTY = Code("output_empty", _("The output is empty."))
OUTPUT_LACKS = Code("output_lacks", _("The output does not contain “%(text)s”."))
OUTPUT_NO_JSON = Code("output_no_json", _("The output is no JSON: %(error)s"))
OUTPUT_UNFIT = Code(
    "output_unfit", _("The output does not fit the JSON schema, at %(where)s: %(error)s")
)
OUTPUT_TOO_LONG = Code(
    "output_too_long",
    _("The output was not checked for “%(text)s”: it is so long that its middle is not kept."),
)
OUTPUT_UNCHECKED = Code(
    "output_unchecked",
    _("The output was not checked: the JSON schema takes too much work. Make it simpler."),
)
