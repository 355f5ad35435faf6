"""Fan an event out to all triggers that match it, each with a run of its own.

On AWS a rule delivers the event, and names its source or its trigger (`deliver()`). On one machine
the local scheduler process matches the events that came in at sources' addresses, as an event bus
does: with the sources and triggers of the same bus (`distribute()`).
"""

import hashlib
import json
import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, connections

from alerts import outbox
from events import provenance, sources
from events.models import EventSource, EventState, ReceivedEvent
from events.patterns import Pattern, PatternError, TooMuchWorkError, Work
from executions.failures import TOO_DEEP, TOO_MUCH_WORK, TOO_MUCH_WORK_FOR_SOURCE
from executions.runner import Offer, batch_size, ends, offer
from moca.concurrency import ConflictError
from moca.sentences import Reason
from triggers import chains
from triggers.models import Trigger
from triggers.validation import Subscription, compiled

logger = logging.getLogger(__name__)

# To how many triggers an event is offered at the same time.
CONCURRENCY = 8
# How many writes a transaction makes for each offer, at the most.
WRITES = 4
# After so many offers, the scheduler process goes back to its schedules.
MOST_OFFERS = 500
# The process also goes back after so many steps of patterns, some 0.2 s. Any user may write a slow
# pattern, which must not delay the schedules of others.
MOST_STEPS = 500_000
# What asking one listener costs beside its pattern, in steps.
LISTENER_STEPS = 20

Event = dict[str, Any]


def deliver(
    event: Event,
    triggers: Sequence[Trigger],
    event_id: str,
    at: datetime,
    earlier_at: datetime | None = None,
) -> list[str]:
    """Offer an event that a rule delivered to triggers. A failure of one stops no other.

    Args:
        event: the EventBridge envelope.
        triggers: the triggers that the rule belongs to.
        event_id: the event's id, which is the same for each delivery.
        at: when it happened, which is the same for each delivery.
        earlier_at: the other time that an earlier delivery may have had.

    Returns:
        The ids of the triggers for which it failed. Deliver the event to them again.
    """
    asked = [(trigger, _match(trigger, trigger.subscription, event)) for trigger in triggers]
    offers = [
        Offer.of(trigger, event, event_id, at, earlier_at, answer.refusal)
        for trigger, answer in asked
        if trigger.enabled and answer.matches
    ]
    if len(offers) == 1:
        return [one.trigger_id for one in offers if not _try_offer(one)]
    with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="deliver") as pool:
        # Each thread has the context of this one, so that its log lines have the request's id.
        done = [pool.submit(copy_context().run, _try_in_thread, one) for one in offers]
        return [one.trigger_id for one, each in zip(offers, done, strict=True) if not each.result()]


@dataclass(frozen=True, slots=True)
class _Match:
    """Whether a trigger is offered an event, and why it has to drop it, if it has to."""

    matches: bool
    refusal: Reason | None = None


def _match(
    trigger: Trigger, subscription: Subscription | None, event: Event, work: Work | None = None
) -> _Match:
    """Match an event with a trigger's pattern. If that is too much work, the trigger drops it."""
    if subscription is None or not chains.takes(trigger, subscription, event):
        return _Match(False)
    try:
        matches = subscription.takes(event, work)
    except TooMuchWorkError as error:
        logger.error("An event was dropped: %s", error, extra={"triggerId": trigger.pk})
        return _Match(True, TOO_MUCH_WORK())
    if matches and (depth := ends.too_deep(event)):
        return _Match(True, TOO_DEEP(depth=depth, most=settings.CHAIN_DEPTH_LIMIT))
    return _Match(matches)


def _try_offer(one: Offer) -> bool:
    """Make an offer; False if it fails, which is logged."""
    try:
        offer([one])
    except Exception:
        logger.exception("The event could not be delivered", extra={"triggerId": one.trigger_id})
        return False
    return True


def _try_in_thread(one: Offer) -> bool:
    """Make an offer in a thread, which has a database connection of its own."""
    try:
        return _try_offer(one)
    finally:
        connections.close_all()


