"""What an agent did and thought in a run, beside what it said: for the page of the run."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from agents.replies import KEPT_TOOLS
from executions.models import TriggerExecution
from moca.display import duration, excerpt, laid_out
from triggers.models import RunStatus

TEMPLATE = "console/run_activity.html"
# Characters of an input or a result beside its fold.
BESIDE = 80


@dataclass(frozen=True, slots=True)
class Folded:
    """A text that is folded: its first words, and the whole text, laid out if it is JSON."""

    name: str
    beginning: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A call of a tool as the page shows it.

    Attributes:
        name: the tool's name.
        at: how long after the beginning of the answer it was called, in words.
        duration: how long it took, in words. Empty without a result.
        failed: whether the tool failed.
        state: "returned", "open" (the run is under way) or "unanswered" (the run has ended).
        parts: its input and its result, each only if there is one.
    """

    name: str
    at: str
    duration: str
    failed: bool
    state: str
    parts: list[Folded]


def activity_of(execution: TriggerExecution) -> dict[str, Any]:
    """The template context of the tools and the reasoning of a run."""
    rows = _tool_rows(execution)
    return {
        "tools": rows,
        "failed_tools": sum(row.failed for row in rows),
        "most_tools": KEPT_TOOLS if len(rows) >= KEPT_TOOLS else 0,
        "reasoning": execution.reasoning,
        "activity_digest": _digest(execution),
    }


def changed_activity(execution: TriggerExecution, known: str) -> dict[str, str]:
    """The HTML of the tools and the reasoning for an open page; empty if it shows them already.

    Args:
        execution: the run.
        known: the digest that the page has. Empty for a page that shows no tools.
    """
    if not known or known == _digest(execution):
        return {}
    context = activity_of(execution)
    html = render_to_string(TEMPLATE, context)
    return {"activity": html, "digest": context["activity_digest"]}


def _digest(execution: TriggerExecution) -> str:
    text = json.dumps([execution.tools, execution.reasoning, execution.status], default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _tool_rows(execution: TriggerExecution) -> list[ToolRow]:
    stored = execution.tools if isinstance(execution.tools, list) else []
    is_running = execution.status == RunStatus.RUNNING
    return [_tool_row(tool, is_running=is_running) for tool in stored if isinstance(tool, dict)]


def _tool_row(tool: dict[str, Any], *, is_running: bool) -> ToolRow:
    result = tool.get("result")
    state = "open" if is_running else "unanswered"
    parts = [_folded(_("Input"), tool.get("input")), _folded(_("Result"), result)]
    return ToolRow(
        name=str(tool.get("name") or _("without a name")),
        at=_length(tool.get("atMs")),
        duration=_length(tool.get("tookMs")),
        failed=bool(tool.get("failed")),
        state=state if result is None else "returned",
        parts=[part for part in parts if part.text],
    )


def _folded(name: str, value: Any) -> Folded:
    text = value if isinstance(value, str) else ""
    return Folded(name, excerpt(" ".join(text[: 4 * BESIDE].split()), BESIDE), laid_out(text))


def _length(milliseconds: Any) -> str:
    is_number = isinstance(milliseconds, int) and not isinstance(milliseconds, bool)
    return duration(milliseconds) if is_number and milliseconds >= 0 else ""
