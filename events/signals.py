"""Keep the rules of event sources in step with them, in the transaction that changes them."""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from events import rules
from events.buses import get_bus
from events.models import EventSource, save_failed


@receiver(post_save, sender=EventSource)
def follow_save(instance: EventSource, **_: Any) -> None:
    rules.follow(instance)


@receiver(post_delete, sender=EventSource)
def follow_delete(instance: EventSource, **_: Any) -> None:
    get_bus().drop(rules.name_of(instance.pk))


@receiver(save_failed, sender=EventSource)
def follow_failure(instance: EventSource, error: Exception, **_: Any) -> None:
    rules.restore(instance.pk, error)
