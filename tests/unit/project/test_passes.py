"""What a run of the tests takes, and how it says how far it is."""

import os
import subprocess
import sys

from django.conf import settings

IDS = "tests/unit/moca/test_ids.py"
QUOTA = "tests/integration/api/test_quota.py"
BROWSER = "tests/browser/test_console.py"


def run(*arguments: str) -> str:
    """The output of a run of its own, which goes to no terminal."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "TEST_", "DATABASE_", "AWS_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments],
        cwd=settings.BASE_DIR,
        env=clean,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_a_log_is_told_how_far_the_tests_are() -> None:
    output = run(IDS)
    assert "sqlite 100 %: 8 of 8 tests after" in output
    assert f"now {IDS}" in output


def test_a_table_is_for_the_tests_that_touch_it() -> None:
    found = run("--database=moto", "--collect-only", "-q", IDS, QUOTA, BROWSER)
    files = {line.partition("::")[0] for line in found.splitlines() if "::" in line}
    assert files == {QUOTA, BROWSER}
    assert "TestList" in found
    assert "TestReach" not in found
