"""Chains of triggers: which trigger hears of the end of whose run, for runs, forms and pages.

The end of a run is an event of the source `moca.triggers`. A trigger hears it if its pattern names
that source itself. A pattern that only happens to match it, such as one with a prefix, does not
count: a trigger that listens to everything would start itself. A user's triggers hear only of the
runs of the same user.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.apps import apps
from django.conf import settings
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from events import sources
from events.models import EventSource
from events.patterns import Pattern, PatternError
from moca.kept import Kept
from triggers.validation import RUN_ENDS, Subscription, compiled, names_runs

# How long a process uses what it has read of the listeners.
KEPT_SECONDS = 10.0
# An owner with more listeners has all ends of runs published, without asking each listener.
MOST_ASKED = 100

COMPLETED, FAILED, TIMED_OUT = (
    "Execution Completed",
    "Execution Failed",
    "Execution Timed Out",
)
CANCELLED, UNKNOWN, INTERRUPTED = (
    "Execution Cancelled",
    "Execution Unknown",
    "Execution Interrupted",
)
# The `detail-type` of the end of a run by its outcome, one of `Outcome`. A run ends as missed if
# its turn did not come; others that are missed were never on record before. The names are written
# out, because the model needs this module.
DETAIL_TYPES = {
    "success": COMPLETED,
    "interrupted": INTERRUPTED,
    "timed_out": TIMED_OUT,
    "cancelled": CANCELLED,
    "unknown": UNKNOWN,
    "refused": FAILED,
    "limited": FAILED,
    "error": FAILED,
    "lost": FAILED,
    "over_budget": FAILED,
    "missed": FAILED,
}
KINDS = frozenset(DETAIL_TYPES.values())


# Parts of the end of a run that completed, for those who try a pattern or a prompt.
_EXAMPLE = {
    "triggerName": "Report",
    "executionId": "019b2f6e-5b5c-7c3e-9d0a-0c2f4a6e8b1d",
    "status": "completed",
    "outcome": "success",
    "durationMs": 5200,
    "output": '{"total": 12}',
    "value": {"total": 12},
    "chain": {"depth": 1, "root": "019b2f6e-5b5c-7c3e-9d0a-0c2f4a6e8b1d"},
}


def example_of(kind: str) -> dict[str, Any]:
    """Parts of the `detail` of an end of a run that has a `detail-type`, as an example."""
    if kind not in (FAILED, TIMED_OUT, CANCELLED, UNKNOWN):
        return dict(_EXAMPLE)
    outcome = next(each for each in ("error", *DETAIL_TYPES) if DETAIL_TYPES[each] == kind)
    error = {"code": outcome, "message": "The reason of the failure."}
    example = {**_EXAMPLE, "status": "failed", "outcome": outcome, "error": error}
    del example["value"]
    return {**example, "output": "What the agent had said."}


# What forms offer, each by the `detail-type`s that it stands for.
EITHER, ONLY_COMPLETED, ONLY_FAILED = (
    (COMPLETED, FAILED, TIMED_OUT),
    (COMPLETED,),
    (FAILED, TIMED_OUT),
)
KINDS_OFFERED = (ONLY_COMPLETED, ONLY_FAILED, EITHER)


def pattern_after(trigger_id: str, kinds: Iterable[str]) -> dict[str, Any]:
    """The pattern of the ends of a trigger's runs that are of these kinds."""
    return {
        "source": [RUN_ENDS],
        "detail-type": list(kinds),
        "detail": {"triggerId": [trigger_id]},
    }


def followed(pattern: Any) -> tuple[str, tuple[str, ...]] | None:
    """The trigger and the kinds of a pattern that `pattern_after()` has made; None for others."""
    try:
        (trigger_id,), kinds = pattern["detail"]["triggerId"], tuple(pattern["detail-type"])
    except (KeyError, TypeError, ValueError):
        return None
    is_made = isinstance(trigger_id, str) and pattern == pattern_after(trigger_id, kinds)
    return (trigger_id, kinds) if is_made and kinds in KINDS_OFFERED else None


def follows(subscription: Subscription) -> tuple[str, tuple[str, ...]] | None:
    """The trigger and the kinds of the ends that a subscription asks for and nothing else.

    None for other events, and for a bus on which there are no ends of runs.
    """
    pattern = subscription.pattern
    if subscription.source_id or pattern is None or subscription.bus != settings.EVENT_BUS_NAME:
        return None
    return followed(pattern.document)


