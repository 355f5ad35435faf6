"""Emulators of AWS from PyPI, each in a virtual environment of its own: they pin what we do not."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import boto3

from moca.dynamodb.local import cache

REGION = "eu-central-1"
START_SECONDS = 60


def python_with(name: str, *requirements: str) -> Path:
    """The interpreter of an environment with these packages, made on first use."""
    place = cache() / f"{name}-python{sys.version_info[0]}.{sys.version_info[1]}"
    interpreter = place / "bin" / "python"
    complete = place / "complete"
    if not complete.exists() or complete.read_text().split() != list(requirements):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run(
            [str(interpreter), "-m", "pip", "install", "--quiet", *requirements], check=True
        )
        complete.write_text("\n".join(requirements))
    return interpreter


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Server:
    """An emulator as a process, with what its clients need in their environment."""

    REQUIREMENTS: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def command(self, python: Path) -> list[str]:
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """What the server's own environment has besides."""
        return {}

    def __enter__(self) -> Self:
        python = python_with(type(self).__name__.lower(), *self.REQUIREMENTS)
        self._path = self.folder / "emulator.log"
        with self._path.open("w") as log:
            self._process = subprocess.Popen(
                self.command(python),
                cwd=self.folder,
                env={**self.environment, **self.variables()},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"it did not start:\n{self.log()}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        # Its Lambda functions are processes of its group.
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)

    def log(self) -> str:
        return self._path.read_text()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


class Ministack(Server):
    """Real Lambda functions without Docker, and IAM as AWS evaluates it.

    Its functions find boto3 where it has it itself; signatures need cryptography.
    """

    REQUIREMENTS = ("ministack==1.5.33", "boto3==1.43.106", "cryptography>=45")

    def command(self, python: Path) -> list[str]:
        return [str(python), "-m", "ministack"]

    def variables(self) -> dict[str, str]:
        return {
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
        }


class Roto(Server):
    """EventBridge Scheduler that fires to the second, in time zones, into SQS."""

    REQUIREMENTS = ("roto-aws==0.10.1",)

    def command(self, python: Path) -> list[str]:
        server = python.with_name("roto-server")
        return [str(server), "--ephemeral", "--port", str(self.port)]
