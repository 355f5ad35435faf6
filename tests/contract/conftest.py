"""Agents made with the SDKs that people use, as processes of their own.

Their libraries are pinned in requirements.txt and package.json, and installed below build/sdks.
Without a network these tests are skipped, on CI they fail.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from agents import AgentClient, FixedToken, Invocation, Reply
from agents.protocols import PROTOCOLS
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from triggers.models import Trigger

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build" / "sdks"
# pip and npm may take a minute or two, and a server some seconds to import its SDK.
INSTALL_SECONDS = 600
START_SECONDS = 60


class MissingError(Exception):
    """The SDKs cannot be installed here."""


def _installed(kind: str, manifest: Path, install: Callable[[Path], None]) -> Path:
    """A folder with the SDKs, made anew where the manifest has changed."""
    digest = hashlib.sha256(manifest.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = BUILD / f"{kind}-{digest}"
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{kind}.lock").open("w") as lock:
        # Several processes of the test run may come here at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                install(folder)
            except (OSError, subprocess.SubprocessError) as error:
                raise MissingError(f"the {kind} SDKs cannot be installed: {error}") from error
            (folder / "installed").touch()
    return folder


def _run(*command: object, cwd: Path | None = None) -> None:
    subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        check=True,
        timeout=INSTALL_SECONDS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _install_python(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", folder)
    _run(folder / "bin" / "pip", "install", "--quiet", "-r", HERE / "requirements.txt")


def _install_node(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("package.json", "servers/agentcore.mjs"):
        shutil.copy(HERE / name, folder)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=folder)


def _popen(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "OTEL_SDK_DISABLED": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Servers:
    """Starts each stand-in agent once."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}

    def url(self, name: str) -> str:
        """The address of the agent that a file of `servers/` is, started if need be."""
        if name not in self._running:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            self._running[name] = (self._start(name, port), f"http://127.0.0.1:{port}")
            self._wait(name, port)
        return self._running[name][1]

    def url_of_program(self, name: str, code: str) -> str:
        """The address of an agent whose program names port 9000, and runs on a free one instead."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        if name.endswith(".mjs"):
            folder = _installed("node", HERE / "package.json", _install_node)
            command: list[str] = ["node"]
        else:
            folder = _installed("python", HERE / "requirements.txt", _install_python)
            command = [str(folder / "bin" / "python")]
        program = folder / name
        program.write_text(code.replace("9000", str(port)))
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE / "servers")}
        self._running[name] = (_popen([*command, str(program)], folder, environment), "")
        self._wait(name, port)
        return f"http://127.0.0.1:{port}"

    def _start(self, name: str, port: int) -> subprocess.Popen[bytes]:
        if name.endswith(".mjs"):
            manifest = HERE / "package.json"
            folder = _installed("node", manifest, _install_node)
            command, cwd = ["node", str(folder / name), str(port)], folder
            shutil.copy(HERE / "servers" / name, folder)
        else:
            manifest = HERE / "requirements.txt"
            python = _installed("python", manifest, _install_python) / "bin" / "python"
            command, cwd = [str(python), name, str(port)], HERE / "servers"
        return _popen(command, cwd, {"PATH": os.environ["PATH"]})

    def _wait(self, name: str, port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._running[name][0].poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"{name} does not start: run it by hand to see why")

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.stop()


@pytest.fixture
def url_of(servers: Servers) -> Callable[..., str]:
    """The address of one of the agents, or of a program; skips the test without a network."""

    def found(server: str, program: str = "") -> str:
        try:
            return servers.url_of_program(server, program) if program else servers.url(server)
        except MissingError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))

    return found


@pytest.fixture
def record_of(
    url_of: Callable[..., str], make_trigger: Callable[..., Trigger]
) -> Callable[..., TriggerExecution]:
    """Run a trigger with a prompt against one of the agents, and read its record back."""

    def ran(server: str, protocol: str, prompt: str, program: str = "") -> TriggerExecution:
        url = url_of(server, program)
        trigger = make_trigger(prompt=prompt, include_context=False, max_retries=3)
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, timezone.now()))
        assert run is not None
        with AgentClient(url, FixedToken(None), protocol=PROTOCOLS[protocol]) as client:
            runner.execute(run, client, time_limit=30)
        found: TriggerExecution = TriggerExecution.objects.get(pk=run.execution.pk)
        return found

    return ran


@pytest.fixture
def ask(url_of: Callable[..., str]) -> Callable[..., Reply]:
    """Send a prompt to one of the agents, or to a program; raises AgentError."""

    def asked(server: str, protocol: str, prompt: str, program: str = "", **options: Any) -> Reply:
        url = url_of(server, program)
        values = {"session_id": uuid.uuid4().hex + "x", **options}
        invocation = Invocation(
            prompt=prompt, target_user_id="alice", execution_id=str(uuid.uuid4()), **values
        )
        with AgentClient(url, FixedToken(None), protocol=PROTOCOLS[protocol]) as client:
            return client.invoke(invocation, time_limit=30, max_retries=0)

    return asked
