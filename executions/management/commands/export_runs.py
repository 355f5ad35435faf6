"""`manage.py export_runs`: writes runs as CSV or JSON lines."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from executions import exports, search
from executions.models import TriggerExecution
from moca.authentication.models import Operator
from moca.ids import first_id
from moca.times import parse_iso
from triggers.models import Outcome


class Command(BaseCommand):
    help = "Export runs as CSV or JSON lines, the newest first."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--format", choices=[*exports.FORMATS], help="csv by default; jsonl for FILE.jsonl"
        )
        parser.add_argument(
            "--user", default="", help="only runs of this user's triggers, by id or username"
        )
        parser.add_argument("--trigger", default="", metavar="ID", help="only runs of this trigger")
        parser.add_argument(
            "--outcome", default="", choices=Outcome.values, help="only runs that ended so"
        )
        parser.add_argument("--search", default="", help="only runs that have said these words")
        parser.add_argument(
            "--since", type=_moment, metavar="TIME", help="only runs due from then on (ISO 8601)"
        )
        parser.add_argument("--until", type=_moment, metavar="TIME", help="only runs due before")
        parser.add_argument("--with-output", action="store_true", help="with what agents said")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="the file; standard output by default"
        )

    def handle(self, *args: Any, output: Path | None, **options: Any) -> None:
        is_jsonl = output is not None and output.suffix == ".jsonl"
        form = options["format"] or (exports.JSONL if is_jsonl else exports.CSV)
        lines = exports.lines(_runs(options), form, with_output=options["with_output"])
        try:
            if output is None:
                for line in lines:
                    self.stdout.write(line, ending="")
                return
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error}") from error


def _runs(options: dict[str, Any]) -> Iterator[TriggerExecution]:
    rows: Any = TriggerExecution.objects.all()
    if options["user"]:
        rows = rows.of_user(Operator.objects.user_id_of(options["user"]))
    if options["trigger"]:
        rows = rows.filter(trigger_id=options["trigger"])
    if options["since"]:
        rows = rows.filter(pk__gte=first_id(options["since"]))
    if options["until"]:
        rows = rows.filter(pk__lt=first_id(options["until"]))
    terms, outcome = search.terms_of(options["search"]), options["outcome"]
    reads_outputs = bool(options["search"]) and not search.has_index()
    if options["search"] and not reads_outputs:
        rows = search.narrow(rows, terms)
    for run in exports.read(rows, with_output=options["with_output"] or reads_outputs):
        if outcome in ("", run.shown_outcome) and (
            not reads_outputs or search.has_said(run, terms)
        ):
            yield run


def _moment(text: str) -> datetime:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError) as error:
        message = f"{text!r} is no ISO 8601 time with an offset, such as 2027-01-31T09:00:00Z"
        raise argparse.ArgumentTypeError(message) from error
