"""Commands about files: export and import."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from moca_triggers.changes import Change, compare
from moca_triggers.cli.session import Session, pass_session
from moca_triggers.cli.show import plain, say
from moca_triggers.errors import MocaTriggersError, RefusedError
from moca_triggers.files import FORMATS, MAX_FILE_BYTES, FileError, entry, read

COLOURS = {"+": "green", "-": "red"}


@click.command("export")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), help="yaml; json for FILE.json."
)
@click.option("--tag", metavar="TAG", help="Only the triggers with this tag.")
@pass_session
def export_file(session: Session, output: Path | None, kind: str | None, tag: str | None) -> None:
    """Write your triggers to a file, or to standard output. It contains prompts, but no secrets.

    Event sources are not in it: the server's export_triggers writes them.
    """
    is_json = output is not None and output.suffix == ".json"
    pieces = FORMATS[kind or ("json" if is_json else "yaml")]
    found = sorted(session.client.triggers(), key=lambda each: each["id"])
    text = pieces(entry(each) for each in found if tag is None or tag in each.get("tags", []))
    if output is None:
        for each in text:
            click.echo(each, nl=False)
    else:
        _write(output, text)


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Write a file beside the path, and rename it to the path when it is complete."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        part.replace(path)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option("--disabled", is_flag=True, help="Import all disabled: nothing fires yet.")
@click.option(
    "--by-name",
    is_flag=True,
    help="An entry whose id is unknown here changes the trigger of its name.",
)
@click.option("--take-over", is_flag=True, help="Import other users' triggers as yours.")
@click.pass_context
def import_file(
    context: click.Context,
    file: Any,
    dry_run: bool,
    disabled: bool,
    by_name: bool,
    take_over: bool,
) -> None:
    """Create and change triggers until they are as FILE says; - is standard input.

    Triggers that FILE does not name stay. New triggers get new ids.
    """
    session: Session = context.obj
    try:
        entries, sources = read(file.read(MAX_FILE_BYTES + 1))
        found = compare(
            session.client, entries, disabled=disabled, by_name=by_name, is_takeover=take_over
        )
    except FileError as error:
        raise click.UsageError(f"{file.name}: {error} Nothing was imported.") from error
    if sources:
        say(f"Left out: {sources} event sources, which the server's import_triggers imports.")
    counts: Counter[str] = Counter()
    for change in found.changes:
        counts[_import(session, change, dry_run=dry_run)] += 1
    parts = [f"{number} {kind}" for kind, number in sorted(counts.items())]
    say(", ".join([*parts, f"{found.unchanged} unchanged"]) + ".")
    if dry_run:
        say("Nothing was written.")
    if counts["refused"]:
        context.exit(4)


def _import(session: Session, change: Change, *, dry_run: bool) -> str:
    """Print a change, and carry it out; returns what became of it."""
    is_new = change.before is None
    name = change.entry["name"]
    own = "new" if change.before is None else change.before["id"]
    click.echo(plain(f"{'create' if is_new else 'update'} {name!r} ({own})"))
    for line in change.lines():
        click.secho(f"  {plain(line)}", fg=COLOURS.get(line[0]))
    try:
        if dry_run:
            _check(session, change)
            return "to create" if is_new else "to update"
        made = change.carry_out(session.client)
    except RefusedError as error:
        say(f"  Refused: {error}")
        return "refused"
    except MocaTriggersError:
        say("Broken off. Import the file again to go on.")
        raise
    if is_new:
        click.echo(f"  id: {made['id']}")
    return "created" if is_new else "updated"


def _check(session: Session, change: Change) -> None:
    """Have the server read a schedule that would be new. It checks the rest when it is written."""
    schedule = change.values.get("scheduleConfig") or {}
    if schedule.get("expression"):
        zone = schedule.get("timezone") or ""
        session.client.preview(schedule["expression"], zone, count=1)


COMMANDS = (export_file, import_file)
