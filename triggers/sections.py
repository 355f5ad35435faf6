"""The sections of a trigger's form, with labels and help texts of their fields.

The form, the admin and the operators' pages are built from this list. Fields for parts of the maps
and for lists have their labels in `triggers.forms`.

The order is that of the form: what a trigger needs comes first. The operators' pages show the rest
under "limits", folded away while it holds nothing out of the ordinary.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of the form.

    Attributes:
        name: the name of the form's field.
        label: its label; empty if the form declares the field itself.
        help_text: the text below the input; the model's if it is empty.
        on_pages: the section that the operators' pages show it in, if that is another one.
    """

    name: str
    label: Any = ""
    help_text: Any = ""
    on_pages: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form with a heading; `key` names it in templates and CSS."""

    key: str
    title: Any
    entries: tuple[Entry, ...] = ()


SECTIONS = (
    Section("when", _("When it fires"), (Entry("type", _("Type")),)),
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
            Entry("after_trigger"),
            Entry("after_result"),
            Entry("event_source_id"),
            Entry("event_bus_name"),
            Entry("event_pattern"),
            Entry("debounce_seconds"),
            Entry("max_runs_per_hour"),
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
            Entry("include_context", _("Add context to the prompt"), on_pages="limits"),
            Entry("session_id", _("Session"), on_pages="limits"),
            Entry("model_id", _("Model"), on_pages="limits"),
            Entry("reasoning_effort", _("Reasoning effort"), on_pages="limits"),
            Entry("working_directory", _("Working directory"), on_pages="limits"),
            Entry("enabled_tools", on_pages="limits"),
        ),
    ),
    Section(
        "basic",
        _("Basic"),
        (
            Entry("name", _("Name")),
            Entry("description", _("Description"), on_pages="limits"),
            Entry("tags", on_pages="limits"),
            Entry("user_id", _("User"), on_pages="limits"),
            Entry("enabled", _("Enabled")),
        ),
    ),
    Section(
        "limits",
        _("Limits"),
        (
            Entry("timeout_seconds", _("Timeout (seconds)")),
            Entry("overlap_policy"),
            Entry("concurrency_key", _("Concurrency key")),
            Entry("max_concurrent", _("Runs at once")),
            Entry("catch_up", _("After an outage")),
            Entry("max_retries", _("Retries")),
            Entry("pause_after_failures", _("Pause after failures")),
            Entry("answer_within_hours", _("Answer within (hours)")),
            Entry("begin_within_minutes", _("Begin within (minutes)")),
            Entry("run_within_seconds", _("Take at most (seconds)")),
            Entry("on_deadline"),
            Entry("check_not_empty"),
            Entry("check_contains"),
            Entry("check_json_schema"),
            Entry("max_tokens_per_run", _("Tokens per run")),
            Entry("max_cost_per_run", _("Money per run")),
            Entry("max_tokens_per_day", _("Tokens per day")),
            Entry("max_tokens_per_month", _("Tokens per month")),
            Entry("max_cost_per_day", _("Money per day")),
            Entry("max_cost_per_month", _("Money per month")),
        ),
    ),
)
ENTRIES = [entry for section in SECTIONS for entry in section.entries]


def entries_on_pages(key: str) -> list[Entry]:
    """The fields of a section on the operators' pages; those from other sections come last."""
    own = [e for s in SECTIONS if s.key == key for e in s.entries if not e.on_pages]
    return own + [entry for entry in ENTRIES if entry.on_pages == key]
