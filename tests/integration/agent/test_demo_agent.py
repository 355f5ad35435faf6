"""The demo agent as a program: its command, its refusals, and the page that documents it."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from agents import demo
from agents.demo import DemoAgent

ROOT = Path(__file__).parents[3]


def command(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "manage.py", "demo_agent", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_ends_at_once(number: int) -> None:
    with command(0) as process:
        try:
            assert process.stdout is not None
            assert "The demo agent listens on http://127.0.0.1:" in process.stdout.readline()
            process.send_signal(number)
            _, errors = process.communicate(timeout=5)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")


def test_command_ends_by_ctrl_c_though_its_shell_ignored_that() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        test_command_ends_at_once(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_command_says_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, command(taken.getsockname()[1]) as run:
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "Stop what uses that port, or choose another with --port." in errors


def test_ping(agent: DemoAgent) -> None:
    assert httpx.get(f"{agent.url}/ping").json()["status"] == "Healthy"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"prompt": 5}', b"\xff"])
def test_body_that_is_no_request(agent: DemoAgent, body: bytes) -> None:
    assert httpx.post(f"{agent.url}/invocations", content=body).status_code == 400


def test_body_that_is_too_big(agent: DemoAgent) -> None:
    with socket.create_connection(("127.0.0.1", int(agent.url.rpartition(":")[2]))) as peer:
        peer.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 413")


def test_unknown_token_is_refused(agent: DemoAgent) -> None:
    answer = httpx.post(
        f"{agent.url}/invocations", json={"prompt": "x"}, headers={"Authorization": "Bearer x"}
    )
    assert answer.status_code == 401


def test_token_expires() -> None:
    with DemoAgent(token_lifetime=0.05) as agent:
        token = agent.issue_token()
        assert agent.accepts(f"Bearer {token}")
        time.sleep(0.06)
        assert not agent.accepts(f"Bearer {token}")


def test_connection_is_kept_alive(agent: DemoAgent) -> None:
    with httpx.Client() as http:
        streams = [http.get(f"{agent.url}/ping").extensions["network_stream"] for _ in range(2)]
        assert streams[0] is streams[1]


def test_client_that_leaves_is_no_error(
    agent: DemoAgent, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = {"Authorization": f"Bearer {agent.issue_token()}"}
    with httpx.stream(
        "POST", f"{agent.url}/invocations", json={"prompt": "demo: bytes 50MB"}, headers=headers
    ):
        pass
    agent.stop()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert capfd.readouterr().err == ""


def test_prompt_is_not_logged(agent: DemoAgent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    headers = {"Authorization": f"Bearer {agent.issue_token()}"}
    httpx.post(f"{agent.url}/invocations", json={"prompt": "a secret plan"}, headers=headers)
    assert '"POST /invocations HTTP/1.1" 200' in caplog.text
    assert "secret plan" not in caplog.text


def test_every_instruction_is_documented() -> None:
    source = "".join(path.read_text() for path in Path(demo.__file__).parent.rglob("*.py"))
    known = set(re.findall(r'"([a-z0-9-]+)" (?:not )?in (?:self\.|answer\.)*script', source))
    known |= set(re.findall(r'script\.(?:seconds|size)\("([a-z0-9-]+)"', source))
    page = (ROOT / "docs/demo-agent.md").read_text()
    documented = set(re.findall(r"(?m)^\| `demo: ([a-z0-9-]+)", page))
    assert documented == known
