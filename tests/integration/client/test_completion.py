"""The completion script, sourced in bash."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.client.conftest import PROGRAM, CommandLine
from triggers.models import Trigger

COMPLETE = """\
set -e
source <(moca-triggers completion bash)
COMP_WORDS=({words}) COMP_CWORD={place}
_moca_triggers_completion moca-triggers
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def complete(moca: CommandLine, tmp_path: Path) -> Callable[..., list[str]]:
    """What bash offers after some words."""
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    program = tmp_path / "bin" / "moca-triggers"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    program.chmod(0o755)

    def offered(*words: str, **environment: str) -> list[str]:
        script = COMPLETE.format(words=" ".join(words), place=len(words) - 1)
        path = f"{program.parent}:{moca.environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            env={**moca.environment, "PATH": path, **environment},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.split("\n")[:-1]

    return offered


def test_commands_are_completed(complete: Callable[..., list[str]]) -> None:
    assert complete("moca-triggers", "ex") == ["export"]


def test_names_of_triggers_are_completed(
    complete: Callable[..., list[str]], make_trigger: Callable[..., Trigger]
) -> None:
    make_trigger(name="Report")
    make_trigger(name="Report-2")
    make_trigger(name="Other")
    assert sorted(complete("moca-triggers", "run", "Rep")) == ["Report", "Report-2"]


def test_a_server_that_is_away_completes_nothing(complete: Callable[..., list[str]]) -> None:
    assert complete("moca-triggers", "run", "Rep", MOCA_TRIGGERS_URL="http://127.0.0.1:9") == [""]
