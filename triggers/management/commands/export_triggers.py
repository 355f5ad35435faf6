"""Command that exports triggers and event sources to a file."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from moca.authentication.models import Operator
from triggers.import_export.export import export_sections
from triggers.import_export.files import FORMATS


class Command(BaseCommand):
    help = (
        "Export all triggers, and the event sources that operators have added, as YAML or JSON for "
        "import_triggers. The file contains prompts, but no secrets."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--format", choices=list(FORMATS), help="yaml by default; json for FILE.json"
        )
        parser.add_argument(
            "--user",
            default="",
            metavar="USER",
            help="only the triggers of this user, by id or by an operator's username, and the "
            "event sources that they listen to",
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="the file to write, which a failed export leaves as it was; standard output by "
            "default",
        )

    def handle(self, *args: Any, user: str, output: Path | None, **options: Any) -> None:
        is_json = output is not None and output.suffix == ".json"
        pieces = FORMATS[options["format"] or ("json" if is_json else "yaml")]
        try:
            text = pieces(export_sections(Operator.objects.user_id_of(user), self.stderr.write))
            if output is None:
                for piece in text:
                    self.stdout.write(piece, ending="")
            else:
                _write_file(output, text)
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {error}") from error


def _write_file(path: Path, pieces: Iterator[str]) -> None:
    """Write a file beside the path, and rename it to the path when it is complete."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
