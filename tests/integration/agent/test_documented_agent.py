"""The agent of docs/agent-protocol.md is run as it stands there."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from agents import AgentClient, FixedToken, Invocation, new_session_id
from tests.conftest import wait_for

PAGE = (settings.BASE_DIR / "docs" / "agent-protocol.md").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    program = tmp_path / "agent.py"
    program.write_text(code.replace("9000", str(port)))
    process = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_the_shortest_agent_completes_a_run(address: str) -> None:
    task = Invocation(
        prompt="Report.\nMore.",
        target_user_id="alice",
        session_id=new_session_id(),
        execution_id="execution",
    )
    with AgentClient(address, FixedToken("unused")) as client:
        reply = client.invoke(task, time_limit=20, max_retries=0)
    said = (reply.output.text, reply.input_tokens, reply.output_tokens, reply.session_id)
    assert said == ("Done: Report.", 12, 5, task.session_id)
