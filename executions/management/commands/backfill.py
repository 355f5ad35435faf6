"""`manage.py backfill`, for operators: runs what a trigger missed, or its failed runs, once."""

import argparse
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from executions.backfill import services
from executions.backfill.model import (
    DEFAULT_AT_ONCE,
    DEFAULT_PER_MINUTE,
    Backfill,
    BackfillKind,
)
from executions.backfill.plan import Plan, Wanted, make_plan
from moca.display import duration
from moca.times import parse_local
from triggers.models import Trigger

BY = "manage.py backfill"
# How many runs of a preview are listed.
NAMED = 20
# Each field of a request, and the option that gives it.
OPTIONS = {"from": "--from", "perMinute": "--per-minute", "atOnce": "--at-once", "kind": "--failed"}


class Command(BaseCommand):
    help = "Run what a trigger missed between two moments, or its failed runs; each runs once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("trigger_id", help="the id of the trigger")
        parser.add_argument("--from", dest="since", type=_moment, help="from when on, inclusive")
        parser.add_argument("--to", dest="until", type=_moment, help="up to when; now without")
        parser.add_argument(
            "--failed", action="store_true", help="failed runs instead of missed ones"
        )
        parser.add_argument(
            "--execution", action="append", default=[], metavar="ID", help="this failed run"
        )
        parser.add_argument("--newest-first", action="store_true", help="the newest run first")
        parser.add_argument(
            "--per-minute", type=int, default=DEFAULT_PER_MINUTE, help="how many begin in a minute"
        )
        parser.add_argument(
            "--at-once", type=int, default=DEFAULT_AT_ONCE, help="how many are under way at a time"
        )
        parser.add_argument(
            "--include-left-out",
            action="store_true",
            help="also what was due while the trigger was disabled or paused",
        )
        parser.add_argument("--preview", action="store_true", help="tell only what would run")
        parser.add_argument("--list", action="store_true", help="list the trigger's backfills")
        parser.add_argument("--stop", metavar="ID", help="stop this backfill")

    def handle(self, *args: Any, trigger_id: str, **options: Any) -> None:
        trigger = Trigger.objects.filter(pk=trigger_id).first()
        if trigger is None:
            raise CommandError(f"There is no trigger {trigger_id}.")
        if options["list"]:
            for each in Backfill.objects.of_trigger(trigger_id):
                self.stdout.write(_line(each))
            return
        if options["stop"]:
            self._stop(trigger_id, options["stop"])
            return
        is_failed = options["failed"] or options["execution"]
        wanted = Wanted(
            kind=BackfillKind.FAILED if is_failed else BackfillKind.MISSED,
            since=options["since"],
            until=options["until"],
            executions=tuple(dict.fromkeys(options["execution"])),
            newest_first=options["newest_first"],
            per_minute=options["per_minute"],
            at_once=options["at_once"],
            with_left_out=options["include_left_out"],
        )
        try:
            if options["preview"]:
                self._show(make_plan(trigger, wanted, timezone.now()))
                return
            plan, backfill = services.start(trigger, wanted, by=BY)
        except ValidationError as error:
            raise CommandError(_in_options(error)) from error
        except services.NotFiringError as error:
            raise CommandError(str(error)) from error
        self._show(plan)
        if backfill:
            self.stdout.write(f"Started the backfill {backfill.pk}.")

    def _stop(self, trigger_id: str, key: str) -> None:
        backfill = Backfill.objects.filter(trigger_id=trigger_id, pk=key).first()
        if backfill is None:
            raise CommandError(f"There is no backfill {key}: --list shows them.")
        was_running = services.stop(backfill, by=BY)
        self.stdout.write("Stopped." if was_running else "It has ended.")

    def _show(self, plan: Plan) -> None:
        for item in plan.items[:NAMED]:
            self.stdout.write(f"{item.due:%Y-%m-%d %H:%M:%S} UTC")
        if (more := len(plan.items) - NAMED) > 0:
            self.stdout.write(f"and {more:,} more")
        estimate = plan.estimate
        self.stdout.write(f"{len(plan.items):,} runs, done in about {estimate.seconds:,} s.")
        if estimate.based_on and plan.items:
            self.stdout.write(
                f"By the last {estimate.based_on} runs: {duration(estimate.milliseconds)} of the "
                f"agent, {estimate.input_tokens:,} tokens read, {estimate.output_tokens:,} written."
            )
        if plan.left_out:
            self.stdout.write(
                f"{plan.left_out:,} more were due while the trigger was disabled or paused: "
                "--include-left-out runs them, too."
            )


def _moment(text: str) -> datetime:
    return parse_local(text, UTC)


def _in_options(error: ValidationError) -> str:
    return "\n".join(
        f"{OPTIONS.get(name, name)}: {message}"
        for name, messages in error.message_dict.items()
        for message in messages
    )


def _line(backfill: Backfill) -> str:
    """A backfill in a line."""
    return (
        f"{backfill.pk}  {backfill.state}  {backfill.begun} of {backfill.total} begun, "
        f"{backfill.succeeded} succeeded, {backfill.failed} failed  {backfill.reason}"
    ).rstrip()
