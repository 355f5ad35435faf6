"""Keep the rules of event sources equal to them, in the transaction that changes them."""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from events import rules
from events.models import EventSource


@receiver(post_save, sender=EventSource)
def follow_save(instance: EventSource, **_: Any) -> None:
    rules.follow_save(instance)


@receiver(post_delete, sender=EventSource)
def follow_delete(instance: EventSource, **_: Any) -> None:
    rules.follow_delete(instance)
