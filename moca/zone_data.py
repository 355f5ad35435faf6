"""Selects the newer time zone data: the host's or that of the `tzdata` package.

Python prefers the host's files, however old they are. It uses the package only for zones that the
host lacks. Governments change their clocks at short notice: old data fires triggers at wrong times.
"""

import os
import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tzdata

PACKAGE_VERSION: str = tzdata.IANA_VERSION
_VERSION = re.compile(r"[0-9]{4}[a-z]+")
# Files whose first line has the version: IANA's own, and that of BSD and macOS.
_NAMING = ("tzdata.zi", "+VERSION")
# A file that every set of zone files has.
_PRESENT = "Etc/UTC"


@dataclass(frozen=True, slots=True)
class ZoneData:
    """A set of zone data.

    Attributes:
        version: such as "2026f"; empty if it is unknown.
        source: the `tzdata` package, the host, or the folders in the PYTHONTZPATH variable.
        folder: the folder of its files; empty for the package.
    """

    version: str
    source: Literal["package", "host", "PYTHONTZPATH"]
    folder: str = ""


def use_newest() -> None:
    """Make Python use the package's data if the host's is older or its version is unknown.

    If PYTHONTZPATH is set, its folders are used whatever their version.
    """
    found = in_use()
    if found.source == "host" and found.version < PACKAGE_VERSION:
        zoneinfo.reset_tzpath(to=())
        zoneinfo.ZoneInfo.clear_cache()


def in_use() -> ZoneData:
    """The data that this process uses."""
    folder = next((each for each in zoneinfo.TZPATH if Path(each, _PRESENT).is_file()), "")
    if not folder:
        return ZoneData(PACKAGE_VERSION, "package")
    source: Literal["host", "PYTHONTZPATH"]
    source = "PYTHONTZPATH" if "PYTHONTZPATH" in os.environ else "host"
    return ZoneData(_version(folder), source, folder)


def _version(folder: str) -> str:
    for name in _NAMING:
        try:
            with Path(folder, name).open(encoding="ascii", errors="replace") as file:
                named = _VERSION.search(file.readline(100))
        except OSError:
            continue
        if named:
            return named[0]
    return ""
