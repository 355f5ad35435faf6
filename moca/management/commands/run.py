"""The command `run`, behind `make run`: web server, scheduler and demo agent in one terminal."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from moca.authentication.models import Operator
from moca.dynamodb.local import DynamoDBLocal, UnavailableError
from moca.management.commands.serve import address, cannot_listen, port_number

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]
Part = subprocess.Popen[Any]
# Seconds for a part to end, after the runs' own grace period: a call to a database that is away
# takes up to 30 s.
LAST_SECONDS = 40


class Command(BaseCommand):
    help = (
        "Migrate the database, create the first operator, and run the web server and the scheduler "
        "until Ctrl-C; the demo agent too, while AGENT_API_URL is not set."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument(
            "--port", default=os.environ.get("PORT", "8000"), help="default: PORT, else 8000"
        )

    def handle(self, *args: Any, host: str, port: str, **options: Any) -> None:
        self._serve(host, port_number(port))

    def _serve(self, host: str, port: int) -> None:
        _require_free(host, port, "PORT=8001 make run")
        if settings.USES_DEMO_AGENT:
            _require_free("127.0.0.1", settings.DEMO_AGENT_PORT, "DEMO_AGENT_PORT=8082 make run")
        with _database() as database:
            self._run(host, port, database)

    def _run(self, host: str, port: int, database: dict[str, Part]) -> None:
        # For the links in alerts. The parts inherit it.
        os.environ.setdefault("PUBLIC_URL", address(host, port))
        call_command("migrate", verbosity=0)
        self._first_start(host, port)
        # The parts are ended in this order.
        web = [*MANAGE, "serve", f"--host={host}", f"--port={port}"]
        parts = {"scheduler": [*MANAGE, "runscheduler"], "web": web}
        if settings.USES_DEMO_AGENT:
            parts["agent"] = [*MANAGE, "demo_agent", f"--port={settings.DEMO_AGENT_PORT}"]
        failed = _supervise(parts, database, self.stdout)
        if failed:
            raise CommandError(f"{failed} ended by itself; its last lines above say why.")

    def _first_start(self, host: str, port: int) -> None:
        if not Operator.objects.exists():
            password = os.environ.get("MOCA_OPERATOR_PASSWORD", "")
            call_command("create_operator", "operator", password=password, stdout=self.stdout)
            try:
                call_command("create_samples", "operator", stdout=self.stdout)
            except CommandError as error:
                # Samples are optional.
                self.stdout.write(str(error))
        self.stdout.write(
            f"Open {address(host, port)} and sign in as operator. Ctrl-C ends it all."
        )
        database = f"DATABASE_URL={settings.DATABASE_URL} " if settings.USES_DYNAMODB_LOCAL else ""
        self.stdout.write(
            f"Lost the password? {database}.venv/bin/python manage.py changepassword operator"
        )


@contextmanager
def _database() -> Iterator[dict[str, Part]]:
    """Run DynamoDB Local, if it is used; it starts before the other parts and ends after them."""
    if not settings.USES_DYNAMODB_LOCAL:
        yield {}
        return
    port = settings.DYNAMODB_LOCAL_PORT
    _require_free("127.0.0.1", port, "DYNAMODB_LOCAL_PORT=8091 make run DATABASE=dynamodb")
    try:
        with DynamoDBLocal(port, settings.DATA_DIR / "dynamodb") as local:
            try:
                yield {"dynamodb": local.process}
            finally:
                if local.process.poll() is not None:
                    sys.stderr.write(local.output())
    except UnavailableError as error:
        raise CommandError(str(error)) from error


def _require_free(host: str, port: int, example: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(cannot_listen(host, port, error, example)) from error


def _supervise(commands: dict[str, list[str]], running: dict[str, Part], out: Any) -> str:
    """Run the commands until a signal comes or a part ends.

    Args:
        commands: the commands by the names of their parts, in the order in which to end them.
        running: parts that the caller has started and will end.
        out: the stream for the commands' output.

    Returns:
        The name of the part that ended by itself; empty after a signal.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Under nohup, SIGHUP stays ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    width = max(map(len, commands))
    parts = {name: _spawn(command) for name, command in commands.items()}
    watched = {**parts, **running}
    readers = [
        threading.Thread(target=_relay, args=(part.stdout, f"{name:{width}} | ", out), daemon=True)
        for name, part in parts.items()
    ]
    for reader in readers:
        reader.start()
    failed = ""
    while not stop.wait(0.2) and not failed:
        failed = next((name for name, part in watched.items() if part.poll() is not None), "")
    out.write("Ending; runs under way are finished first. Ctrl-C again to end at once.")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _kill(parts.values()))
    _end(list(parts.values()))
    for reader in readers:
        reader.join(timeout=2)
    return failed


def _spawn(command: list[str]) -> subprocess.Popen[str]:
    # In a session of its own, the part gets no Ctrl-C: this process ends the parts in order.
    return subprocess.Popen(  # noqa: S603  (our own commands)
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _relay(lines: IO[str] | None, prefix: str, out: Any) -> None:
    for line in lines or ():
        out.write(prefix + line.rstrip("\n"))


def _kill(parts: Iterable[subprocess.Popen[str]]) -> None:
    for part in parts:
        if part.poll() is None:
            part.kill()


def _end(parts: list[subprocess.Popen[str]]) -> None:
    """End the parts one after the other, since runs in progress still need the agent."""
    for part in parts:
        part.terminate()
        try:
            part.wait(timeout=settings.SCHEDULER_GRACE_SECONDS + LAST_SECONDS)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()