class Trigger(Protocol):
    """What this module knows of the model, which needs it to find loops."""

    pk: Any
    user_id: str
    name: str
    agent_id: str
    tags: Any
    enabled: bool
    hears_runs: bool
    event_config: Any

    @property
    def subscription(self) -> Subscription | None: ...


def _rows() -> Any:
    return apps.get_model("triggers.Trigger")._default_manager


def kind_of(outcome: str) -> str:
    """The `detail-type` of the end of a run with an outcome."""
    return DETAIL_TYPES.get(str(outcome), FAILED)


@dataclass(frozen=True, slots=True)
class Listener:
    """A trigger that hears of the ends of runs.

    Attributes:
        trigger: the trigger.
        patterns: what an end has to match: its own pattern, and that of its event source.
    """

    trigger: Trigger
    patterns: tuple[Pattern, ...]

    def may_hear(self, other: Trigger, outcome: str = "") -> bool:
        """Whether it may hear of the end of a run of another trigger, or of its own.

        Args:
            other: the trigger that runs.
            outcome: how the run ended; empty for any outcome.
        """
        if other.user_id != self.trigger.user_id:
            return False
        outcomes = [outcome] if outcome else [*DETAIL_TYPES]
        return any(
            all(pattern.may_match(known) for pattern in self.patterns)
            for known in (_known(other, each) for each in outcomes)
        )


def _known(trigger: Trigger, outcome: str) -> dict[str, Any]:
    """What is known of the end of each run of a trigger that has an outcome."""
    is_good = kind_of(outcome) in (COMPLETED, INTERRUPTED)
    return {
        "source": RUN_ENDS,
        "detail-type": kind_of(outcome),
        "detail": {
            "triggerId": trigger.pk,
            "triggerName": trigger.name,
            "userId": trigger.user_id,
            "agentId": trigger.agent_id,
            "tags": trigger.tags if isinstance(trigger.tags, list) else [],
            "status": "completed" if is_good else "failed",
            "outcome": outcome,
        },
    }


# Who listens


@dataclass(frozen=True, slots=True)
class _Heard:
    """Who hears of the ends of runs: the listeners by owner, and whether a source hears of all."""

    by_owner: Mapping[str, tuple[Listener, ...]]
    by_source: bool


def _read() -> _Heard:
    found: dict[str, tuple[Listener, ...]] = {}
    for trigger in _rows().hearing_runs().filter(enabled=True).iterator():
        if listener := listener_of(trigger, ()):
            found[trigger.user_id] = (*found.get(trigger.user_id, ()), listener)
    return _Heard(found, any(True for _ in _run_sources()))


_heard = Kept(_read, KEPT_SECONDS)


def forget() -> None:
    """Have this process read again who listens."""
    _heard.forget()


def know_none() -> None:
    """Have this process know, for KEPT_SECONDS, that nobody listens; for tests."""
    _heard.put(_Heard({}, False))


@receiver([post_save, post_delete], sender="triggers.Trigger")
def _forget_listener(instance: Any, **_: Any) -> None:
    if instance.hears_runs or instance.loaded_value("hears_runs"):
        forget()


@receiver([post_save, post_delete], sender=EventSource)
def _forget_source(instance: EventSource, **_: Any) -> None:
    if names_runs(instance.pattern) or names_runs(instance.loaded_value("pattern")):
        forget()


def is_heard(trigger: Trigger, outcome: str) -> bool:
    """Whether somebody may hear of the end of a run; no query while what is known is fresh."""
    heard = _heard.get()
    if heard.by_source:
        return True
    listeners = heard.by_owner.get(trigger.user_id, ())
    if len(listeners) > MOST_ASKED:
        return True
    return any(each.may_hear(trigger, outcome) for each in listeners)


def writes_of_a_run() -> int:
    """How many writes the end of one run may add to a transaction."""
    heard = _heard.get()
    return 1 if heard.by_owner or heard.by_source else 0


def takes(trigger: Trigger, subscription: Subscription, event: Mapping[str, Any]) -> bool:
    """Whether a trigger may be told an event, if that is the end of a run; others it may.

    It may hear of the runs of its own user, and only if its pattern or its source's names them.
    """
    if event.get("source") != RUN_ENDS:
        return True
    detail = event.get("detail")
    owner = detail.get("userId") if isinstance(detail, Mapping) else None
    if owner != trigger.user_id:
        return False
    if not subscription.source_id:
        return subscription.names_runs
    source = sources.find(subscription.source_id)
    return source is not None and _is_run_source(source)


