"""Emulators of AWS from PyPI, each in a virtual environment of its own: they pin what we do not."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

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


class Ministack:
    """ministack as a process: real Lambda functions without Docker, and IAM as AWS evaluates it."""

    # Its Lambda functions find boto3 where it has it itself; requests are verified by cryptography.
    REQUIREMENTS = ("ministack==1.5.33", "boto3==1.43.106", "cryptography>=45")

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

    def __enter__(self) -> Self:
        python = python_with("ministack", *self.REQUIREMENTS)
        self._log = (self.folder / "ministack.log").open("w+")
        self._process = subprocess.Popen(
            [str(python), "-m", "ministack"],
            env={
                **self.environment,
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_REGION": REGION,
                "BIND_HOST": "127.0.0.1",
                "AUTH": "true",
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"ministack did not start:\n{self.log()}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def log(self) -> str:
        self._log.flush()
        return (self.folder / "ministack.log").read_text()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
