"""The output of commands, when another program reads it."""

import os
import subprocess
import sys
from pathlib import Path

MANAGE = Path(__file__).resolve().parents[3] / "manage.py"


def test_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    command = f"{sys.executable} -u {MANAGE} showmigrations --plan | head -n 1"
    run = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=True,
    )
    assert "BrokenPipe" not in run.stderr
