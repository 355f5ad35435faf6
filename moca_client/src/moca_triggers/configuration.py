"""Where the address and the token come from: the environment, or a file that only you can read."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import click

from moca_triggers.client import Client
from moca_triggers.errors import ConfigurationError
from moca_triggers.transport import checked_url

URL, TOKEN = "MOCA_TRIGGERS_URL", "MOCA_TRIGGERS_TOKEN"
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Configuration:
    """An installation, and the token for it.

    Attributes:
        url: the address.
        token: the token or API key; empty if there is none.
        origin: where the token comes from, in words.
    """

    url: str
    token: str = ""
    origin: str = ""

    def __repr__(self) -> str:
        return f"Configuration({self.url!r})"


def path() -> Path:
    """The file that `login` writes: MOCA_TRIGGERS_CONFIG, else one in the user's own folder."""
    named = os.environ.get("MOCA_TRIGGERS_CONFIG", "")
    return Path(named) if named else Path(click.get_app_dir("moca-triggers")) / "config.json"


def read(url: str = "") -> Configuration:
    """Read the configuration. The environment comes before the file.

    The token in the file is for the address in the file, and is sent to no other.

    Args:
        url: the address that the caller names; empty for the configured one.

    Raises:
        ConfigurationError: there is no address, or the file is unusable.
    """
    stored = _stored()
    address = url or os.environ.get(URL, "") or (stored.url if stored else "")
    if not address:
        raise ConfigurationError(
            "No installation is named.", f"Set {URL} to its address, or run `moca-triggers login`."
        )
    address = checked_url(address)
    if token := os.environ.get(TOKEN, "").strip():
        return Configuration(address, token, TOKEN)
    if stored and stored.url == address:
        return stored
    return Configuration(address)


def write(configuration: Configuration) -> Path:
    """Write the file, which only you can read, completely or not at all."""
    file = path()
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = json.dumps({"url": configuration.url, "token": configuration.token}, indent=2)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{content}\n")
        part.replace(file)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.",
            f"Set {URL} and {TOKEN} instead, or MOCA_TRIGGERS_CONFIG to another file.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return file


def forget() -> bool:
    """Delete the file; False if there is none."""
    existed = path().exists()
    path().unlink(missing_ok=True)
    return existed


def connect(*, timeout: float = 30, retries: int = 3) -> Client:
    """A client for the configured installation, with the configured token."""
    found = read()
    return Client(found.url, found.token, timeout=timeout, retries=retries)


def _stored() -> Configuration | None:
    file = path()
    try:
        mode = file.stat().st_mode
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.", "Delete it.") from error
    if os.name == "posix" and mode & OTHERS_MAY:
        raise ConfigurationError(
            f"Other users of this machine may read {file}, which has a token.",
            f"Run `chmod 600 {file}`.",
        )
    try:
        values = json.loads(content)
        return Configuration(checked_url(values["url"]), str(values.get("token", "")), str(file))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{file} is no configuration.", "Delete it, and run `moca-triggers login`."
        ) from error
