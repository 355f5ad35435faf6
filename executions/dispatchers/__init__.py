"""Dispatch queued runs to the process that runs them; the DISPATCHER setting chooses the way."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from executions.dispatchers.base import Dispatcher, DispatchError

__all__ = ["DispatchError", "Dispatcher", "get_dispatcher"]


@cache
def get_dispatcher() -> Dispatcher:
    """The dispatcher that the settings name."""
    backend: type[Dispatcher] = import_string(settings.DISPATCHER)
    return backend()


def _reset(*, setting: str, **_: Any) -> None:
    if setting == "DISPATCHER":
        get_dispatcher.cache_clear()


setting_changed.connect(_reset)
