"""Keep the scheduler in step with the triggers, in the transaction that changes them."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from triggers.models import Trigger, TriggerCount
from triggers.reconcile import telling
from triggers.schedulers import all_schedulers


@receiver(post_save, sender=Trigger)
def follow_save(
    instance: Trigger, created: bool, update_fields: Collection[str] | None, **_: Any
) -> None:
    for scheduler in all_schedulers():
        if not (
            created or update_fields is None or scheduler.projected_fields & set(update_fields)
        ):
            continue
        if instance.type == scheduler.trigger_type:
            tell = scheduler.create if created else scheduler.update
            with telling(instance, scheduler):
                tell(instance)
        elif not created and scheduler.had(instance):
            with telling(instance, scheduler):
                scheduler.delete(instance.pk)


@receiver(post_delete, sender=Trigger)
def follow_delete(instance: Trigger, **_: Any) -> None:
    TriggerCount.objects.give_back(instance.user_id)
    for scheduler in all_schedulers():
        if scheduler.had(instance):
            with telling(instance, scheduler):
                scheduler.delete(instance.pk)
