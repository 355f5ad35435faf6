"""Command that reconciles schedules and rules with triggers and event sources."""

import argparse
import json
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from moca import audit
from moca.reconcile import Action, ProjectionError
from triggers.reconcile import CONCURRENCY, reconcile
from triggers.schedulers import Scheduler, SchedulerError
from triggers.schedulers.eventbridge import EventBridgeScheduler

# The fields of an action in JSON.
COLUMNS = ("kind", "what", "id", "reason")
# The words for each kind of action in the summary.
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "fail": "failed",
    "wait": "left to a later pass",
}


class Command(BaseCommand):
    help = (
        "Reconcile schedules and event rules with triggers and event sources: create missing ones, "
        "delete orphans, and update those that differ."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument(
            "--group",
            default="",
            metavar="NAME",
            help="reconcile the schedules of this group of EventBridge Scheduler instead of "
            "SCHEDULE_GROUP_NAME, and no rules. Its schedules whose names begin with trigger- are "
            "deleted if no trigger here has them",
        )
        parser.add_argument(
            "--format", choices=["table", "json"], default="table", help="table by default"
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=CONCURRENCY,
            metavar="CALLS",
            help=f"calls at a time, 1 to 64; {CONCURRENCY} by default",
        )

    def handle(
        self, *args: Any, dry_run: bool, concurrency: int, group: str, **options: Any
    ) -> None:
        if not 1 <= concurrency <= 64:
            raise CommandError("--concurrency is out of range: give 1 to 64.")
        try:
            actions = reconcile(
                _of_group(group),
                dry_run=dry_run,
                concurrency=concurrency,
                by=audit.system("sync_schedules"),
            )
        except ProjectionError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database refuses: {error}. Run manage.py migrate if you have not, or "
                "manage.py doctor."
            ) from error
        if options["format"] == "json":
            rows = [{name: getattr(each, name) for name in COLUMNS} for each in actions]
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self._table(actions, dry_run=dry_run)
        if any(action.kind == "fail" for action in actions):
            raise CommandError("Not all could be synced; see above.")

    def _table(self, actions: list[Action], *, dry_run: bool) -> None:
        for action in actions:
            self.stdout.write(f"{action.kind:8}{action.what:10}{action.id:38}{action.reason}")
        counts = Counter(action.kind for action in actions)
        parts = [
            f"{counts[kind]} to {kind}" if dry_run and kind != "wait" else f"{counts[kind]} {words}"
            for kind, words in DONE.items()
            if counts[kind]
        ]
        self.stdout.write(", ".join(parts) or "All schedules and rules are synced.")


def _of_group(group: str) -> Scheduler | None:
    """The scheduler of a schedule group; None if no group is named."""
    if not group:
        return None
    if not settings.TRIGGER_LAMBDA_ARN:
        raise CommandError(
            "--group is about EventBridge Scheduler, and schedules are the local scheduler's here: "
            "set TRIGGER_LAMBDA_ARN, or leave it out."
        )
    other = EventBridgeScheduler(group)
    try:
        # Without this check, each trigger would be marked as failed if the group is missing.
        other.check()
    except SchedulerError as error:
        raise CommandError(f"--group {group}: {error}") from error
    return other
