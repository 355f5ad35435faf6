"""Schedulers: that of the SCHEDULER setting for schedules, and that of rules for events."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from triggers.models import Trigger
from triggers.schedulers.base import Scheduler, SchedulerError
from triggers.schedulers.rules import RuleScheduler

__all__ = ["Scheduler", "SchedulerError", "all_schedulers", "get_scheduler", "scheduler_of"]


@cache
def get_scheduler() -> Scheduler:
    """The scheduler that the SCHEDULER setting names."""
    backend: type[Scheduler] = import_string(settings.SCHEDULER)
    return backend()


def all_schedulers() -> tuple[Scheduler, Scheduler]:
    """The scheduler of schedules and the one of rules."""
    return get_scheduler(), RuleScheduler()


def scheduler_of(trigger: Trigger) -> Scheduler:
    """The scheduler for a trigger of its type."""
    found = all_schedulers()
    return next((each for each in found if each.trigger_type == trigger.type), found[0])


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "SCHEDULER":
        get_scheduler.cache_clear()


setting_changed.connect(_forget)
