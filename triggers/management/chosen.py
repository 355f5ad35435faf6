"""Which triggers the commands `pause` and `resume` are for, and what came of it."""

import argparse
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from triggers.bulk import act_on_each
from triggers.models import Trigger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command name triggers by id or tag, all of them, or the whole installation."""
    parser.add_argument("ids", nargs="*", metavar="trigger_id", help="ids of triggers")
    parser.add_argument("--tag", help="the triggers with this tag, of all users")
    parser.add_argument("--all", action="store_true", help="all triggers, of all users")
    parser.add_argument(
        "--installation",
        action="store_true",
        help="the whole installation, by one switch: no trigger changes",
    )


def check(ids: list[str], tag: str | None, *, all_: bool, installation: bool) -> None:
    """Raise CommandError unless exactly one way to name triggers is used."""
    if sum((bool(ids), tag is not None, all_, installation)) != 1:
        raise CommandError("Give ids of triggers, or one of --tag, --all and --installation.")


def triggers(ids: list[str], tag: str | None) -> list[Trigger]:
    """The triggers of these ids or of a tag; all if neither is given."""
    if ids:
        found = list(Trigger.objects.filter(pk__in=ids))
        if missing := set(ids) - {trigger.pk for trigger in found}:
            raise CommandError(f"There is no trigger {', '.join(sorted(missing))}.")
        return found
    return list(Trigger.objects.tagged(tag) if tag is not None else Trigger.objects.all())


def act(chosen: list[Trigger], do: Callable[[Trigger], Any], done: str) -> str:
    """Do it to each; returns what came of it. CommandError if one was refused."""
    outcome = act_on_each(chosen, do)
    words = outcome.sentence(done)
    if outcome.refused:
        raise CommandError(words)
    return words
