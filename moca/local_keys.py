"""Keys of a one-machine installation: generated on first use and kept in its data directory."""

import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

# The permissions of the group and of others.
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(directory: Path) -> None:
    """Remove other accounts' permissions from a data directory and its files.

    Shared directories (`/tmp` has the sticky bit) and those of another account stay as they are;
    `manage.py check` warns about them. If the directory does not exist yet, `kept()` creates it
    with the right permissions.
    """
    for path in (directory, *_files_in(directory)):
        try:
            status = path.lstat()
            if _may_be_narrowed(status):
                path.chmod(stat.S_IMODE(status.st_mode) & stat.S_IRWXU)
        except OSError:
            # Another process moved the file, or the file system is read-only.
            continue


def is_private(directory: Path) -> bool:
    """Whether no other account can enter the directory; true if there is none."""
    try:
        return not directory.stat().st_mode & OTHERS
    except OSError:
        return True


def _files_in(directory: Path) -> list[Path]:
    try:
        if directory.lstat().st_mode & stat.S_ISVTX:
            return []
        return [path for path in directory.iterdir() if path.is_file()]
    except OSError:
        return []


def _may_be_narrowed(status: os.stat_result) -> bool:
    return (
        status.st_uid == os.geteuid()
        and not stat.S_ISLNK(status.st_mode)
        and not status.st_mode & stat.S_ISVTX
        and bool(status.st_mode & OTHERS)
    )


def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the file's content; create the file first if it does not exist.

    Only the owner can read the file. If several processes start at once, one of them creates it,
    and all return its content.

    Args:
        path: the key's file.
        make: generates a new key.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(make())
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
    return path.read_bytes()


def secret_key(directory: Path) -> str:
    """Django's SECRET_KEY of this installation."""
    return kept(directory / "secret-key", lambda: secrets.token_urlsafe(48).encode()).decode()
