"""`manage.py resume`: ends pauses of triggers or of the whole installation."""

import argparse
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand

from triggers import pauses, services
from triggers.management import chosen

BY = "manage.py resume"


class Command(BaseCommand):
    help = "End pauses of triggers, or that of the whole installation."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        chosen.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        ids, tag, everything = options["ids"], options["tag"], options["all"]
        chosen.check(ids, tag, all_=everything, installation=options["installation"])
        if options["installation"]:
            was_paused = pauses.resume_installation(by=BY)
            self.stdout.write("Triggers fire again." if was_paused else "It was not paused.")
            return
        resume = partial(services.resume, by=BY)
        self.stdout.write(chosen.act(chosen.triggers(ids, tag), resume, "resumed"))
