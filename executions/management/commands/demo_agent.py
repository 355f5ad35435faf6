"""`manage.py demo_agent`, for trying the product: runs the demo agent."""

import signal
from contextlib import suppress
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.demo import DemoAgent


class Command(BaseCommand):
    """`manage.py demo_agent`: an agent on this machine, until SIGTERM or Ctrl-C."""

    help = "Run the demo agent, which answers runs while AGENT_API_URL is not set."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=int, default=8081, help="default: %(default)s")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        """Serve until a signal."""
        try:
            agent = DemoAgent(port, host)
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"The demo agent cannot listen on {host}:{port} ({error}). "
                "Stop what uses that port, or choose another with --port."
            ) from error
        with suppress(KeyboardInterrupt):
            # A command that a shell starts in the background ignores SIGINT by default.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _interrupt)
            with agent:
                self.stdout.write(f"The demo agent listens on {agent.url} (Ctrl-C ends it).")
                agent.wait()


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
