"""The prompt that is sent: the trigger's own, and a section on what started the run."""

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings

from executions import placeholders
from moca.times import iso
from triggers.models import Trigger


def compose(trigger: Trigger, event: dict[str, Any], now: datetime) -> str:
    """The prompt for one run.

    Parts of the event stand in it where the trigger's prompt names them; see
    `executions.placeholders`.
    The section comes from the Markdown file AGENT_PROMPT_TEMPLATE names, with `$prompt`,
    `$trigger_name`, `$execution_time`, `$event_source`, `$event_type`, `$region`, `$event_id` and
    `$payload` in it.

    Args:
        trigger: whose prompt it is.
        event: the EventBridge envelope that started the run.
        now: the time of the run.
    """
    own = placeholders.fill(trigger.prompt, event)
    if not trigger.include_context:
        return own
    return _template(settings.AGENT_PROMPT_TEMPLATE).safe_substitute(
        prompt=own,
        trigger_name=_cell(trigger.name),
        execution_time=iso(now),
        event_source=_cell(event.get("source")),
        event_type=_cell(event.get("detail-type")),
        region=_cell(event.get("region")),
        event_id=_cell(event.get("id")),
        payload=json.dumps(event, ensure_ascii=False, indent=2),
    )


@lru_cache(maxsize=4)
def _template(path: str) -> Template:
    return Template(Path(path).read_text().rstrip("\n"))


def _cell(value: Any) -> str:
    """The value as the text of a Markdown table's cell."""
    return " ".join(str(value or "-").split()).replace("|", "\\|")
