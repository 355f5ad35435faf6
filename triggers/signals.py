"""Signal receivers that write counts, schedules and rules when a trigger is saved or deleted.

They run in the transaction that changes the trigger.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from moca.reconcile import writing
from triggers import agent_keys, fire_tokens, pauses
from triggers.models import Trigger, TriggerCount
from triggers.reconcile import TriggerProjection
from triggers.schedulers import Scheduler, all_schedulers


@receiver(post_save, sender=Trigger)
def follow_save(
    instance: Trigger, created: bool, update_fields: Collection[str] | None, **_: Any
) -> None:
    """Count a new trigger, and write its schedule or rule if a field of it has changed."""
    _count_owner(instance, created=created)
    pauses.follow_change(instance, timezone.now())
    writes_all = created or update_fields is None
    for scheduler in all_schedulers():
        if not (writes_all or scheduler.projected_fields & set(update_fields or ())):
            continue
        if instance.type == scheduler.trigger_type:
            with _writing(instance, scheduler):
                (scheduler.create if created else scheduler.update)(instance)
        elif not created and scheduler.had(instance):
            with _writing(instance, scheduler):
                scheduler.delete(instance.pk, scheduler.count_of(instance))


@receiver(post_delete, sender=Trigger)
def follow_delete(instance: Trigger, **_: Any) -> None:
    """Count a deleted trigger, and delete its fire token and its schedule or rule."""
    TriggerCount.objects.release(instance.user_id)
    fire_tokens.forget(instance)
    agent_keys.count_deleted(instance)
    for scheduler in all_schedulers():
        if scheduler.had(instance):
            with _writing(instance, scheduler):
                scheduler.delete(instance.pk, scheduler.count_of(instance))


def _count_owner(trigger: Trigger, *, created: bool) -> None:
    """Correct the counts of users for a new trigger, or for one that gets another owner.

    Raises:
        ConflictError: the user has reached the quota.
    """
    before = None if created else trigger.loaded_value("user_id")
    if before == trigger.user_id:
        return
    TriggerCount.objects.reserve(trigger.user_id)
    if before is not None:
        TriggerCount.objects.release(before)


def _writing(trigger: Trigger, scheduler: Scheduler) -> AbstractContextManager[None]:
    """Register the write of a projection, so that a failed transaction restores it."""
    projection = TriggerProjection.of(trigger, scheduler)
    return writing(projection, is_transactional=scheduler.is_transactional)
