"""Command that imports triggers and event sources from a file."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from moca.authentication.models import Operator
from triggers.import_export.diff import compare
from triggers.import_export.files import MAX_FILE_BYTES, FileError, read
from triggers.import_export.plan import CREATE, UPDATE, Change, Note, Plan, carry_out
from triggers.models import Trigger

INTERRUPTED = 130
DONE = {CREATE: "created", UPDATE: "updated", "fail": "failed"}


class Command(BaseCommand):
    help = (
        "Import triggers and event sources from a file that export_triggers wrote. The whole file "
        "is checked first: if anything is wrong, nothing is written. Triggers and event sources "
        "that the file does not name stay as they are."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="YAML or JSON; - for standard input")
        parser.add_argument(
            "--dry-run", action="store_true", help="write nothing, and print what would be done"
        )
        parser.add_argument(
            "--user",
            default="",
            metavar="USER",
            help="the owner of all imported triggers: a user's id or an operator's username",
        )
        parser.add_argument(
            "--disabled", action="store_true", help="import all triggers disabled: none fires yet"
        )

    def handle(
        self, *args: Any, file: str, dry_run: bool, user: str, disabled: bool, **options: Any
    ) -> None:
        try:
            user_id = Operator.objects.user_id_of(user)
            plan = compare(read(_data(file)), user_id=user_id, disabled=disabled)
            self._report_notes(plan, file)
            self._warn_of_unknown_users(plan)
            if dry_run:
                self._preview(plan)
            else:
                self._carry_out(plan)
        except FileError as error:
            raise CommandError(f"{_place(file, error.line)}: {error}") from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error}") from error
        except KeyboardInterrupt:
            raise CommandError(
                "Broken off. Run the command again to go on.", returncode=INTERRUPTED
            ) from None

    def _report_notes(self, plan: Plan, file: str) -> None:
        """Print warnings and faults; CommandError if there is a fault."""
        for note in plan.warnings:
            self.stderr.write(f"Warning: {_place(file, note.line)}: {note}")
        for note in sorted(plan.faults, key=_position):
            self.stderr.write(f"{_place(file, note.line)}: {note}")
        if plan.faults:
            raise CommandError(f"{_plural(plan.faults, 'fault')}; nothing was imported.")

    def _warn_of_unknown_users(self, plan: Plan) -> None:
        """Warn of owners of new triggers that are unknown here, since an id may be mistyped."""
        rows = [change.row for change in plan.changes if change.kind == CREATE]
        for user_id in sorted({row.user_id for row in rows if isinstance(row, Trigger)}):
            if Operator.objects.filter(subject=user_id).exists():
                continue
            if not Trigger.objects.of_user(user_id).exists():
                self.stderr.write(
                    f"Warning: no operator and no other trigger has the user id {user_id!r}. To "
                    "give the triggers to an operator, pass --user USERNAME."
                )

    def _preview(self, plan: Plan) -> None:
        for change in plan.changes:
            self._line(change.kind, change)
        counts = Counter(change.kind for change in plan.changes)
        self._summarize(plan, [f"{count} to {kind}" for kind, count in counts.items()])
        self.stdout.write("Nothing was written.")

    def _carry_out(self, plan: Plan) -> None:
        counts: Counter[str] = Counter()
        for change, reason in carry_out(plan):
            kind = "fail" if reason else change.kind
            counts[kind] += 1
            self._line(kind, change, reason)
        self._summarize(plan, [f"{count} {DONE[kind]}" for kind, count in counts.items()])
        if counts["fail"]:
            raise CommandError(
                f"{counts['fail']} could not be written; see above. Run the command again once "
                "that is mended: what was written is left alone then."
            )

    def _line(self, kind: str, change: Change, reason: str = "") -> None:
        details = reason or ", ".join(change.fields) or repr(change.row.name)
        self.stdout.write(f"{kind:8}{change.what:14}{change.row.pk:38}{details}")

    def _summarize(self, plan: Plan, parts: list[str]) -> None:
        self.stdout.write(", ".join([*parts, f"{plan.unchanged} unchanged"]))
        if plan.unsigned:
            names = ", ".join(plan.unsigned)
            self.stdout.write(
                f"Without a secret, and so without events: {names}. Set one on the page Events."
            )


def _data(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error


def _place(file: str, line: int | None) -> str:
    name = "standard input" if file == "-" else file
    return f"{name}:{line}" if line else name


def _position(note: Note) -> tuple[str, int, int]:
    return note.entry.what, note.entry.place, note.line or 0


def _plural(things: list[Any], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"
