"""Everything at once, as a newcomer starts it: web, scheduler and demo agent."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from django.conf import settings

from moca.authentication.models import Operator
from tests.conftest import wait_for

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """A data directory and ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.port, agent_port = free_port(), free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", verify=False)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "moca.settings",
            "MOCA_DATA_DIR": str(directory),
            "PORT": str(self.port),
            "DEMO_AGENT_PORT": str(agent_port),
            "MOCA_OPERATOR_PASSWORD": "correct horse battery",
        }
        if settings.TEST_DATABASE != "sqlite":
            self.environment["DATABASE_URL"] = "dynamodb-local://moca-triggers"
            self.environment["DYNAMODB_LOCAL_PORT"] = str(free_port())
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*MANAGE, "run"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,))
        self.reader.start()
        wait_for(self.is_up, seconds=60)

    def _read(self, lines: IO[str]) -> None:
        self.output = ""
        with lines:
            for line in lines:
                self.output += line

    def is_up(self) -> bool:
        try:
            return self.http.get("/health").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        self.reader.join(timeout=10)
        return code

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [*MANAGE, *arguments], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def api(self, path: str) -> dict[str, Any]:
        answer = self.http.get(path, headers={"Authorization": f"Bearer {self.token}"})
        return dict(answer.raise_for_status().json())

    @cached_property
    def token(self) -> str:
        code = f"print(Operator.objects.get(username={'operator'!r}).subject)"
        subject = self.manage("shell", "--no-imports", "-c", f"{IMPORT}; {code}").splitlines()[-1]
        return self.manage("issue_token", subject)


IMPORT = f"from {Operator.__module__} import Operator"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data")
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
    made.http.close()


@pytest.mark.each_database
def test_sample_fires_by_itself(installation: Installation) -> None:
    installation.start()
    triggers = installation.api("/triggers")["triggers"]
    sample = next(trigger for trigger in triggers if trigger["name"] == "Every minute")
    path = f"/triggers/{sample['id']}/executions"
    listed = wait_for(lambda: installation.api(f"{path}?status=completed")["executions"], 90)
    execution = installation.api(f"{path}/{listed[0]['executionId']}")["execution"]
    installation.stop()
    assert "demo agent" in execution["output"]
    assert execution["usage"]["outputTokens"] > 0


@pytest.mark.each_database
def test_interrupt_ends_all_parts(installation: Installation) -> None:
    installation.start()
    code = installation.stop()
    assert (code, installation.is_up()) == (0, False)


def test_nohup_outlives_the_terminal(installation: Installation) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        installation.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert installation.process is not None
    installation.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert (installation.is_up(), installation.stop()) == (True, 0)


@pytest.mark.each_database
def test_second_start_keeps_the_data(installation: Installation) -> None:
    installation.start()
    before = installation.api("/triggers")["triggers"]
    installation.stop()
    installation.start()
    after = installation.api("/triggers")["triggers"]
    installation.stop()
    assert [t["id"] for t in after] == [t["id"] for t in before]


def test_output_is_prefixed_by_its_part(installation: Installation) -> None:
    installation.start()
    wait_for(lambda: re.search(r"(?m)^scheduler \| Scheduler started$", installation.output))
    installation.stop()


def test_port_in_use_is_a_clear_message(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        done = subprocess.run(
            [*MANAGE, "run"], env=installation.environment, capture_output=True, text=True
        )
    assert f"Cannot listen on 127.0.0.1:{installation.port}" in done.stderr


def test_samples_are_as_many_as_a_user_may_have(installation: Installation) -> None:
    installation.environment["MAX_TRIGGERS_PER_USER"] = "1"
    installation.start()
    made = installation.api("/triggers")["triggers"]
    installation.stop()
    assert (len(made), "1 of 2 samples were made" in installation.output) == (1, True)
