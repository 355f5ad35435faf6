"""`.ci/release`: what keeps a release from being tagged, and the tag."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHANGELOG = "# Changelog\n\n## 1.2.3\n\n- Alerts.\n- Budgets.\n\n## 1.2.2\n\n- Old.\n"
VERSION = '[project]\nversion = "1.2.3"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose release 1.2.3 can be tagged."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "moca_client").mkdir()
    shutil.copy(ROOT / ".ci" / "release", tmp_path / ".ci")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    for name in ("pyproject.toml", "moca_client/pyproject.toml"):
        (tmp_path / name).write_text(VERSION)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Ann")
    git(tmp_path, "config", "user.email", "ann@example.com")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "commit.gpgsign=false", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=Change")


def release(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([".ci/release", *arguments], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr.strip()


def test_a_release_is_tagged_with_its_changes(repository: Path) -> None:
    release(repository, "tag", "1.2.3")
    said = git(repository, "for-each-ref", "refs/tags/v1.2.3", "--format=%(contents)")
    assert said.strip() == "Moca Triggers 1.2.3\n\n- Alerts.\n- Budgets."


def other_branch(folder: Path) -> None:
    git(folder, "switch", "--quiet", "--create", "other")


def uncommitted(folder: Path) -> None:
    (folder / "new").touch()


def tagged(folder: Path) -> None:
    git(folder, "tag", "v1.2.3")


def other_version(folder: Path) -> None:
    (folder / "moca_client" / "pyproject.toml").write_text(VERSION.replace("1.2.3", "1.2.2"))
    commit(folder)


def no_changes(folder: Path) -> None:
    (folder / "CHANGELOG.md").write_text(CHANGELOG.replace("## 1.2.3", "## Unreleased"))
    commit(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_branch, "this is not the branch main: switch to it."),
        (uncommitted, "there are changes: commit or remove them."),
        (tagged, "the tag v1.2.3 exists: choose the next version."),
        (other_version, "moca_client/pyproject.toml has another version: set it."),
        (no_changes, "CHANGELOG.md has nothing under '## 1.2.3': rename 'Unreleased'."),
    ],
)
def test_what_keeps_a_release_from_being_tagged(
    repository: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(repository)
    assert release(repository, "tag", "1.2.3") == (1, f"No release: {reason}")


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3; rm x"])
def test_what_is_no_version_is_refused(repository: Path, version: str) -> None:
    code, error = release(repository, "check", version)
    assert (code, f"'{version}' is no version" in error) == (1, True)
