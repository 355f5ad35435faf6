"""The agents of docs/agent-protocol.md and docs/protocols/ are run as they stand there.

Those that need a library are run in tests/contract.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings

from agents import AgentClient, FixedToken, Invocation, Reply, new_session_id
from agents.protocols import PROTOCOLS
from tests.conftest import wait_for

DOCS = settings.BASE_DIR / "docs"
# Where the agent of a protocol stands.
PAGES = {
    "invocations": DOCS / "agent-protocol.md",
    "ag-ui": DOCS / "protocols" / "ag-ui.md",
    "a2a": DOCS / "protocols" / "a2a.md",
    "openai": DOCS / "protocols" / "openai.md",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(program: Path, page: Path) -> Iterator[str]:
    """Run the first program of a page, on a free port; yields its address."""
    port = free_port()
    code = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[0]
    program.write_text(code.replace("9000", str(port)))
    process = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[[str, Invocation], Reply]]:
    """Send a task to the documented agent of a protocol."""
    with ExitStack() as stack:

        def asked(protocol: str, task: Invocation) -> Reply:
            address = stack.enter_context(running(tmp_path / "agent.py", PAGES[protocol]))
            client = AgentClient(address, FixedToken(None), protocol=PROTOCOLS[protocol])
            return stack.enter_context(client).invoke(task, time_limit=20, max_retries=0)

        yield asked


@pytest.fixture
def task() -> Invocation:
    return Invocation(
        prompt="Report.\nMore.",
        target_user_id="alice",
        session_id=new_session_id(),
        execution_id="execution",
    )


@pytest.mark.parametrize("protocol", PAGES)
def test_the_shortest_agent_completes_a_run(
    ask: Callable[[str, Invocation], Reply], task: Invocation, protocol: str
) -> None:
    reply = ask(protocol, task)
    # A2A does not tell the tokens.
    tokens = (0, 0) if protocol == "a2a" else (12, 5)
    said = (reply.output.text, reply.input_tokens, reply.output_tokens)
    assert said == ("Done: Report.", *tokens)


def test_the_shortest_agent_names_the_session(
    ask: Callable[[str, Invocation], Reply], task: Invocation
) -> None:
    assert ask("invocations", task).session_id == task.session_id


def test_each_protocol_has_a_page_with_an_agent() -> None:
    documented = {path.stem for path in (DOCS / "protocols").glob("*.md")} | {"invocations"}
    assert documented == {*PROTOCOLS}
