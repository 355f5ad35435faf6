"""The codes of reasons that records keep: why a run failed, was skipped, or has a warning.

The failures of agents and of the connection to them are in `agents.errors`.
"""

from django.utils.translation import gettext_noop as _

from moca.sentences import Code

# Why a run failed. The first is of a run whose process died.
LOST = Code(
    "lost",
    _(
        "The process that ran this stopped before the agent had answered; whether the agent "
        "finished its work is not known."
    ),
)
NOT_PICKED_UP = Code(
    "not_picked_up", _("No process picked this run up: check that the scheduler is running.")
)
CLOSED = Code("closed_by_another", _("Another process had closed this run."))
INTERNAL_ERROR = Code(
    "internal_error", _("An internal error broke this run off; the log has the details.")
)
SHUT_DOWN = Code(
    "scheduler_shut_down", _("The scheduler was shut down before the agent had answered.")
)
TURN_TOO_LATE = Code(
    "turn_too_late",
    _(
        "Its turn did not come in time, or no process picked it up then: other runs of its "
        "concurrency key were going. Nothing was sent to the agent."
    ),
)
TRIGGER_DELETED = Code("trigger_deleted", _("The trigger was deleted before the run."))
OVERTAKEN = Code("overtaken", _("Another run of the trigger had begun."))
NOT_INVOKED = Code(
    "function_not_invoked", _("The function that runs triggers could not be invoked: %(error)s")
)
CANCELLED = Code("cancelled_by_person", _("Cancelled by %(name)s."))
MISSED = Code(
    "missed",
    _(
        "Missed: %(runs)s due from %(first)s to %(last)s UTC, not started in time: no scheduler "
        "was running, or it was busy. Nothing was sent to the agent."
    ),
)
OVER_BUDGET = Code(
    "over_budget",
    _("Cancelled, since the run took %(spent)s: it may take %(most)s (%(limit)s)."),
)
# A warning about a run whose agent said only at its end what it took.
ENDED_OVER_BUDGET = Code(
    "ended_over_budget",
    _(
        "The run took %(spent)s: it may take %(most)s (%(limit)s). The agent told it too late to "
        "cancel the run."
    ),
)
# Alarms.
NOT_STARTED = Code(
    "not_started",
    _(
        "The run that was due at %(due)s UTC has not started. It was expected by %(by)s UTC: check "
        "that a scheduler is running."
    ),
)
WAITS_FOR_TURN = Code(
    "waits_for_turn",
    _(
        "The run that was due at %(due)s UTC waits for its turn. It was expected by %(by)s UTC: "
        "the run before it may still be going, or SCHEDULER_CONCURRENCY may be too low."
    ),
)
NOT_BEGUN = Code(
    "not_begun",
    _("The run has waited for a process since %(since)s UTC: beginWithinMinutes is %(number)s."),
)
TOO_LONG = Code(
    "too_long",
    _("The run has been under way since %(since)s UTC: runWithinSeconds is %(number)s."),
)
NO_PASS = Code(
    "no_pass",
    _(
        "The maintenance has not finished a pass since %(seen)s UTC: see the log of the handler. "
        "Schedules may fire all the same, but nobody notices if they do not."
    ),
)
NO_PROCESS = Code(
    "no_process",
    _(
        "No process that fires schedules is alive. The last one was seen at %(seen)s UTC: start "
        "the scheduler."
    ),
)
UNANSWERED = Code("unanswered", _("Nobody answered within %(hours)s."))
ONE_HOUR = Code("one_hour", _("1 hour"))
HOURS = Code("hours", _("%(number)s hours"))
# Added to the reason of a run if its process, a Lambda function, had less time than its trigger
# allows.
NO_MORE_TIME = Code(
    "process_out_of_time",
    _("%(reason)s; its process had no more time, though the trigger allows %(number)s s"),
)
# The request was sent, and no process of ours reads the rest of the answer.
SENT_END_UNKNOWN = Code(
    "sent_end_unknown",
    _(
        "Sent, and its end is not known to us: the process had no more time after %(seconds)s s, "
        "though the trigger allows %(number)s s. The agent may still be at work in the session "
        "%(session)s."
    ),
)
UNREAD = Code(
    "handed_over_unread",
    _(
        "Handed over, and no process read on: check that runworker is running. How the agent's "
        "work in the session %(session)s ended is not known."
    ),
)
DELETED_MEANWHILE = Code(
    "trigger_deleted_meanwhile",
    _(
        "Sent, and its end is not known to us: the trigger was deleted meanwhile. The agent may "
        "still be at work in the session %(session)s."
    ),
)
# Only in records of earlier editions, in which it adds to the reason above.
END_UNKNOWN = Code(
    "end_unknown",
    _(
        "%(reason)s; the request was sent, and how the agent's work in the session %(session)s "
        "ended is not known"
    ),
)

