"""Commands about triggers: list, show, create, delete, enable, disable, pause and resume."""

import sys
from itertools import islice
from typing import Any, TextIO, cast

import click

from moca_triggers.cli.session import Session, json_option, pass_session, trigger_argument
from moca_triggers.cli.show import as_json, facts, local, outcome, say, state, table, when
from moca_triggers.models import Trigger, TriggerCreate


@click.command("list")
@click.option("--search", metavar="TEXT", help="Only those that contain it.")
@click.option("--type", "kind", type=click.Choice(["schedule", "event"]), help="Only this type.")
@click.option("--enabled/--disabled", default=None, help="Only those that fire, or do not.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
@json_option
@pass_session
def list_triggers(
    session: Session,
    search: str | None,
    kind: str | None,
    enabled: bool | None,
    limit: int | None,
    is_json: bool,
) -> None:
    """List your triggers, newest first."""
    found = session.client.triggers(search=search, kind=kind, enabled=enabled)
    rows = list(islice(found, limit))
    if is_json:
        as_json(rows)
    elif rows:
        table(["ID", "NAME", "STATE", "WHEN", "LAST", "NEXT"], map(_row, rows))
    else:
        say("There are no such triggers.")


def _row(trigger: Trigger) -> list[str]:
    last = trigger.get("lastOutcome") or trigger.get("lastStatus") or ""
    following = local(next(iter(trigger.get("nextRuns", [])), None))
    return [trigger["id"], trigger["name"], state(trigger), when(trigger), last, following]


@click.command()
@trigger_argument
@json_option
@pass_session
def show(session: Session, trigger: str, is_json: bool) -> None:
    """Show a trigger, its next runs and its last runs."""
    found = session.find(trigger)
    if is_json:
        as_json(found)
        return
    _describe(found)
    runs = list(islice(session.client.executions(found["id"], page_size=5), 5))
    if runs:
        click.echo()
        table(
            ["RUN", "STARTED", "OUTCOME", "WHY"],
            [
                [run["executionId"], local(run["startedAt"]), outcome(run), run.get("error", "")]
                for run in runs
            ],
        )


def _describe(trigger: Trigger) -> None:
    schedule: Any = trigger.get("scheduleConfig") or {}
    facts(
        {
            "id": trigger["id"],
            "name": trigger["name"],
            "description": trigger.get("description", ""),
            "state": state(trigger),
            "paused": _pause(trigger),
            "when": when(trigger),
            "schedule": schedule.get("expression", ""),
            "next runs": ", ".join(map(local, trigger.get("nextRuns", []))),
            "agent": trigger["agentId"],
            "tags": ", ".join(trigger.get("tags", [])),
            "out of step": trigger.get("syncError", ""),
            "version": str(trigger["version"]),
            "prompt": trigger["prompt"],
        }
    )


def _pause(trigger: Trigger) -> str:
    if not trigger.get("pausedAt"):
        return ""
    until = local(trigger.get("pausedUntil"))
    return " ".join(
        [
            f"by {trigger.get('pausedBy', 'somebody')}",
            f"until {until}" if until else "until somebody resumes it",
            trigger.get("pauseNote", ""),
        ]
    ).strip()


@click.command()
@click.option("--name", required=True, help="Its name.")
@click.option("--agent", "agent_id", required=True, metavar="ID", help="The agent it calls.")
@click.option("--prompt", help="What the agent should do.")
@click.option(
    "--prompt-file",
    type=click.File(encoding="utf-8"),
    help="A file with the prompt; - for standard input.",
)
@click.option("--schedule", metavar="EXPRESSION", help="When: cron(...), rate(...) or at(...).")
@click.option("--timezone", metavar="ZONE", help="The schedule's timezone; UTC otherwise.")
@click.option("--source", metavar="ID", help="The event source that it listens to.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--disabled", is_flag=True, help="Create it without letting it fire.")
@json_option
@pass_session
def create(
    session: Session,
    name: str,
    agent_id: str,
    prompt: str | None,
    prompt_file: TextIO | None,
    schedule: str | None,
    timezone: str | None,
    source: str | None,
    tags: tuple[str, ...],
    disabled: bool,
    is_json: bool,
) -> None:
    """Create a trigger with a schedule, or one that listens to an event source."""
    if bool(schedule) == bool(source):
        raise click.UsageError("Give either --schedule or --source.")
    if timezone and source:
        raise click.UsageError("Only a schedule has a --timezone.")
    body: dict[str, Any] = {
        "name": name,
        "type": "schedule" if schedule else "event",
        "agentId": agent_id,
        "prompt": _prompt(prompt, prompt_file),
        "enabled": not disabled,
    }
    if schedule:
        zone = {"timezone": timezone} if timezone else {}
        body["scheduleConfig"] = {"expression": schedule, **zone}
    else:
        body["eventConfig"] = {"eventSourceId": source}
    if tags:
        body["tags"] = list(tags)
    made = session.client.create(cast("TriggerCreate", body))
    if is_json:
        as_json(made)
    else:
        _describe(made)


def _prompt(text: str | None, file: TextIO | None) -> str:
    if (text is None) == (file is None):
        raise click.UsageError("Give either --prompt or --prompt-file.")
    if text is not None:
        return text
    try:
        return cast("TextIO", file).read()
    except UnicodeDecodeError as error:
        raise click.UsageError("The prompt's file is not UTF-8: save it as UTF-8.") from error


@click.command()
@trigger_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete(session: Session, trigger: str, yes: bool) -> None:
    """Delete a trigger. Its runs stay on record for their time."""
    found = session.find(trigger)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: confirm with --yes.")
        click.confirm(f"Delete {found['name']!r}?", abort=True, err=True)
    session.client.delete(found["id"])
    say(f"Deleted {found['name']!r}.")


@click.command()
@trigger_argument
@json_option
@pass_session
def enable(session: Session, trigger: str, is_json: bool) -> None:
    """Have a trigger fire; ends its pause too."""
    _changed(session.client.enable(session.find(trigger)["id"]), is_json)


@click.command()
@trigger_argument
@json_option
@pass_session
def disable(session: Session, trigger: str, is_json: bool) -> None:
    """Keep a trigger from firing."""
    _changed(session.client.disable(session.find(trigger)["id"]), is_json)


@click.command()
@trigger_argument
@click.option("--until", default="", metavar="WHEN", help="Such as 2h, or 'monday 09:00'.")
@click.option("--note", default="", help="For those who find it paused.")
@json_option
@pass_session
def pause(session: Session, trigger: str, until: str, note: str, is_json: bool) -> None:
    """Pause a trigger, until a time or until somebody resumes it."""
    found = session.client.pause(session.find(trigger)["id"], until=until, note=note)
    _changed(found, is_json)


@click.command()
@trigger_argument
@json_option
@pass_session
def resume(session: Session, trigger: str, is_json: bool) -> None:
    """End the pause of a trigger."""
    _changed(session.client.resume(session.find(trigger)["id"]), is_json)


def _changed(trigger: Trigger, is_json: bool) -> None:
    if is_json:
        as_json(trigger)
    else:
        say(f"{trigger['name']!r} is {state(trigger)}.")


COMMANDS = (list_triggers, show, create, delete, enable, disable, pause, resume)
