"""Finds the rules that want a happening. Each process keeps the rules for some seconds.

A change of a rule therefore takes effect in all processes within half a minute.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from alerts.happenings import Happening
from alerts.models import Rule
from moca.kept import Kept

# For how long a process uses the rules that it has read.
KEPT_SECONDS = 20.0
# The rules that count; others stay unused.
MOST_RULES = 200

# A rule hears again of a trigger that keeps failing at ten times as many failures in a row.
AGAIN = 10


class Trigger(Protocol):
    """What this app knows of a trigger; that app's model has it."""

    pk: Any
    user_id: str
    name: str
    tags: Any


def _read() -> Sequence[Rule]:
    return tuple(rule for rule in Rule.objects.all()[:MOST_RULES] if rule.enabled)


_rules = Kept(_read, KEPT_SECONDS)


def current() -> Sequence[Rule]:
    """The rules that are switched on, at most KEPT_SECONDS old."""
    return _rules.get()


def forget() -> None:
    """Have this process read the rules again."""
    _rules.forget()


def know_none() -> None:
    """Have this process know, for KEPT_SECONDS, that there are no rules; for tests."""
    _rules.put(())


@receiver([post_save, post_delete], sender=Rule)
def _forget(**_: Any) -> None:
    forget()


def wanting(happening: Happening, trigger: Trigger | None, params: Mapping[str, Any]) -> list[Rule]:
    """The rules that want a happening; no query while the rules are fresh.

    Args:
        happening: what happened.
        trigger: the trigger that it happened to; None for the installation.
        params: the happening's parameters.
    """
    return [
        rule
        for rule in current()
        if happening in rule.kinds
        and _is_about(rule, trigger)
        and _is_reached(rule, happening, params.get("number"))
    ]


def _is_about(rule: Rule, trigger: Trigger | None) -> bool:
    if trigger is None:
        return not (rule.tag or rule.trigger_id)
    if rule.trigger_id and rule.trigger_id != trigger.pk:
        return False
    tags = trigger.tags if isinstance(trigger.tags, list) else []
    return not rule.tag or rule.tag.lower() in (str(tag).lower() for tag in tags)


def _is_reached(rule: Rule, happening: Happening, number: Any) -> bool:
    """Whether there were as many failures in a row as the rule waits for."""
    if not isinstance(number, int):
        return True
    if happening == Happening.FAILING:
        # Once, and again at ten times as many, at a hundred times as many and so on.
        reached = rule.after_failures
        while reached < number:
            reached *= AGAIN
        return reached == number
    if happening in (Happening.FAILED, Happening.RECOVERED):
        return number >= rule.after_failures
    return True
