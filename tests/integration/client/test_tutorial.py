"""The commands of docs/tutorial.md, run as they stand there. A local receiver is the phone."""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.conftest import wait_for

PAGE = (settings.BASE_DIR / "docs" / "tutorial.md").read_text()
START, *COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def phone() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server that takes messages as ntfy does, and the messages."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messages.append(json.loads(body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ntfy://127.0.0.1:{server.server_port}/moca", messages
        server.shutdown()
        thread.join()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`make run` without make, in an empty data folder; yields the environment of the reader."""
    ports = []
    for _each in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(str(free.getsockname()[1]))
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {
        **kept,
        "HOME": str(tmp_path),
        "MOCA_DATA_DIR": str(tmp_path / "var"),
        "PORT": ports[0],
        "DEMO_AGENT_PORT": ports[1],
    }
    command = [settings.BASE_DIR / ".venv" / "bin" / "python", "manage.py", "run"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait_for(lambda: _answers(int(ports[0])), 60)
            yield environment
        finally:
            process.terminate()
            process.wait(60)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_tutorial_leads_to_an_alert_on_the_phone(
    started: dict[str, str], phone: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, messages = phone
    script = "set -e\n" + "\n".join(COMMANDS)
    for written, here in {
        "127.0.0.1:8000": f"127.0.0.1:{started['PORT']}",
        "ntfy://moca-7f3a9c21e4": address,
        # The checkout stays as it is.
        "triggers.yaml": str(tmp_path / "triggers.yaml"),
    }.items():
        assert written in script
        script = script.replace(written, here)
    failing = script.partition("moca-triggers export")[0]
    mended = "set -e\n" + COMMANDS[0].replace("127.0.0.1:8000", f"127.0.0.1:{started['PORT']}")
    mended += "moca-triggers export" + script.partition("moca-triggers export")[2]
    _bash(failing, started)
    wait_for(lambda: any("Closed shop" in _text(each) for each in messages), 60)
    _bash(mended, started)
    wait_for(lambda: any("works again" in _text(each) for each in messages), 90)
    assert START.strip() == "make run"


def _bash(script: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _text(message: dict[str, Any]) -> str:
    return f"{message.get('title', '')} {message.get('message', '')}"
