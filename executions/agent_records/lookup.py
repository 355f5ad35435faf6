"""Finds the records of agents: those that the settings list, and those that admins have added.

AGENTS_CONFIG is a list as JSON or YAML, or AGENTS_FILE names a file with it. Each entry has `id`,
`name` and `address`, and may have the other keys of KEYS. If an id is in the settings and in the
database, the settings count.
"""

import threading
import time
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.signals import setting_changed
from django.db import DatabaseError, InterfaceError
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import translation

from agents import errors
from executions.agent_records.model import Agent
from moca.entries import read_entries

# For how long a process uses a record, or knows that there is none, before it reads it again.
KEPT_SECONDS = 60.0
MOST_KEPT = 1000

KEYS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "address": "address",
    "protocol": "protocol",
    "auth": "auth",
    "secret": "secret_ref",
    "keyHeader": "key_header",
    "clientId": "client_id",
    "tokenDomain": "token_domain",
    "scope": "scope",
    "connectSeconds": "connect_seconds",
    "idleSeconds": "idle_seconds",
    "maxConcurrency": "max_concurrency",
    "modelId": "model_id",
    "reasoningEffort": "reasoning_effort",
    "enabledTools": "enabled_tools",
}
NUMBERS = ("connectSeconds", "idleSeconds", "maxConcurrency")
LISTS = ("enabledTools",)

_kept: dict[str, tuple[float, Agent | None]] = {}
_lock = threading.Lock()


def all_agents() -> list[Agent]:
    """Return all records, sorted by name."""
    known = configured()
    rows = [row for row in Agent.objects.all() if row.pk not in known]
    return sorted([*known.values(), *rows], key=lambda agent: (agent.name.lower(), agent.pk))


def find(agent_id: str) -> Agent | None:
    """Return the record of an id as it is now, or None if there is none."""
    if agent := configured().get(agent_id):
        return agent
    try:
        Agent._meta.get_field("id").run_validators(agent_id)
    except ValidationError:
        # No row has such an id, and a database may not be able to look for it.
        return None
    found: Agent | None = Agent.objects.filter(pk=agent_id).first()
    return found


def record_of(agent_id: str) -> Agent | None:
    """Return the record for a run, at most KEPT_SECONDS old, or None if there is none.

    Raises:
        AgentError: of kind "configuration": the record cannot be read.
    """
    until, agent = _kept.get(agent_id, (0.0, None))
    if not agent_id or time.monotonic() < until:
        return agent
    try:
        agent = find(agent_id)
    except ImproperlyConfigured as error:
        raise errors.misconfigured(
            errors.RECORD_UNREADABLE(agent=agent_id, error=str(error))
        ) from error
    except (DatabaseError, InterfaceError) as error:
        if not until:
            said = errors.RECORD_UNREADABLE(agent=agent_id, error=type(error).__name__)
            raise errors.misconfigured(said) from error
        # The record that was read before is better than a failed run.
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[agent_id] = time.monotonic() + KEPT_SECONDS, agent
    return agent


def is_kept(agent_id: str) -> bool:
    """Whether `record_of()` returns at once, and reads nothing."""
    return not agent_id or time.monotonic() < _kept.get(agent_id, (0.0, None))[0]


def forget() -> None:
    """Empty the cache of this process."""
    with _lock:
        _kept.clear()


@receiver([post_save, post_delete], sender=Agent)
def _forget_one(instance: Agent, **_: Any) -> None:
    with _lock:
        _kept.pop(str(instance.pk), None)


@cache
def configured() -> dict[str, Agent]:
    """Return the records that the settings list, by id.

    Raises:
        ImproperlyConfigured: the list cannot be read. The message says where and why.
    """
    name, entries = read_entries("AGENTS", "agents")
    found: dict[str, Agent] = {}
    for place, entry in enumerate(entries):
        agent = _agent(entry, f"{name}[{place}]")
        if agent.pk in found:
            raise ImproperlyConfigured(f"{name} has the id {agent.pk!r} twice.")
        found[agent.pk] = agent
    return found


def _agent(entry: Any, where: str) -> Agent:
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where} is no map with id, name and address.")
    if unknown := entry.keys() - KEYS.keys():
        raise ImproperlyConfigured(
            f"{where} has {', '.join(map(repr, sorted(map(str, unknown))))}: give some of "
            f"{', '.join(KEYS)}."
        )
    given = {name: value for name, value in entry.items() if value is not None}
    for name, value in given.items():
        if name in NUMBERS:
            if not isinstance(value, int) or isinstance(value, bool):
                raise ImproperlyConfigured(f"{where}.{name} is no whole number.")
        elif name in LISTS:
            if not isinstance(value, list):
                raise ImproperlyConfigured(f"{where}.{name} is no list of texts.")
        elif not isinstance(value, str):
            raise ImproperlyConfigured(f"{where}.{name} is no text: put it in quotes.")
    agent = Agent(**{KEYS[name]: value for name, value in given.items()})
    agent.is_configured = True
    try:
        agent.clean_fields()
        agent.clean()
    except ValidationError as error:
        raise ImproperlyConfigured(_message(error, where)) from error
    return agent


def _message(error: ValidationError, where: str) -> str:
    """Say what is wrong with an entry, with the names of its keys in the settings."""
    keys = {field: name for name, field in KEYS.items()}
    # For the log, which is in English, whoever asks.
    with translation.override("en"):
        found = error.message_dict.items()
    return "; ".join(f"{where}.{keys[field]}: {' '.join(texts)}" for field, texts in found)


def _forget_settings(*, setting: str, **_: Any) -> None:
    if setting in ("AGENTS_CONFIG", "AGENTS_FILE"):
        configured.cache_clear()
        forget()


setting_changed.connect(_forget_settings)
