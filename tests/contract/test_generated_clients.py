"""Clients that others generate from the API's description compile, and see a trigger's whole life.

The generators are pinned in clients/, and installed below build/sdks.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from moca.api.openapi import document
from moca.authentication.tokens import issue
from tests.contract import conftest

CLIENTS = Path(__file__).resolve().parent / "clients"
LIFE = {
    "suggestion": "0 9 ? * MON-FRI *",
    "version": 2,
    "states": [False, True],
    "listed": 1,
    "outcome": "success",
    "said": True,
    "deleted": True,
    "gone": 404,
}
pytestmark = pytest.mark.sqlite


@pytest.fixture
def installed() -> Callable[..., Path]:
    """The folder of a generator; skips the test without a network."""

    def found(kind: str, manifest: str, install: Callable[[Path], None]) -> Path:
        try:
            return conftest._installed(kind, CLIENTS / manifest, install)
        except conftest.MissingError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))

    return found


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A file with the API's description."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(), default=str))
    return file


@pytest.fixture
def live(
    live_server: LiveServer, scheduler: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    """What a program sees that is handed the address and a token of alice."""

    def seen(command: list[str], folder: Path) -> Any:
        token = issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))
        with scheduler():
            done = run([*command, live_server.url, token], folder)
        return json.loads(done)

    return seen


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install_node(folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(CLIENTS / "package.json", folder)
    conftest._run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=folder)


def install_python(folder: Path) -> None:
    conftest._run(sys.executable, "-m", "venv", folder)
    requirements = CLIENTS / "requirements.txt"
    conftest._run(folder / "bin" / "pip", "install", "--quiet", "-r", requirements)


def test_typescript_client_lives_with_a_trigger(
    installed: Callable[..., Path], described: Path, live: Callable[..., Any], tmp_path: Path
) -> None:
    folder = installed("clients-node", "package.json", install_node)
    for name in ("life.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(folder / "node_modules")
    programs = folder / "node_modules" / ".bin"
    run([str(programs / "openapi-typescript"), str(described), "-o", "api.d.ts"], tmp_path)
    run([str(programs / "tsc"), "--project", "."], tmp_path)
    assert live(["node", "life.js"], tmp_path) == LIFE


def test_python_client_lives_with_a_trigger(
    installed: Callable[..., Path], described: Path, live: Callable[..., Any], tmp_path: Path
) -> None:
    programs = installed("clients-python", "requirements.txt", install_python) / "bin"
    generate = [str(programs / "openapi-python-client"), "generate", "--fail-on-warning"]
    options = ["--meta", "none", "--output-path", "moca_api", "--path", str(described)]
    environment = ["env", f"PATH={programs}:{os.environ['PATH']}"]
    run([*environment, *generate, *options], tmp_path)
    shutil.copy(CLIENTS / "life.py", tmp_path)
    assert live([str(programs / "python"), "life.py"], tmp_path) == LIFE
