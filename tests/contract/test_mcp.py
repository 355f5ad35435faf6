"""The MCP server as the published clients see it: TypeScript, the inspector, conformance tests."""

import http.client
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from moca.authentication.tokens import issue
from tests.contract.conftest import HERE, MissingError, _installed, _run

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

CLIENTS = HERE / "mcp_clients"
SECONDS = 120
# Those that need none of the tools that the conformance tests' own server has.
SCENARIOS = [
    *("server-initialize", "ping", "tools-list", "resources-list", "prompts-list"),
    *("sep-2164-resource-not-found", "dns-rebinding-protection", "caching"),
    *("http-header-validation", "server-sse-multiple-streams"),
    *("input-required-result-unsupported-methods", "input-required-result-ignore-extra-params"),
]
# What `server-stateless` cannot test without such tools.
UNTESTABLE = {
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "sep-2575-http-server-no-independent-requests-on-stream",
    "sep-2575-server-no-log-without-loglevel",
}


def _install(folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(CLIENTS / "package.json", folder)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=folder)


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with the clients, and with the Node.js that they need."""
    try:
        folder = _installed("mcp", CLIENTS / "package.json", _install)
    except MissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    shutil.copy(CLIENTS / "life.mjs", folder)
    return folder


@pytest.fixture
def run(clients: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a program of the clients, and return what it prints."""

    def ran(*command: str) -> str:
        path = f"{clients / 'node_modules' / '.bin'}:{os.environ['PATH']}"
        found = subprocess.run(
            command,
            cwd=clients,
            env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return found.stdout or found.stderr

    return ran


@pytest.fixture
def token(transactional_db: None) -> str:
    return issue("alice", lasting=timedelta(hours=1), now=datetime.now(UTC))


@pytest.fixture
def open_address(live_server: LiveServer, token: str) -> Iterator[str]:
    """The address of a proxy that adds a token, since the conformance tests send none."""
    port = int(live_server.url.rpartition(":")[2])

    class Forward(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("connection", "keep-alive")
            }
            headers["Authorization"] = f"Bearer {token}"
            onward = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            onward.request(self.command, self.path, body, headers)
            answer = onward.getresponse()
            said = answer.read()
            onward.close()
            self.send_response_only(answer.status)
            for name in ("Content-Type", "Content-Encoding", "Allow"):
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mcp"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_typescript_client(
    run: Callable[..., str], live_server: LiveServer, token: str, mode: str, version: str
) -> None:
    said = run("node", "life.mjs", f"{live_server.url}/mcp", token, mode)
    assert json.loads(said) == {
        "version": version,
        "tools": 15,
        "preview": "Every hour",
        "changed": "Say hello.",
        "mistake": True,
        "listed": 1,
        "prompt": True,
        "resource": "Say hello.",
        "deleted": True,
    }


def test_inspector(run: Callable[..., str], live_server: LiveServer, token: str) -> None:
    said = run(
        *("mcp-inspector", "--cli", f"{live_server.url}/mcp", "--transport", "http"),
        *("--header", f"Authorization: Bearer {token}", "--method", "tools/call"),
        *("--tool-name", "preview_schedule", "--tool-arg", "expression=rate(1 hour)"),
    )
    assert json.loads(said)["structuredContent"]["description"] == "Every hour"


def _failures(folder: Path) -> set[str]:
    checks = [
        check for path in folder.rglob("checks.json") for check in json.loads(path.read_text())
    ]
    assert checks, "The conformance tests have tested nothing."
    return {check["id"] for check in checks if check["status"] == "FAILURE"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_conformance(
    run: Callable[..., str], open_address: str, tmp_path: Path, scenario: str
) -> None:
    run("conformance", "server", "--url", open_address, "--scenario", scenario, "-o", str(tmp_path))
    assert _failures(tmp_path) == set()


def test_conformance_without_a_session(
    run: Callable[..., str], open_address: str, tmp_path: Path
) -> None:
    named = ("--scenario", "server-stateless", "-o", str(tmp_path))
    run("conformance", "server", "--url", open_address, *named)
    assert _failures(tmp_path) == UNTESTABLE
