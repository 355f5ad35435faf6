"""The prompt of a run as it was sent, for the run's page.

Runs do not store their prompts. The prompt is composed again from the event of the run and from the
trigger as it was when the run started, which the audit log knows.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from executions import envelope, prompts
from executions.models import TriggerExecution
from moca.audit import Earlier, values_at
from triggers.models import Trigger
from triggers.prompt_versions import find, version_of


@dataclass(frozen=True, slots=True)
class SentPrompt:
    """The prompt of a run.

    Attributes:
        text: the prompt. Empty if nothing of it is known.
        is_sure: whether it is the text that was composed for the run.
        note: a sentence about where it comes from, or why it is not known. Empty if the trigger's
            prompt is the same today.
        doubt: what to call it if it is not sure.
    """

    text: str
    is_sure: bool = False
    note: str = ""
    doubt: str = ""


def sent_prompt(found: TriggerExecution, trigger: Trigger | None) -> SentPrompt | None:
    """The prompt of a run; None if it never began, or took a person's answers to the agent."""
    if not found.attempt or found.continues:
        return None
    if trigger is None:
        return SentPrompt("", note=_("The prompt sent is not known: its trigger is deleted."))
    event = envelope.deserialize(found.event_payload)
    if event is None:
        return SentPrompt("", note=_("The prompt sent is not known: its event is not kept whole."))
    earlier = values_at(trigger, prompts.FIELDS, found.started_at)
    if found.prompt_version and version_of(earlier.values["prompt"]) != found.prompt_version:
        # A program that writes no audit entries may have changed it in between.
        known = find(trigger, found.prompt_version)
        earlier.values["prompt"] = known.prompt if known else earlier.values["prompt"]
    try:
        text = prompts.compose(_as_it_was(trigger, earlier.values), event, found.started_at)
    except OSError:
        note = _("The prompt sent is not known: the file of AGENT_PROMPT_TEMPLATE cannot be read.")
        return SentPrompt("", note=note)
    return SentPrompt(text, earlier.is_sure, *_words(earlier))


def _as_it_was(trigger: Trigger, values: dict[str, Any]) -> Trigger:
    was = copy(trigger)
    for name, value in values.items():
        setattr(was, name, value)
    return was


def _words(earlier: Earlier) -> tuple[str, str]:
    """The note on a prompt, and what the prompt is called if it is doubtful."""
    if earlier.is_sure and not earlier.differs:
        return "", ""
    if earlier.is_sure:
        return _("The trigger has changed since. This is its prompt of that time."), ""
    if earlier.is_close:
        note = _(
            "The trigger was changed within seconds of the start of this run, which may have sent "
            "the values before or after that change."
        )
        return note, _("Prompt that was probably sent")
    note = _(
        "The trigger has changed since this run started, and the recorded changes do not say which "
        "prompt was sent."
    )
    return note, _("Prompt from the trigger as it is now")
