"""Shows values to people and to scripts: tables, JSON, and texts without control characters."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from moca_triggers.models import Trigger, TriggerExecution

# A pipe has no width: no cell is cut there.
UNLIMITED = 100_000
STYLES = {
    "success": "green",
    "on": "green",
    "running": "cyan",
    "off": "dim",
    "paused": "yellow",
    "interrupted": "yellow",
    "missed": "yellow",
}


def as_json(value: Any) -> None:
    """Print a value for scripts."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(text: str) -> None:
    """Tell the person something that is no result: on standard error."""
    click.echo(plain(text), err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: in colours and as wide as the terminal, or plain and uncut for scripts."""
    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(plain(cell), style=STYLES.get(cell, "")) for cell in row))
    _print(made)


def facts(pairs: Mapping[str, str]) -> None:
    """Print names and values, one below the other; empty values are left out."""
    made = Table.grid(padding=(0, 2))
    for name, value in pairs.items():
        if value:
            made.add_row(Text(name, style="bold"), Text(plain(value), style=STYLES.get(value, "")))
    _print(made)


def piece(text: str) -> None:
    """Print a part of what an agent said, as soon as it comes.

    An agent's text may contain control sequences, which could change the terminal: a terminal gets
    it without them, a file or a pipe gets it as it is.
    """
    click.echo(plain(text) if sys.stdout.isatty() else text, nl=False)
    sys.stdout.flush()


def plain(text: str) -> str:
    """The text with visible signs in place of control characters, except for tabs and line ends."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(sign) == "Cc" and sign not in "\n\t"
        else sign
        for sign in text
    )


def state(trigger: Trigger) -> str:
    """Whether a trigger fires."""
    if trigger.get("pausedAt"):
        return "paused"
    return "on" if trigger["enabled"] else "off"


def when(trigger: Trigger) -> str:
    """When a trigger fires, in words."""
    schedule = trigger.get("scheduleConfig")
    if schedule:
        return trigger.get("scheduleDescription") or schedule.get("expression", "")
    event = trigger.get("eventConfig", {})
    return f"on events of {event.get('eventSourceId') or event.get('eventBusName') or 'the bus'}"


def outcome(run: TriggerExecution) -> str:
    """How a run ended, or its state while it has not."""
    return run.get("outcome") or run["status"]


def local(moment: str | None) -> str:
    """A time of the API by this machine's clock."""
    if not moment:
        return ""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print(made: Table) -> None:
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(made)
        return
    wide = Console(highlight=False, width=UNLIMITED, color_system=None)
    with wide.capture() as captured:
        wide.print(made)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
