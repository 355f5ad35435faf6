"""The scheduler that fires triggers, chosen by the SCHEDULER setting."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from triggers.schedulers.base import Scheduler, SchedulerError

__all__ = ["Scheduler", "SchedulerError", "get_scheduler"]


@cache
def get_scheduler() -> Scheduler:
    """The configured scheduler."""
    backend: type[Scheduler] = import_string(settings.SCHEDULER)
    return backend()


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "SCHEDULER":
        get_scheduler.cache_clear()


setting_changed.connect(_forget)
