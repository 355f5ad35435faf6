"""`manage.py cancel_run`, for operators: cancels runs that are waiting or under way."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from executions.models import TriggerExecution
from executions.runner.cancel import NOT_CANCELLED, cancel_run
from triggers.models import RunStatus


class Command(BaseCommand):
    help = "Cancel runs. Their processes close the requests to the agents within five seconds."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "ids",
            nargs="+",
            metavar="execution_id",
            help="as the page of the run and the API show it",
        )

    def handle(self, *args: Any, ids: list[str], **options: Any) -> None:
        failures = [failure for key in dict.fromkeys(ids) if (failure := self._cancel(key))]
        if failures:
            raise CommandError("\n".join(failures))

    def _cancel(self, key: str) -> str:
        """Cancel one run; returns why that was not possible, or an empty text."""
        execution = TriggerExecution.objects.filter(pk=key).first()
        if execution is None:
            return f"{key}: there is no such run. Copy the id from its page or from the API."
        try:
            cancelled = cancel_run(execution, by="cancel_run")
        except NOT_CANCELLED as error:
            return f"{key}: {error}"
        is_running = cancelled.status == RunStatus.RUNNING
        done = "its process ends it within seconds" if is_running else "cancelled before it began"
        self.stdout.write(f"{key}: {done}")
        return ""
