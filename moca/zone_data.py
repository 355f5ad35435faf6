"""Chooses the newer time zone data: the host's or the `tzdata` package's.

Python looks into the host's files first, however old they are, and takes the package's data only
for zones that the host lacks. Governments change their clocks at short notice, so old data fires
triggers at wrong times.
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
# Their first lines name the version; IANA installs the one, BSD and macOS have the other.
_NAMING = ("tzdata.zi", "+VERSION")
# Every set of zone files has it.
_PRESENT = "Etc/UTC"


@dataclass(frozen=True, slots=True)
class ZoneData:
    """A set of zone data.

    Attributes:
        version: such as "2026f"; empty where it does not say.
        source: the `tzdata` package, the host, or what the PYTHONTZPATH variable names.
        folder: where its files are; empty for the package.
    """

    version: str
    source: Literal["package", "host", "PYTHONTZPATH"]
    folder: str = ""


def use_newest() -> None:
    """Have Python take the package's data where the host's is older, or does not say its version.

    Who sets PYTHONTZPATH has chosen, and it stays at that.
    """
    found = in_use()
    if found.source == "host" and found.version < PACKAGE_VERSION:
        zoneinfo.reset_tzpath(to=())
        zoneinfo.ZoneInfo.clear_cache()


def in_use() -> ZoneData:
    """The data that zones are read from in this process."""
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
