"""DynamoDB Local beside a process of ours, and what is said where it cannot be."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from moca.dynamodb.local import UnavailableError, installed
from tests.conftest import wait_for

START = """
import time
from moca.dynamodb.local import DynamoDBLocal
with DynamoDBLocal() as local:
    print(local.port, flush=True)
    time.sleep(60)
"""


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_without_java_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="apt-get install default-jre-headless"):
        installed()


def test_without_npm_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    java = tmp_path / "java"
    java.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(UnavailableError, match="apt-get install npm"):
        installed()


@pytest.mark.dynamodb
def test_it_ends_with_a_process_that_is_killed() -> None:
    command = [sys.executable, "-c", START]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=settings.BASE_DIR) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert listens(port)
        os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not listens(port))
