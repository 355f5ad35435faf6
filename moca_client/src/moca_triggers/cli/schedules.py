"""The command `schedule`: what an expression, or a sentence in English, will do."""

from typing import Any

import click

from moca_triggers.cli.session import Session, json_option, pass_session
from moca_triggers.cli.show import as_json, facts, say
from moca_triggers.errors import RefusedError
from moca_triggers.models import PreviewResult


@click.command()
@click.argument("expression", nargs=-1, required=True)
@click.option("--timezone", default="", metavar="ZONE", help="The timezone; UTC otherwise.")
@click.option(
    "--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many runs."
)
@json_option
@pass_session
def schedule(
    session: Session, expression: tuple[str, ...], timezone: str, count: int, is_json: bool
) -> None:
    """Show what a schedule will do, such as: schedule every weekday at 9 in Tokyo

    Reads cron(...), rate(...) and at(...), and what people write instead of them.
    """
    text = " ".join(expression)
    meanings = _meanings(session, text, timezone, count)
    if is_json:
        as_json([{**meant, **preview} for meant, preview in meanings])
        return
    if len(meanings) > 1:
        say(f"{text!r} may mean {len(meanings)} schedules:")
    for number, (meant, preview) in enumerate(meanings):
        if number:
            click.echo()
        _print(meant, preview)


def _meanings(
    session: Session, text: str, timezone: str, count: int
) -> list[tuple[dict[str, Any], PreviewResult]]:
    """Each schedule that the text may mean, with its preview; the likeliest first."""
    client = session.client
    try:
        preview = client.preview(text, timezone, count=count)
        return [({"timezone": timezone or "UTC", "notes": []}, preview)]
    except RefusedError as error:
        # A wrong timezone is not read otherwise: the message names what it may mean.
        if error.field != "expression" or len(error.details) > 1:
            raise
        suggestions = error.details[0].get("suggestions", [])
        if not suggestions:
            raise
    found = []
    for each in suggestions:
        zone = each.get("timezone") or timezone
        preview = client.preview(each.get("expression") or text, zone, count=count)
        found.append(({"timezone": zone or "UTC", "notes": each.get("notes", [])}, preview))
    return found


def _print(meant: dict[str, Any], preview: PreviewResult) -> None:
    runs = [run["local"].replace("T", " ") for run in preview["nextRuns"]]
    facts(
        {
            "expression": preview["expression"],
            "timezone": meant["timezone"],
            "in words": preview["description"],
            "next runs": "\n".join(runs) or "none",
            "notes": "\n".join(meant["notes"]),
            "warnings": "\n".join(preview["warnings"]),
        }
    )


COMMANDS = (schedule,)
