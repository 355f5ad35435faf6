"""The command `serve`: the web server alone."""

import argparse
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import get_internal_wsgi_application
from django.utils.module_loading import import_string

from moca import telemetry
from moca.server import WebServer


class Command(BaseCommand):
    help = "Serve the pages and the API until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument(
            "--port", default=os.environ.get("PORT", "8000"), help="default: PORT, else 8000"
        )

    def handle(self, *args: Any, host: str, port: str, **options: Any) -> None:
        number = port_number(port)
        # The system checks have passed by now; the application loads the settings' middleware.
        application = get_internal_wsgi_application()
        try:
            server = WebServer(application, host, number)
        except OSError as error:
            raise CommandError(cannot_listen(host, number, error, "PORT=8001")) from error
        server.stop_on_signals()
        # A setting names it, because this package does not know runs.
        with import_string(settings.BESIDE_THE_WEB_SERVER)():
            server.run()
        telemetry.stop()


def port_number(text: str) -> int:
    """Parse PORT or --port; CommandError if it is no number from 1 to 65535."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65_536:
        raise CommandError(f"PORT is {text!r}: set it to a number from 1 to 65535.")
    return int(text)


def cannot_listen(host: str, port: int, error: OSError, example: str) -> str:
    """The error message for an address that cannot be bound, with the remedy."""
    return (
        f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses the port, or "
        f"choose another: {example}"
    )


def address(host: str, port: int) -> str:
    """The URL of the first page."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{settings.FORCE_SCRIPT_NAME or ''}"
