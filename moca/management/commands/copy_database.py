"""The command `copy_database`: moves an installation between SQLite and DynamoDB."""

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from moca.copying import Copy, Store, models, store
from moca.progress import Progress

INTERRUPTED = 130
COLUMNS = ["copied", "equal", "overwritten", "failed", "source", "target"]


class Command(BaseCommand):
    help = (
        "Copy all rows of one database to another, as they are. May be broken off and run again: "
        "equal rows are skipped. Stop what writes to either of them first."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        url = "an alias of DATABASES, or a URL: sqlite:///PATH, dynamodb://TABLE"
        parser.add_argument("source", metavar="FROM", help=url)
        parser.add_argument("target", metavar="TO", help=url)
        parser.add_argument("--dry-run", action="store_true", help="Write nothing.")
        parser.add_argument(
            "--overwrite", action="store_true", help="Replace rows that differ in TO."
        )

    def handle(
        self,
        *args: Any,
        source: str,
        target: str,
        dry_run: bool,
        overwrite: bool,
        **options: Any,
    ) -> None:
        with ExitStack() as stack:
            aliases = [stack.enter_context(connected(name)) for name in (source, target)]
            _check_two(*aliases)
            origin = _source(aliases[0])
            goal = _target(aliases[1], dry_run=dry_run)
            copy = self._copy(origin, goal, dry_run=dry_run, overwrite=overwrite)
            self._finish(copy)

    def _copy(self, source: Store, target: Store | None, **options: bool) -> Copy:
        with Progress(self.stdout, source.size(), "rows") as progress:
            copy = Copy(source, target, say=progress.say, **options)
            try:
                for count in copy.run():
                    progress.advance(count)
            except KeyboardInterrupt:
                raise CommandError(
                    "Broken off. Run the command again to go on.", returncode=INTERRUPTED
                ) from None
        return copy

    def _finish(self, copy: Copy) -> None:
        counts = [one.counts() if one else Counter() for one in (copy.source, copy.target)]
        self._print_tallies(copy, *counts)
        left = copy.source.left
        for fault in left.faults:
            self.stdout.write(f"Not copied, since it cannot be read: {fault}")
        for name, count in sorted(left.attributes.items()):
            self.stdout.write(
                f"Not copied: the attribute {name} of {count:,} rows, which no field has"
            )
        if left.items:
            self.stdout.write(f"Not copied: {left.items:,} items of other programs")
        failed = sum(tally.failed for tally in copy.tallies.values())
        if copy.dry_run:
            self.stdout.write("Nothing was written.")
        if failed or left.faults:
            raise CommandError(f"{failed + len(left.faults):,} rows were not copied; see above.")
        if not copy.dry_run and counts[0] != counts[1]:
            raise CommandError("The databases do not have the same number of rows; see above.")

    def _print_tallies(
        self, copy: Copy, sources: Counter[type[Model]], targets: Counter[type[Model]]
    ) -> None:
        self.stdout.write(" " * 20 + "".join(f"{name:>12}" for name in COLUMNS))
        for model in models(copy.source.alias):
            tally = copy.tallies.get(model)
            numbers = (
                [tally.copied, tally.equal, tally.overwritten, tally.failed] if tally else [0] * 4
            )
            numbers += [sources[model], targets[model]]
            name = str(model._meta.verbose_name_plural)
            self.stdout.write(f"{name:20}" + "".join(f"{number:>12,}" for number in numbers))


@contextmanager
def connected(name: str) -> Iterator[str]:
    """Connect a database that is named by its alias or URL; yields the alias."""
    if name in connections:
        yield name
        return
    configured = connections.configure_settings({**settings.DATABASES, name: _configuration(name)})
    connections.settings[name] = configured[name]
    try:
        yield name
    finally:
        connections[name].close()
        del connections[name], connections.settings[name]


def _configuration(url: str) -> dict[str, Any]:
    scheme, _, name = url.partition("://")
    if scheme == "dynamodb" and name:
        options = {"region_name": settings.AWS_REGION}
        return {"ENGINE": "moca.dynamodb", "NAME": name, "OPTIONS": options}
    if scheme == "sqlite" and name:
        return dict(environ.Env.db_url_config(url))
    raise CommandError(
        f"{url} is neither an alias of DATABASES ({', '.join(connections)}) nor a URL such as "
        "sqlite:///var/moca.sqlite3 or dynamodb://TABLE."
    )


def _place(alias: str) -> tuple[Any, ...]:
    configured = connections[alias].settings_dict
    path = Path(configured["NAME"]).resolve() if _is_file(alias) else configured["NAME"]
    return configured["ENGINE"], path, configured["HOST"], configured["PORT"]


def _is_file(alias: str) -> bool:
    return connections[alias].vendor == "sqlite"


def _check_two(source: str, target: str) -> None:
    if _place(source) == _place(target):
        raise CommandError("FROM and TO are the same database.")


def _exists(alias: str) -> bool:
    """Whether the database exists; connecting to SQLite would create it."""
    return not _is_file(alias) or Path(connections[alias].settings_dict["NAME"]).exists()


def _is_migrated(alias: str) -> bool:
    executor = MigrationExecutor(connections[alias])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _source(alias: str) -> Store:
    if not _exists(alias):
        raise CommandError(f"There is no file {connections[alias].settings_dict['NAME']}.")
    if not _is_migrated(alias):
        raise CommandError(
            f"{alias} is not a database of this version: run manage.py migrate on it first."
        )
    return store(alias)


def _target(alias: str, *, dry_run: bool) -> Store | None:
    """The store to copy to, migrated first. A dry run migrates nothing: None if it is not ready."""
    if dry_run:
        return store(alias) if _exists(alias) and _is_migrated(alias) else None
    call_command("migrate", database=alias, verbosity=0)
    return store(alias)