# The graph of a user's triggers


def listener_of(trigger: Trigger, of_runs: Iterable[EventSource]) -> Listener | None:
    """The trigger as one that hears of the ends of runs; None if it does not.

    Args:
        trigger: the trigger, enabled or not.
        of_runs: the event sources whose patterns name the ends of runs.
    """
    subscription = trigger.subscription
    if subscription is None:
        return None
    own = subscription.pattern
    if not subscription.source_id:
        if own is None or subscription.bus != settings.EVENT_BUS_NAME:
            return None
        return Listener(trigger, (own,)) if names_runs(own.document) else None
    for source in of_runs:
        if source.pk == subscription.source_id:
            of_source = compiled(json.dumps(source.pattern))
            return Listener(trigger, (of_source, own) if own else (of_source,))
    return None


def listeners_of(user_id: str) -> list[Listener]:
    """All triggers of a user that hear of the ends of runs, enabled or not."""
    of_runs = list(_run_sources())
    rows = list(_rows().of_user(user_id).hearing_runs())
    for source in of_runs:
        own = {"user_id": user_id, "event_config__eventSourceId": source.pk}
        rows += _rows().events().filter(**own)
    return [found for row in rows if (found := listener_of(row, of_runs))]


def as_listener(trigger: Trigger) -> Listener | None:
    """The trigger as a listener, by the sources as they are; None if it hears of no run."""
    subscription = trigger.subscription
    source_id = subscription.source_id if subscription else ""
    source = sources.find(source_id) if source_id else None
    return listener_of(trigger, [source] if source and _is_run_source(source) else [])


def loop_of(trigger: Trigger, others: Iterable[Listener] | None = None) -> list[Trigger]:
    """The triggers of a loop that a trigger would close, itself first; empty if there is none.

    Args:
        trigger: the trigger as it is to be saved.
        others: the other listeners of its user; None to read them.
    """
    own = as_listener(trigger)
    if own is None:
        return []
    if own.may_hear(trigger):
        return [trigger]
    if others is None:
        others = listeners_of(trigger.user_id)
    listeners = [each for each in others if each.trigger.pk != trigger.pk] + [own]
    # Breadth first, for the shortest loop. Each knows from whom it was reached.
    came_from: dict[str, Trigger] = {}
    pending = [trigger]
    for one in pending:
        for listener in listeners:
            other = listener.trigger
            if other.pk in came_from or not listener.may_hear(one):
                continue
            came_from[other.pk] = one
            if other.pk == trigger.pk:
                return _way_back(trigger, came_from)
            pending.append(other)
    return []


def _way_back(trigger: Trigger, came_from: Mapping[str, Trigger]) -> list[Trigger]:
    way = [came_from[trigger.pk]]
    while way[-1].pk != trigger.pk:
        way.append(came_from[way[-1].pk])
    return way[::-1]


def starts_then(trigger: Trigger) -> list[Any]:
    """The triggers that the ends of a trigger's runs may start, as they were kept at most
    KEPT_SECONDS ago; disabled ones are not among them.
    """
    heard = _heard.get()
    if heard.by_source:
        found = [each for each in listeners_of(trigger.user_id) if each.trigger.enabled]
    else:
        found = list(heard.by_owner.get(trigger.user_id, ()))
    return [each.trigger for each in found if each.may_hear(trigger)]


def starts_after(trigger: Trigger) -> list[Any]:
    """The triggers whose runs' ends may start a trigger; no query if it hears of no run."""
    if not (trigger.hears_runs or (trigger.event_config or {}).get("eventSourceId")):
        return []
    own = as_listener(trigger)
    if own is None:
        return []
    rows = _rows().of_user(trigger.user_id).order_by("-pk")
    return [row for row in rows if own.may_hear(row)]


def _run_sources() -> Iterator[EventSource]:
    """The event sources of a bus whose patterns name the ends of runs."""
    return (source for source in sources.all_sources() if _is_run_source(source))


def _is_run_source(source: EventSource) -> bool:
    if source.has_address or source.bus != settings.EVENT_BUS_NAME:
        return False
    try:
        return names_runs(source.pattern) and compiled(json.dumps(source.pattern)) is not None
    except PatternError:
        return False
