"""`manage.py pause`: pauses triggers or the whole installation, with a note and an end."""

import argparse
from datetime import UTC
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from triggers import pauses, services
from triggers.management import chosen
from triggers.schedules import parse_zone

BY = "manage.py pause"


class Command(BaseCommand):
    help = "Pause triggers, or the whole installation. People can still run them by hand."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        chosen.add_arguments(parser)
        parser.add_argument(
            "--until",
            default="",
            help="30m, 1h, 2d, 'tomorrow 09:00', 'monday 09:00', or a date and time; until "
            "somebody resumes without",
        )
        parser.add_argument("--note", default="", help="why, for those who find it paused")
        parser.add_argument(
            "--timezone", help="the zone of --until; that of each schedule, or UTC, without"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ids, tag, everything = options["ids"], options["tag"], options["all"]
        chosen.check(ids, tag, all_=everything, installation=options["installation"])
        try:
            zone = parse_zone(options["timezone"]) if options["timezone"] else None
            until = pauses.parse_end(options["until"], timezone.now(), zone or UTC)
            if options["installation"]:
                pauses.pause_installation(until, by=BY, note=options["note"])
                self.stdout.write("The whole installation is paused.")
                return
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except ValueError as error:
            raise CommandError(f"--timezone: {error}") from error
        pause = partial(
            services.pause, until=options["until"], note=options["note"], zone=zone, by=BY
        )
        self.stdout.write(chosen.act(chosen.triggers(ids, tag), pause, "paused"))