@dataclass(frozen=True, slots=True)
class _Listener:
    """A trigger and its subscription, which is parsed once for many events."""

    trigger: Trigger
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class _Asked:
    """The answer of one pattern.

    Attributes:
        steps: how many steps it took.
        trigger: the trigger that is offered the event; None if it does not match.
        refusal: why the trigger has to drop the event; None if it need not.
    """

    steps: int
    trigger: Trigger | None = None
    refusal: Reason | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """All that listens on this machine."""

    of_source: Mapping[str, Sequence[_Listener]]
    of_bus: Mapping[str, Sequence[_Listener]]
    sources: Sequence[tuple[EventSource, Pattern | None]]

    @classmethod
    def load(cls) -> "Listeners":
        """Read all enabled event triggers and all sources."""
        of_source: dict[str, list[_Listener]] = {}
        of_bus: dict[str, list[_Listener]] = {}
        for trigger in Trigger.objects.events().filter(enabled=True).order_by("-pk").iterator():
            subscription = trigger.subscription
            if subscription is None:
                continue
            listener = _Listener(trigger, subscription)
            if subscription.source_id:
                of_source.setdefault(subscription.source_id, []).append(listener)
            else:
                of_bus.setdefault(_bus(subscription.bus_name), []).append(listener)
        return cls(of_source, of_bus, list(_sources()))

    def ask(self, row: ReceivedEvent, event: Event) -> Iterator[_Asked]:
        """Match an event that came in at a source's address with all listeners, one by one."""
        came_at = next((source for source, _ in self.sources if source.pk == row.source_id), None)
        bus = _bus(came_at.bus_name if came_at else "")
        listeners = list(self.of_bus.get(bus, ()))
        for source, pattern in self.sources:
            is_here = source.pk == row.source_id if source.has_address else True
            if not is_here or _bus(source.bus_name) != bus:
                continue
            of_source, work = self.of_source.get(source.pk, ()), Work()
            try:
                if of_source and _lets_through(source, pattern, event, work):
                    listeners += of_source
            except TooMuchWorkError as error:
                logger.error("An event was dropped for the source %s: %s", source.pk, error)
                for listener in of_source:
                    yield _Asked(0, listener.trigger, TOO_MUCH_WORK_FOR_SOURCE())
            yield _Asked(LISTENER_STEPS + work.done)
        for listener in listeners:
            work = Work()
            answer = _match(listener.trigger, listener.subscription, event, work)
            trigger = listener.trigger if answer.matches else None
            yield _Asked(LISTENER_STEPS + work.done, trigger, answer.refusal)


class _Matching:
    """One event, and how many of its listeners have been asked."""

    def __init__(self, row: ReceivedEvent, listeners: Listeners) -> None:
        self.row = row
        self.offers: list[Offer] = []
        self._event: Event = json.loads(row.envelope)
        self._asked = listeners.ask(row, self._event)

    def go_on(self, most: float) -> tuple[bool, int]:
        """Ask further listeners, until so many steps are used up.

        Returns:
            Whether all were asked, and how many steps that took.
        """
        steps, row = 0, self.row
        for asked in self._asked:
            steps += asked.steps
            if asked.trigger:
                self.offers.append(
                    Offer.of(
                        asked.trigger,
                        self._event,
                        row.pk,
                        row.received_at,
                        refusal=asked.refusal,
                        trace_context=row.trace_context,
                    )
                )
            if steps >= most:
                return False, steps
        return True, steps


class Distributor:
    """Offers received events to all their listeners, one slice of the work at a time.

    Args:
        most_steps: how many steps of patterns a slice may take.
    """

    def __init__(self, most_steps: float = MOST_STEPS) -> None:
        self._most_steps = most_steps
        # The event whose listeners were not all asked when the last slice ended.
        self._begun: _Matching | None = None

    def distribute(self, rows: Sequence[ReceivedEvent]) -> int:
        """Offer events that were received on this machine, each event once.

        An event that cannot be read is marked as failed.

        Args:
            rows: queued events, the longest waiting first.

        Returns:
            How many of them are done. Call this again with the others.

        Raises:
            OperationalError: the database is away.
        """
        listeners: Listeners | None = None
        waiting: list[tuple[ReceivedEvent, list[Offer]]] = []
        made, left = 0, self._most_steps
        for place, row in enumerate(rows):
            matching, self._begun = self._begun, None
            try:
                if matching is None or matching.row.pk != row.pk:
                    listeners = listeners or Listeners.load()
                    matching = _Matching(row, listeners)
                is_whole, steps = matching.go_on(left)
            except OperationalError:
                raise
            except Exception:
                logger.exception("An event could not be read; going on without it")
                _mark_failed(row)
                continue
            left -= steps
            if not is_whole:
                self._begun = matching
                _offer_all(waiting)
                return place
            made += len(matching.offers) + 1
            waiting.append((row, matching.offers))
            if sum(len(some) + 1 for _, some in waiting) >= _batch_size():
                _offer_all(waiting)
                waiting = []
            if made >= MOST_OFFERS:
                _offer_all(waiting)
                return place + 1
        _offer_all(waiting)
        return len(rows)