# How many runs a reason is about.
ONE_RUN = Code("one_run", _("1 run"))
RUNS = Code("runs", _("%(number)s runs"))
MORE_RUNS = Code("more_runs", _("more than %(number)s runs"))
A_RUN = Code("a_run", _("a run"))
RUNS_IN_A_ROW = Code("runs_in_a_row", _("%(number)s runs in a row"))

# Why a backfill was stopped.
STOPPED_BY_PERSON = Code("backfill_stopped", _("Stopped by %(name)s."))

# What was wrong with the prompt of a run that ran all the same.
PLACEHOLDER = Code(
    "placeholder_unknown",
    _(
        "The prompt has %(braces)s, which names no part of the event: the agent was sent it as it "
        "stands. Correct it in the trigger's prompt."
    ),
)
NO_OWNER_TOKEN = Code(
    "owner_token_missing",
    _(
        "The agent was called without a token of the trigger's owner, which could not be obtained: "
        "%(error)s"
    ),
)
# Joins two warnings.
BESIDES = Code("besides", _("%(reason)s %(besides)s"))
AND_MORE = Code("and_more", _("%(braces)s and %(number)s more"))

# Why a run or an event was skipped.
TRIGGER_GONE = Code("trigger_gone", _("The trigger is gone."))
DISABLED = Code("disabled", _("The trigger was disabled."))
ENDED = Code("ended", _("The trigger's end date had passed."))
TOO_LATE = Code(
    "too_late",
    _("It could not begin in time: beginWithinMinutes is %(number)s, and onDeadline is cancel."),
)
BUSY = Code("busy", _("The run before was still going."))
KEY_BUSY = Code(
    "key_busy", _("As many runs of its concurrency key were going as may (%(number)s).")
)
BUFFERED = Code("buffered", _("A run of the trigger was waiting for its turn already."))
LINE_FULL = Code("line_full", _("As many runs were waiting for their turn as may (%(number)s)."))
REPLACED = Code("replaced", _("A later run of the trigger %(name)s begins in its place."))
CLOCK_JUMPED = Code(
    "clock_jumped",
    _(
        "The machine's clock jumped ahead over them, and they were not started. If the clock was "
        "wrong and is put right, they run at their time."
    ),
)
TOO_MANY = Code(
    "too_many_events", _("More events than maxRunsPerHour lets run came within the hour.")
)
TOO_LARGE = Code("event_too_large", _("The event had more than %(size)s bytes."))
TOO_MUCH_WORK = Code(
    "too_much_work",
    _(
        "The event has too many values to compare it with the trigger's pattern: ask for fewer "
        "fields within its lists."
    ),
)
TOO_MUCH_WORK_FOR_SOURCE = Code(
    "too_much_work_for_source",
    _(
        "The event has too many values to compare it with the pattern of the event source: ask "
        "for fewer fields within its lists."
    ),
)
TOO_DEEP = Code(
    "chain_too_deep",
    _(
        "The run would have been number %(depth)s in a row that started each other, and "
        "CHAIN_DEPTH_LIMIT is %(most)s: look for a loop of triggers."
    ),
)
MERGED = Code("merged", _("A further event came before the pause of debounceSeconds was over."))

# What the product did to a trigger or its rows, for the audit log.
PAUSED = Code("paused", _("Paused after %(runs)s had failed. The last one: %(error)s"))
PAUSED_BY_LIMIT = Code(
    "paused_by_limit",
    _("Paused, since %(runs)s had failed: pauseAfterFailures is %(number)s."),
)
HELD_BACK = Code(
    "held_back", _("Events are dropped until %(time)s UTC: maxRunsPerHour is %(number)s.")
)
LEASE_CORRECTED = Code(
    "lease_corrected",
    _("The run would have counted as running until %(until)s UTC, since the clock was ahead."),
)
DEBOUNCE_CORRECTED = Code(
    "debounce_corrected",
    _("An event would have waited until %(until)s UTC, since the clock was ahead."),
)
RESULT_CORRECTED = Code(
    "result_corrected",
    _("The run was closed as lost while the database was away. This is how it really ended."),
)
RESULT_SENT = Code(
    "result_sent",
    _("The agent has sent how the run ended, after it had been closed without knowing that."),
)
TOKENS_EXPIRED = Code("tokens_expired", _("Their time was over: they were made to end then."))
EXECUTIONS_EXPIRED = Code(
    "executions_expired", _("Their time was over: EXECUTION_TTL_DAYS after their start.")
)
EVENTS_EXPIRED = Code("events_expired", _("Their time was over: seven days after they came."))
