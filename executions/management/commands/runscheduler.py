"""`manage.py runscheduler`, for installations on one machine: runs the local scheduler process."""

import gc
import logging
import os
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents import AgentError
from executions.agent_client import client_from_settings
from executions.scheduler import LocalSchedulerProcess
from moca import telemetry

# How long one of its three busy threads works before another may. Each switch costs CPU: with
# Python's own 5 ms, 10,000 runs at once take a fifth more.
SWITCH_SECONDS = 0.02


class Command(BaseCommand):
    help = "Fire what is due, until SIGTERM or Ctrl-C. Several may run on one database."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            process = LocalSchedulerProcess(client_from_settings())
        except AgentError as error:
            raise CommandError(error.message) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        _collect_less_garbage()
        sys.setswitchinterval(SWITCH_SECONDS)
        self.stdout.write("Scheduler started")
        telemetry.start()
        process.run()
        telemetry.stop()
        self.stdout.write("Scheduler stopped")
        self.stdout.flush()
        logging.shutdown()
        # Threads of runs that were closed may still wait for their agent.
        os._exit(0)


def _collect_less_garbage() -> None:
    """Look for garbage in cycles less often: thousands of runs under way are no garbage.

    What was loaded so far stays for good, so that nobody has to look at it again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
