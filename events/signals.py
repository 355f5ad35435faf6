"""Signal receivers of sources: each has its rule on the bus, and no process uses an old one."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from events import sources
from events.buses import EventBus, get_bus
from events.models import EventSource, SeenMessage
from events.rules import SourceRule, name_of, rule_of
from events.seen import Purpose
from moca.reconcile import writing


@receiver([post_save, post_delete], sender=EventSource)
def forget_source(instance: EventSource, **_: Any) -> None:
    """Have this process read the source again, for the messages to its address."""
    sources.forget(instance.pk)
    # A message may have read it before the commit.
    transaction.on_commit(partial(sources.forget, instance.pk))


@receiver(post_delete, sender=EventSource)
def remove_messages(instance: EventSource, **_: Any) -> None:
    """Remove what was seen of messages to the source."""
    for purpose in Purpose:
        rows = SeenMessage.objects.of(instance.pk, purpose)
        for pk in list(rows.values_list("pk", flat=True)):
            SeenMessage.objects.filter(pk=pk).delete()


@receiver(post_save, sender=EventSource)
def follow_save(instance: EventSource, **_: Any) -> None:
    rule, before = rule_of(instance), instance.loaded_value("bus_name")
    with _writing(instance) as bus:
        if rule is None or (before is not None and before != instance.bus_name):
            bus.replace(name_of(instance.pk), rule)
        else:
            bus.keep(rule)


@receiver(post_delete, sender=EventSource)
def follow_delete(instance: EventSource, **_: Any) -> None:
    with _writing(instance) as bus:
        bus.drop(name_of(instance.pk))


@contextmanager
def _writing(source: EventSource) -> Iterator[EventBus]:
    bus = get_bus()
    with writing(SourceRule(source.pk), is_transactional=bus.is_transactional):
        yield bus