def distribute(rows: Sequence[ReceivedEvent]) -> int:
    """Offer events to all their listeners, however much work that is; see `Distributor`."""
    return Distributor(math.inf).distribute(rows)


def _batch_size() -> int:
    """How many offers are made in one transaction."""
    return batch_size(WRITES + outbox.writes_of_a_run())


def _offer_all(waiting: Sequence[tuple[ReceivedEvent, list[Offer]]]) -> None:
    """Offer several events in one transaction, or one by one if that fails."""
    if not waiting:
        return
    size = _batch_size()
    offers = [one for _, some in waiting for one in some]
    try:
        # What is too much for one transaction goes first. If it is offered again, its runs are on
        # record.
        while len(offers) > size:
            offer(offers[:size])
            offers = offers[size:]
        offer(offers, claim=partial(_claim, waiting))
    except Exception as error:
        if isinstance(error, OperationalError) and not isinstance(error, ConflictError):
            raise
        if len(waiting) > 1:
            for one in waiting:
                _offer_all([one])
        elif isinstance(error, ConflictError):
            logger.info("Another process has the event")
        else:
            _offer_singly(*waiting[0])


def _offer_singly(row: ReceivedEvent, offers: Sequence[Offer]) -> None:
    """Offer an event to its triggers one by one, so that a failure of one stops no other.

    This also helps if many large records are too much for one transaction.
    """
    state = EventState.DONE
    for one in offers:
        try:
            offer([one])
        except ConflictError:
            # The event stays queued. The triggers that have its run on record deduplicate it.
            return
        except OperationalError:
            raise
        except Exception:
            ids = {"triggerId": one.trigger_id}
            logger.exception("The event could not be delivered; going on without it", extra=ids)
            state = EventState.FAILED
    queued = ReceivedEvent.objects.filter(pk=row.pk, state=EventState.QUEUED)
    queued.update(state=state, triggers=len(offers))


def _claim(waiting: Sequence[tuple[ReceivedEvent, list[Offer]]]) -> None:
    """Mark the events as done; ConflictError if another process has."""
    ids: dict[int, list[str]] = defaultdict(list)
    for row, offers in waiting:
        ids[len(offers)].append(row.pk)
    for triggers, some in ids.items():
        queued = ReceivedEvent.objects.filter(pk__in=some, state=EventState.QUEUED)
        queued.update_expected(state=EventState.DONE, triggers=triggers, rows=len(some))


def _mark_failed(row: ReceivedEvent) -> None:
    """Mark an event as failed, so that it stops no others. Its source's page shows it."""
    ReceivedEvent.objects.filter(pk=row.pk, state=EventState.QUEUED).update(state=EventState.FAILED)


def _bus(name: str) -> str:
    return name or str(settings.EVENT_BUS_NAME)


def _sources() -> Iterator[tuple[EventSource, Pattern | None]]:
    """All sources with their patterns, without those whose pattern cannot be read."""
    for source in sources.all_sources():
        try:
            pattern = None if source.pattern is None else compiled(json.dumps(source.pattern))
        except PatternError as error:
            logger.error("The source %s has a pattern that cannot be read: %s", source.pk, error)
        else:
            yield source, pattern


def _lets_through(source: EventSource, pattern: Pattern | None, event: Event, work: Work) -> bool:
    if pattern is not None:
        return pattern.matches(event, work)
    # A source that has neither an address nor a pattern gets its events by other programs' rules.
    return source.has_address


def event_key(event: Event) -> str:
    """The key that deduplicates an event which a rule delivered; empty if the event has no id.

    It is the id in our tag or, if there is none, EventBridge's. Operators replay archived events to
    run them again, so the name of the replay is a part of the key ("Archiving and replaying events
    in Amazon EventBridge" in its User Guide).
    """
    key = provenance.event_id(event) or str(event.get("id", ""))
    replay = event.get("replay-name")
    return hashlib.sha256(f"{key} {replay}".encode()).hexdigest() if key and replay else key
