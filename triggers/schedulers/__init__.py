"""Who fires triggers: the scheduler, chosen by the SCHEDULER setting, and the rules of events."""

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
    """The configured scheduler."""
    backend: type[Scheduler] = import_string(settings.SCHEDULER)
    return backend()


def all_schedulers() -> tuple[Scheduler, Scheduler]:
    """The scheduler, and that which keeps rules for triggers with a pattern of their own."""
    return get_scheduler(), RuleScheduler()


def scheduler_of(trigger: Trigger) -> Scheduler:
    """Who fires a trigger."""
    found = all_schedulers()
    return next((each for each in found if each.trigger_type == trigger.type), found[0])


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "SCHEDULER":
        get_scheduler.cache_clear()


setting_changed.connect(_forget)
