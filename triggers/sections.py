"""The form of a trigger in sections: which fields it asks for, and what is said of each.

The form, the admin and the operators' pages read this list. The inputs of parts of the maps, and
those of lists, are in `triggers.forms` with their labels.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of the form.

    Attributes:
        name: its name.
        label: what it is called; empty if the form has an input of its own for it.
        help_text: what stands below the input; the model's if it is empty.
        is_rare: whether the operators' pages fold it away as long as it is empty.
        on_pages: the section in which the operators' pages have it, if that is another one.
    """

    name: str
    label: Any = ""
    help_text: Any = ""
    is_rare: bool = False
    on_pages: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form under a heading of its own."""

    key: str
    title: Any
    entries: tuple[Entry, ...] = ()


SECTIONS = (
    Section(
        "basic",
        _("Basic"),
        (
            Entry("name", _("Name")),
            Entry("description", _("Description")),
            Entry("type", _("Type"), on_pages="when"),
            Entry("tags"),
            Entry("user_id", _("User"), is_rare=True),
            Entry("enabled", _("Enabled")),
        ),
    ),
    Section(
        "agent",
        _("Agent and prompt"),
        (
            Entry("agent_id", _("Agent")),
            Entry(
                "prompt",
                _("Prompt"),
                _(
                    "{{ event.detail.order.id }} stands for that part of the event that starts "
                    "the run."
                ),
            ),
            Entry("include_context", _("Add context to the prompt")),
            Entry("session_id", _("Session"), is_rare=True),
            Entry("model_id", _("Model"), is_rare=True),
            Entry("reasoning_effort", _("Reasoning effort"), is_rare=True),
            Entry("working_directory", _("Working directory"), is_rare=True),
            Entry("enabled_tools", is_rare=True),
        ),
    ),
    Section("when", _("When it fires")),
    Section(
        "schedule",
        _("Schedule"),
        (
            Entry("expression"),
            Entry("timezone"),
            Entry("window_minutes", on_pages="limits"),
            Entry("start_date", on_pages="limits"),
            Entry("end_date", on_pages="limits"),
        ),
    ),
    Section(
        "event",
        _("Event"),
        (
            Entry("event_source_id"),
            Entry("event_bus_name"),
            Entry("event_pattern"),
            Entry("debounce_seconds"),
            Entry("max_runs_per_hour"),
        ),
    ),
    Section(
        "limits",
        _("Limits"),
        (
            Entry("timeout_seconds", _("Timeout (seconds)")),
            Entry("overlap_policy"),
            Entry("max_retries", _("Retries")),
            Entry("pause_after_failures", _("Pause after failures")),
        ),
    ),
)
ENTRIES = [entry for section in SECTIONS for entry in section.entries]


def entries_on_pages(key: str) -> list[Entry]:
    """The fields of a section on the operators' pages, those of other sections last."""
    own = [e for s in SECTIONS if s.key == key for e in s.entries if not e.on_pages]
    return own + [entry for entry in ENTRIES if entry.on_pages == key]
