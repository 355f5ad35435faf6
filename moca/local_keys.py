"""Keys of a one-machine installation: made on first use and kept in its data directory."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


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
    path.parent.mkdir(parents=True, exist_ok=True)
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
