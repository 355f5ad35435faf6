"""Returns the event bus that publishes received events, chosen by the setting EVENT_BUS."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from events.buses.base import BusError, EventBus, Rule

__all__ = ["BusError", "EventBus", "Rule", "get_bus"]


@cache
def get_bus() -> EventBus:
    """Return the event bus of the settings."""
    backend: type[EventBus] = import_string(settings.EVENT_BUS)
    return backend()


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "EVENT_BUS":
        get_bus.cache_clear()


setting_changed.connect(_forget)
