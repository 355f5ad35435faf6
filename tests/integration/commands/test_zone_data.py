"""Which zone data each entry reads, on hosts whose own is older or newer than the package's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(tzdata.__file__).parent / "zoneinfo"
NEXT_RUN = """
from datetime import datetime
from triggers.schedules import parse, parse_zone
after = datetime.fromisoformat("2026-11-28T20:00:00Z")
print(parse("0 9 * * ? *").next_run(after, parse_zone("America/Vancouver")).isoformat())
"""
HEALTH = """
import io
from wsgiref.util import setup_testing_defaults
from moca.wsgi import application
environ = {"PATH_INFO": "/health", "QUERY_STRING": "deep=1", "HTTP_HOST": "localhost"}
setup_testing_defaults(environ)
print(b"".join(application(environ, lambda *_: None)).decode())
"""
ENTRIES = {
    "commands": ["manage.py", "shell", "--no-imports", "-c", NEXT_RUN],
    "pages": ["-c", f"import moca.wsgi\n{NEXT_RUN}"],
    "function": ["-c", f"import executions.lambda_handler\n{NEXT_RUN}"],
    "tests": ["-c", f"import tests.settings\n{NEXT_RUN}"],
    "package": ["-c", NEXT_RUN],
}
# In British Columbia the clocks stay at -07:00 from 2026 on. The fake host's files are of Tokyo.
BY_PACKAGE, BY_HOST = "2026-11-29T16:00:00+00:00", "2026-11-29T00:00:00+00:00"

Run = Callable[..., str]
Host = Callable[..., Path]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Make a folder of zone files, with a file that names its version or without any."""

    def make(version: str = "", name: str = "tzdata.zi", first: str = "# version ") -> Path:
        folder = tmp_path / "zoneinfo"
        for zone, copied in {"Etc/UTC": "Etc/UTC", "America/Vancouver": "Asia/Tokyo"}.items():
            (folder / zone).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PACKAGE / copied, folder / zone)
        if version:
            (folder / name).write_text(f"{first}{version}\n# This zic input file is ...\n")
        return folder

    return make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python on a host that has these zone files, and see what it prints."""

    def start(arguments: list[str], folder: Path, **environment: str) -> str:
        (tmp_path / "sitecustomize.py").write_text(
            "import os, zoneinfo\n"
            "if 'PYTHONTZPATH' not in os.environ:\n"
            f"    zoneinfo.reset_tzpath(to=[{str(folder)!r}])\n"
        )
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own = {
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "MOCA_DATA_DIR": str(tmp_path),
            "SECRET_KEY": "for these tests alone " * 3,
            "LOG_LEVEL": "CRITICAL",
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**kept, **own, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stdout, done.stderr
        return done.stdout.strip()

    return start


@pytest.mark.parametrize("entry", ENTRIES)
def test_older_data_of_the_host_is_not_used(run: Run, host: Host, entry: str) -> None:
    assert run(ENTRIES[entry], host("2025b")) == BY_PACKAGE


@pytest.mark.parametrize(
    "named",
    [("2999a",), ("2999a", "+VERSION", "")],
    ids=["as IANA installs it", "as BSD and macOS have it"],
)
def test_newer_data_of_the_host_is_used(run: Run, host: Host, named: tuple[str, ...]) -> None:
    assert run(ENTRIES["package"], host(*named)) == BY_HOST


def test_data_of_an_unknown_version_is_not_used(run: Run, host: Host) -> None:
    assert run(ENTRIES["package"], host()) == BY_PACKAGE


def test_variable_is_obeyed(run: Run, host: Host) -> None:
    folder = host("2025b")
    assert run(ENTRIES["package"], folder, PYTHONTZPATH=str(folder)) == BY_HOST


@pytest.mark.parametrize(
    ("version", "by_variable", "told"),
    [
        ("2025b", False, {"version": tzdata.IANA_VERSION, "source": "package"}),
        ("2999a", False, {"version": "2999a", "source": "host"}),
        ("2025b", True, {"version": "2025b", "source": "PYTHONTZPATH"}),
    ],
)
def test_health_names_the_data(
    run: Run, host: Host, version: str, by_variable: bool, told: dict[str, str]
) -> None:
    folder = host(version)
    variable = {"PYTHONTZPATH": str(folder)} if by_variable else {}
    assert json.loads(run(["-c", HEALTH], folder, **variable))["zoneData"] == told


@pytest.mark.parametrize(
    ("version", "by_variable", "verdict", "words"),
    [
        ("2025b", False, "ok", f"{tzdata.IANA_VERSION}, from the tzdata package."),
        ("2999a", False, "ok", "2999a, from {folder}."),
        ("2999a", True, "ok", "2999a, from {folder} (PYTHONTZPATH)."),
        (
            "2025b",
            True,
            "warn",
            f"2025b, from {{folder}} (PYTHONTZPATH); the tzdata package has {tzdata.IANA_VERSION}.",
        ),
    ],
)
def test_doctor_names_the_data(
    run: Run, host: Host, version: str, by_variable: bool, verdict: str, words: str
) -> None:
    folder = host(version)
    variable = {"PYTHONTZPATH": str(folder)} if by_variable else {}
    found = json.loads(run(["manage.py", "doctor", "--format=json"], folder, **variable))
    told = next((each["verdict"], each["text"]) for each in found if each["subject"] == "zone data")
    assert told == (verdict, words.format(folder=folder))


def test_these_tests_read_the_newest_data() -> None:
    winter = datetime(2026, 12, 1, tzinfo=ZoneInfo("America/Vancouver"))
    assert winter.utcoffset() == timedelta(hours=-7)
