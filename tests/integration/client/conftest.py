"""The command line as a user runs it: a process of its own, against a live server."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from moca.authentication.tokens import issue

SOURCE = settings.BASE_DIR / "moca_client" / "src"
PROGRAM = [sys.executable, "-m", "moca_triggers"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run on SQLite only: the client sees HTTP, and not what keeps the data."""
    item.add_marker(pytest.mark.sqlite)


@dataclass(slots=True)
class CommandLine:
    """Calls of `moca-triggers`, with the environment that they share."""

    environment: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: object, given: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a call that goes on while the test does."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "config.json"


@pytest.fixture
def token() -> Callable[[str], str]:
    return lambda user_id: issue(user_id, lasting=timedelta(hours=1), now=datetime.now(UTC))


@pytest.fixture
def moca(live_server: LiveServer, token: Callable[[str], str], config_file: Path) -> CommandLine:
    """The command line of alice."""
    return CommandLine(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(config_file.parent.parent),
            "TZ": "UTC",
            "PYTHONPATH": str(SOURCE),
            "PYTHONUNBUFFERED": "1",
            "MOCA_TRIGGERS_URL": live_server.url,
            "MOCA_TRIGGERS_TOKEN": token("alice"),
            "MOCA_TRIGGERS_CONFIG": str(config_file),
        }
    )


def code_and_error(done: subprocess.CompletedProcess[Any]) -> tuple[int, str]:
    """How a call ended, and the last line of what it said about it."""
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]
