"""Finds the IANA zones that people mean by a city, an abbreviation or a Windows zone name.

infra/zone_aliases.py makes the table. It is loaded when the first invalid name comes in.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

DATA = Path(__file__).with_name("zone_aliases.json")
MOST = 10
_ACCENTS = re.compile("[\u0300-\u036f]")
_LONGEST = 64
# Shorter names resemble too many places: a name without an area, and one within an area.
_SHORTEST, _SHORTEST_WITHIN = 6, 5
_LIKENESS = 0.8
_OFFSET = re.compile(
    r"(?:(?:gmt|utc) ?([+\u2212-]?)|([+\u2212-])) ?([0-9]{1,2})(?::?([0-5][0-9]))?"
)


def spelled(name: str) -> str:
    """A name in the table's spelling: without capitals, accents and underscores."""
    plain = unicodedata.normalize("NFKC", name[:_LONGEST]).replace("_", " ").casefold()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", plain))
    return " ".join(unicodedata.normalize("NFC", plain).split())


def candidates(name: str, known: frozenset[str]) -> tuple[str, ...]:
    """At most ten IANA zones that a name may mean, the likeliest first.

    Args:
        name: the name that somebody typed.
        known: the names of all zones.
    """
    wanted = spelled(name)
    if not wanted:
        return ()
    by_case = _by_spelling(known)
    if wanted in by_case:
        return (by_case[wanted],)
    if offset := _OFFSET.fullmatch(wanted):
        found: Iterable[str] = _by_offset(offset, known)
    else:
        found = _by_name(wanted, known)
    return tuple(dict.fromkeys(zone for zone in found if zone in known))[:MOST]


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return table


@lru_cache(maxsize=1)
def _by_spelling(known: frozenset[str]) -> dict[str, str]:
    return {spelled(zone): zone for zone in sorted(known)}


def _by_name(wanted: str, known: frozenset[str]) -> list[str]:
    spellings: dict[str, str] = _table()["spellings"]
    area, slash, place = wanted.rpartition("/")
    place = place.strip()
    if meant := spellings.get(wanted) or spellings.get(place if slash else ""):
        zones = meant.split()
        return [zone for zone in zones if spelled(zone).startswith(f"{area}/")] or zones
    return _alike_within(area, place, known) if slash else _alike(place)


def _alike(place: str) -> list[str]:
    """The zones of the most similar place; none if similar places lie in several areas."""
    if len(place) < _SHORTEST:
        return []
    spellings: dict[str, str] = _table()["spellings"]
    names = get_close_matches(place, spellings, n=5, cutoff=_LIKENESS)
    areas = {zone.partition("/")[0] for name in names for zone in spellings[name].split()}
    return spellings[names[0]].split() if len(areas) == 1 else []


def _alike_within(area: str, place: str, known: frozenset[str]) -> list[str]:
    if len(place) < _SHORTEST_WITHIN:
        return []
    within = {
        spelling.removeprefix(f"{area}/"): zone
        for spelling, zone in _by_spelling(known).items()
        if spelling.startswith(f"{area}/")
    }
    return [within[each] for each in get_close_matches(place, within, n=1, cutoff=_LIKENESS)]


def _by_offset(written: re.Match[str], known: frozenset[str]) -> Iterator[str]:
    """Zones with an offset such as UTC+05:30; first those that have it all year."""
    sign = -1 if {"-", "\u2212"} & set(written.groups()) else 1
    hours, minutes = int(written[3]), int(written[4] or 0)
    if not hours and not minutes:
        yield "UTC"
        return
    if not minutes:
        # These names count westwards, but people count eastwards: by GMT+9 they mean Tokyo's clock.
        name = f"Etc/GMT{'-' if sign > 0 else '+'}{hours}"
        if name not in known:
            return
        yield name
    offset = sign * timedelta(hours=hours, minutes=minutes)
    now = datetime.now(UTC)
    seasons = (now, now + timedelta(days=182))
    part_time = []
    for zone in _table()["representatives"].split():
        if zone in known:
            found = {moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in seasons}
            if found == {offset}:
                yield zone
            elif offset in found:
                part_time.append(zone)
    yield from part_time
