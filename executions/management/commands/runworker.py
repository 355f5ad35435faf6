"""`manage.py runworker`: reads on in runs that outlast the function that sent them."""

import logging
import os
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents import AgentError
from executions.agent_client import client_from_settings
from executions.worker import RunWorkerProcess
from moca import telemetry


class Command(BaseCommand):
    help = (
        "Read on in runs that were handed over, until SIGTERM or Ctrl-C. Several may run on one "
        "database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            process = RunWorkerProcess(client_from_settings())
        except AgentError as error:
            raise CommandError(error.message) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        self.stdout.write("Worker started")
        self.stdout.flush()
        telemetry.start()
        process.run()
        telemetry.stop()
        self.stdout.write("Worker stopped")
        self.stdout.flush()
        logging.shutdown()
        # Threads of runs may still wait for their agent.
        os._exit(0)
