"""Why a run failed or was skipped, in the reader's language.

Reasons are stored in English, and some quote what others said. Those that are ours and met most
are known here by their templates; any other stays as it is.
"""

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

KNOWN = (
    # Of runs.
    gettext_noop(
        "The process that ran this stopped before the agent had answered; whether the agent "
        "finished its work is not known."
    ),
    gettext_noop("No process picked this run up: check that the scheduler is running."),
    gettext_noop("Another process had closed this run."),
    gettext_noop("An internal error broke this run off; the log has the details."),
    gettext_noop("The trigger was deleted before the run."),
    gettext_noop("Another run of the trigger had begun."),
    gettext_noop(
        "The prompt has %(braces)s, which names no part of the event: the agent was sent it as it "
        "stands. Correct it in the trigger's prompt."
    ),
    gettext_noop("The function that runs triggers could not be invoked: %(error)s"),
    gettext_noop(
        "Missed: %(runs)s due from %(first)s to %(last)s UTC, not started in time: no scheduler "
        "was running, or it was busy. Nothing was sent to the agent."
    ),
    gettext_noop(
        "The machine's clock jumped ahead over them, and they were not started. If the clock was "
        "wrong and is put right, they run at their time."
    ),
    # Of agents.
    gettext_noop("timed out after %(seconds)s s"),
    gettext_noop("the agent sent nothing for %(seconds)s s"),
    gettext_noop("the agent's stream ended early: the connection broke"),
    gettext_noop("the agent's stream ended early"),
    gettext_noop("the agent's answer is empty"),
    gettext_noop("the agent failed without saying why"),
    gettext_noop("%(who)s answered %(answer)s"),
    gettext_noop("%(who)s did not accept a connection within %(seconds)s s"),
    gettext_noop("%(who)s sent no answer within %(seconds)s s"),
    gettext_noop("%(who)s closed the connection without an answer"),
    gettext_noop("the host name of %(who)s cannot be resolved: check its URL"),
    gettext_noop("%(who)s cannot be reached (%(error)s): check its URL and that it runs"),
    # Of triggers.
    gettext_noop("Paused after %(runs)s had failed. The last one: %(error)s"),
    gettext_noop("Paused, since %(runs)s had failed: pauseAfterFailures is %(number)s."),
    gettext_noop("Events are dropped until %(time)s UTC: maxRunsPerHour is %(number)s."),
    gettext_noop("The run before was still going."),
    gettext_noop("The trigger was disabled."),
    gettext_noop("The trigger's end date had passed."),
    gettext_noop("More events than maxRunsPerHour lets run came within the hour."),
    gettext_noop("A further event came before the pause of debounceSeconds was over."),
    gettext_noop("The event had more than %(size)s bytes."),
    gettext_noop(
        "The event has too many values to compare it with the trigger's pattern: ask for fewer "
        "fields within its lists."
    ),
    gettext_noop(
        "The event has too many values to compare it with the pattern of the event source: ask "
        "for fewer fields within its lists."
    ),
    gettext_noop("Another program wrote what cannot be read: %(names)s."),
    # Of EventBridge Scheduler.
    gettext_noop("The schedule cannot be read: correct it first."),
    gettext_noop(
        "EventBridge Scheduler has no room for more schedules: delete some, or have the quota of "
        "the account raised."
    ),
    gettext_noop("EventBridge Scheduler is throttling: try again in a moment."),
    gettext_noop(
        "EventBridge Scheduler refuses our role: check that it may use the schedules of the "
        "group, and pass SCHEDULER_ROLE_ARN."
    ),
    gettext_noop("The schedule group is missing: check SCHEDULE_GROUP_NAME."),
    gettext_noop("EventBridge Scheduler cannot be reached: %(error)s"),
    gettext_noop("EventBridge Scheduler refuses it: %(message)s"),
)
# What follows a reason, and what stands in one.
MORE = (
    gettext_noop("%(reason)s; tried %(number)s times"),
    gettext_noop(
        "%(reason)s; its process had no more time, though the trigger allows %(number)s s"
    ),
)
PARTS = (
    gettext_noop("the agent"),
    gettext_noop("the token endpoint"),
    gettext_noop("a run"),
    gettext_noop("%(number)s runs in a row"),
    gettext_noop("1 run"),
    gettext_noop("%(number)s runs"),
    gettext_noop("more than %(number)s runs"),
)
# Others may say anything, so what stands for these is not just any text. Each template has at most
# one part that is, or one long text would be tried in very many ways.
NARROW = {
    "number": "[0-9,]{1,20}",
    "who": "the agent|the token endpoint",
    "runs": "[a-z0-9, ]{1,40}",
    "first": "[0-9: -]{1,40}",
    "last": "[0-9: -]{1,40}",
    "seconds": "[0-9.,e+-]{1,20}",
    "size": "[0-9,]{1,20}",
}
# Longer texts are shown as they are stored: an agent may have said anything.
MAX_LENGTH = 2_000
# A reason in a reason in a reason, and its parts.
MAX_DEPTH = 4


def reason(stored: str) -> str:
    """A stored reason in the reader's language, or as it is where it is none of the known."""
    return _reason(stored, MAX_DEPTH) if len(stored) <= MAX_LENGTH else stored


def _reason(stored: str, depth: int) -> str:
    if not depth:
        return stored
    for template, pattern in _patterns():
        if found := pattern.fullmatch(stored):
            parts = {name: _reason(part, depth - 1) for name, part in found.groupdict().items()}
            return gettext(template) % parts
    return stored


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, _pattern(template)) for template in (*MORE, *KNOWN, *PARTS)]


def _pattern(template: str) -> re.Pattern[str]:
    """What a template makes, each part by its name."""
    fixed, *rest = re.split(r"%\((\w+)\)s", template)
    texts = [re.escape(fixed)]
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        texts += [f"(?P<{name}>{NARROW.get(name, '.+')})", re.escape(text)]
    return re.compile("".join(texts), re.DOTALL)
