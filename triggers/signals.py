"""Keep the scheduler in step with the triggers, in the transaction that changes them."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from triggers.models import Trigger, TriggerCount, TriggerType
from triggers.schedulers import get_scheduler
from triggers.synchronization import note_told


@receiver(post_save, sender=Trigger)
def follow_save(
    instance: Trigger, created: bool, update_fields: Collection[str] | None, **_: Any
) -> None:
    scheduler = get_scheduler()
    if created:
        if instance.type == TriggerType.SCHEDULE:
            note_told(instance)
            scheduler.create(instance)
    elif update_fields is None or scheduler.projected_fields & set(update_fields):
        if instance.type == TriggerType.SCHEDULE:
            note_told(instance)
            scheduler.update(instance)
        elif instance.loaded_value("type") == TriggerType.SCHEDULE:
            note_told(instance)
            scheduler.delete(instance.pk)


@receiver(post_delete, sender=Trigger)
def follow_delete(instance: Trigger, **_: Any) -> None:
    TriggerCount.objects.give_back(instance.user_id)
    if instance.type == TriggerType.SCHEDULE:
        note_told(instance)
        get_scheduler().delete(instance.pk)
