"""Finds event sources: those that the settings list, and those that operators have added.

EVENT_SOURCES_CONFIG is a list as JSON or YAML, or EVENT_SOURCES_FILE names a file with it. Each
entry has `id` and `name`, and may have `description`, `icon`, `kind`, `eventBusName`,
`eventPattern`, `options`, `replayWindowSeconds` and `secrets` (texts, or ARNs of Secrets Manager).
If an id is in the settings and in the database, the settings count.
"""

from functools import cache, partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.signals import setting_changed
from django.utils import translation

from events.kinds import SourceKind
from events.models import EventSource
from moca.entries import read_entries
from moca.kept import Kept

KEYS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "icon": "icon",
    "kind": "kind",
    "eventBusName": "bus_name",
    "eventPattern": "pattern",
    "options": "options",
    "replayWindowSeconds": "replay_seconds",
    "secrets": "secrets",
}
WINDOW = "replayWindowSeconds"
TEXTS = ("id", "name", "description", "icon", "kind", "eventBusName")

# For how long each message to an address uses the source that an earlier one has read. A secret
# that was ended is valid for as long in other processes.
KEPT_SECONDS = 2.0
_kept: dict[str, Kept[EventSource | None]] = {}


def all_sources() -> list[EventSource]:
    """Return all sources, sorted by name."""
    known = configured()
    rows = [row for row in EventSource.objects.all() if row.pk not in known]
    return sorted([*known.values(), *rows], key=lambda source: (source.name.lower(), source.pk))


def find(source_id: str) -> EventSource | None:
    """Return the source of an id, or None if there is none."""
    if source := configured().get(source_id):
        return source
    try:
        EventSource._meta.get_field("id").run_validators(source_id)
    except ValidationError:
        # A database may not be able to look for such a text.
        return None
    found: EventSource | None = EventSource.objects.filter(pk=source_id).first()
    return found


def find_kept(source_id: str) -> EventSource | None:
    """Return the source of an id as `find()` does, or as it was KEPT_SECONDS ago at most.

    A change that this process makes counts at once. Do not change what is returned: threads share
    it.
    """
    if kept := _kept.get(source_id):
        source = kept.get()
    elif source := find(source_id):
        # Ids without a source are not kept, because anybody can invent any number of them.
        kept = Kept(partial(find, source_id), KEPT_SECONDS)
        kept.put(source)
        _kept[source_id] = kept
    if source is None:
        forget(source_id)
    return source


def forget(source_id: str) -> None:
    """Have the source of an id read again."""
    _kept.pop(source_id, None)


def forget_all() -> None:
    """Have each source read again."""
    _kept.clear()


@cache
def configured() -> dict[str, EventSource]:
    """Return the sources that the settings list, by id.

    Raises:
        ImproperlyConfigured: the list cannot be read. The message says where and why.
    """
    name, entries = read_entries("EVENT_SOURCES", "event sources")
    found: dict[str, EventSource] = {}
    for place, entry in enumerate(entries):
        source = _source(entry, f"{name}[{place}]")
        if source.pk in found:
            raise ImproperlyConfigured(f"{name} has the id {source.pk!r} twice.")
        found[source.pk] = source
    return found


def _source(entry: Any, where: str) -> EventSource:
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where} is no map with id and name.")
    unknown = entry.keys() - KEYS.keys()
    if unknown:
        raise ImproperlyConfigured(
            f"{where} has {', '.join(map(repr, sorted(map(str, unknown))))}: give some of "
            f"{', '.join(KEYS)}."
        )
    given = {name: value for name, value in entry.items() if value is not None}
    secrets = given.pop("secrets", [])
    if not isinstance(secrets, list) or not all(isinstance(text, str) for text in secrets):
        raise ImproperlyConfigured(f"{where}.secrets is no list of texts.")
    for name in TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise ImproperlyConfigured(f"{where}.{name} is no text: put it in quotes.")
    if not isinstance(given.get(WINDOW, 0), int) or isinstance(given.get(WINDOW), bool):
        raise ImproperlyConfigured(f"{where}.{WINDOW} is no whole number of seconds.")
    kind = given.setdefault("kind", SourceKind.WEBHOOK if secrets else SourceKind.BUS)
    from events import senders  # 15 ms of the handler if the settings list no source

    if senders.find(kind) is None:
        known = ", ".join(one.kind for one in senders.in_short_order())
        raise ImproperlyConfigured(f"{where}.kind is {kind!r}: give one of {known}.")
    source = EventSource(**{KEYS[name]: value for name, value in given.items()})
    source.is_configured = True
    # YAML's block texts end with a line break.
    source.configured_secrets = tuple(text.strip() for text in secrets)
    try:
        source.clean_fields()
        source.clean()
    except ValidationError as error:
        raise ImproperlyConfigured(_told(error, where)) from error
    return source


def _told(error: ValidationError, where: str) -> str:
    """Say what is wrong with an entry, with the names of its keys in the settings."""
    keys = {field: name for name, field in KEYS.items()}
    # For the log, which is in English, whoever asks.
    with translation.override("en"):
        found = error.message_dict.items()
    return "; ".join(f"{where}.{keys[field]}: {' '.join(texts)}" for field, texts in found)


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("EVENT_SOURCES"):
        configured.cache_clear()
        forget_all()


setting_changed.connect(_forget)
