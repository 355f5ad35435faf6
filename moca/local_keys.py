"""Keys of a one-machine installation: made on first use and kept in its data directory."""

import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

# What group and everybody else may do.
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(directory: Path) -> None:
    """Take the rights of other accounts from a data directory and from the files in it.

    Directories that others share by design (`/tmp` has the sticky bit) or that another account
    owns stay as they are; `manage.py check` warns about these. A directory that does not exist
    yet is made private by `kept()`.
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
    """Return the file's content, made and written first where it does not exist.

    The file is readable by its owner alone. Of several processes that start at once, one wins,
    and all return what it wrote.

    Args:
        path: where the key is kept.
        make: called for a new key.
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
