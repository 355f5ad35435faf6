"""Command that adopts a DynamoDB table in which another program wrote triggers.

`moca.dynamodb.adoption` completes the items. This adds counts of triggers, and schedules.
"""

import argparse
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction

from moca import audit, reconcile
from moca.authentication.models import AuditEntry
from moca.concurrency import ConflictError
from moca.dynamodb.adoption import Examined, Walk
from moca.dynamodb.layout import table_of
from moca.progress import Progress
from moca.retry import retry
from triggers.models import Trigger, TriggerCount, TriggerType
from triggers.schedulers import SchedulerError, get_scheduler
from triggers.validation import read_schedule

INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Complete what another program or an earlier version wrote into the DynamoDB table: "
        "attributes of indexes, counts of triggers, schedules. You may interrupt the command and "
        "run it again."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Change nothing.")
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=list(connections),
            help="A name in DATABASES.",
        )

    def handle(self, *args: Any, dry_run: bool, database: str, **options: Any) -> None:
        connection: Any = connections[database]
        if connection.vendor != "dynamodb":
            raise CommandError(
                f"The database {database} is {connection.display_name}: only a DynamoDB table has "
                "what another program wrote. Set TRIGGERS_TABLE_NAME."
            )
        connection.ensure_connection()
        walk = Walk(connection.service, dry_run=dry_run)
        if walk.resumes:
            self.stdout.write("Going on where the last run was broken off.")
        with Progress(self.stdout, connection.creation.item_count(), "items") as progress:
            adoption = _Adoption(database, progress, dry_run=dry_run)
            try:
                for page in walk.pages():
                    adoption.process(page)
            except KeyboardInterrupt:
                raise CommandError(
                    "Broken off. Run the command again to go on from here.",
                    returncode=INTERRUPTED,
                ) from None
        self._report(adoption)
        if walk.resumes:
            self.stdout.write("What was written since the first run began is met by another run.")

    def _report(self, adoption: "_Adoption") -> None:
        verb = "to be " if adoption.dry_run else ""
        rows = [
            ("items", adoption.progress.done),
            *((f"  {name}", count) for name, count in sorted(adoption.seen.items())),
            *((f"{what} {verb}{done}", adoption.done[what]) for what, done in DONE.items()),
            ("faulty, left alone", adoption.faults),
        ]
        for name, count in rows:
            self.stdout.write(f"{name:40}{count:>12,}")
        if adoption.dry_run:
            self.stdout.write("Nothing was changed.")


INDEXED, UNIQUE, COUNTED, SCHEDULED = "rows in indexes", "unique values", "counts", "schedules"
DONE = {INDEXED: "entered", UNIQUE: "entered", COUNTED: "corrected", SCHEDULED: "made"}


class _Adoption:
    """Completes counts and schedules for the items that a walk finds, and counts what it does."""

    def __init__(self, database: str, progress: Progress, *, dry_run: bool) -> None:
        self.database, self.progress, self.dry_run = database, progress, dry_run
        self.seen: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.faults = 0
        self._counted: set[str] = set()

    def process(self, page: list[Examined]) -> None:
        """Process a page of items: count them, and correct counts and schedules of triggers."""
        triggers, counts = table_of(Trigger), table_of(TriggerCount)
        for found in page:
            self.progress.advance(1)
            self.seen[_origin(found)] += 1
            if found.fault:
                self._fault(found, found.fault)
                continue
            self.done[INDEXED] += bool(found.changes)
            self.done[UNIQUE] += len(found.markers)
            if found.table in (triggers, counts):
                self._recount(found.row["user_id"])
            if found.table is triggers and found.row["type"] == TriggerType.SCHEDULE:
                self._schedule(found)

    def _fault(self, found: Examined, why: str) -> None:
        self.faults += 1
        self.progress.say(f"{' / '.join(found.key)}: {why}")

    def _recount(self, user_id: str) -> None:
        if user_id in self._counted:
            return
        self._counted.add(user_id)
        self.done[COUNTED] += correct_count(user_id, self.database, dry_run=self.dry_run)

    def _schedule(self, found: Examined) -> None:
        schedule, errors = read_schedule(found.row["schedule_config"])
        if schedule is None:
            reason = "; ".join(message for error in errors for message in error.messages)
            self._fault(found, f"it cannot fire: {reason}")
            return
        # The scheduler uses the default database only.
        if self.database != DEFAULT_DB_ALIAS:
            return
        try:
            self.done[SCHEDULED] += create_schedule(found.row, dry_run=self.dry_run)
        except SchedulerError as error:
            self._fault(found, f"it has no schedule: {error}")


def _origin(found: Examined) -> str:
    """The line of the report that an item counts in."""
    if found.table is not None:
        return found.table.name
    return "of other programs, left alone" if found.is_foreign else "of the database itself"


def correct_count(user_id: str, database: str, *, dry_run: bool) -> bool:
    """Correct the stored count of a user's triggers; True if it was wrong."""
    counts = TriggerCount.objects.using(database)

    def once() -> bool:
        # The stored count is read first: if a trigger is created after that, the write below fails.
        noted = counts.filter(user_id=user_id).first()
        count = Trigger.objects.using(database).filter(user_id=user_id).count()
        if count == (noted.triggers if noted else 0):
            return False
        if dry_run:
            return True
        if noted is None:
            counts.create(user_id=user_id, triggers=count)
        elif not counts.correct(noted, count):
            raise ConflictError(f"The triggers of {user_id} changed while they were counted.")
        return True

    try:
        return retry(once, on=(IntegrityError, ConflictError))
    except (IntegrityError, ConflictError) as error:
        message = f"The triggers of {user_id} keep changing: run this again."
        raise CommandError(message) from error


def create_schedule(row: dict[str, Any], *, dry_run: bool) -> bool:
    """Create a trigger's schedule; False if it has one already, or needs none."""
    scheduler = get_scheduler()
    if scheduler.get(row["id"]) is not None:
        return False
    if dry_run:
        return True
    trigger = Trigger.objects.filter(user_id=row["user_id"], pk=row["id"]).first()
    if trigger is None or trigger.type != TriggerType.SCHEDULE:
        return False
    try:
        with transaction.atomic():
            scheduler.create(trigger)
            audit.note(
                AuditEntry.Action.REPAIRED,
                trigger,
                by=audit.system("adopt_table"),
                why=reconcile.repair_of(scheduler.what, row["id"], None).sentence,
            )
    except IntegrityError:
        # Another process created the schedule first.
        return False
    return True
