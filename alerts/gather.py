"""Gathers happenings into messages: one message of a rule, however many happenings there were.

A happening goes from the outbox into the bundle of each rule that wants it. The bundle becomes a
delivery once nothing more comes in for some seconds, the rule's pause is over for the trigger, and
no quiet hours are on. Both steps are transactions, and each row has a condition, so that any number
of processes may gather and none counts a happening twice.

`Bundle.held` is `{"groups": {KEY: GROUP}, "more": NUMBER}`. A group has the happenings of one kind
at one trigger: `kind`, `triggerId`, `triggerName`, `userId`, `count`, `firstAt`, `lastAt`, and
`executionId`, `params` and `output` of the last one. `more` counts what is in no group, because
there are too many. `Delivery.contents` has the same, with the groups in a list.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from alerts.failures import CHANNEL_IS_OFF, NO_CHANNEL, OWN_WORDS
from alerts.happenings import Happening
from alerts.models import (
    KEPT,
    Bundle,
    Channel,
    Delivery,
    DeliveryState,
    Happened,
    HappenedState,
    Rule,
)
from alerts.quiet import end_of_quiet
from moca import reasons
from moca.concurrency import ConflictError

logger = logging.getLogger(__name__)

# A message waits until no happening has come for so long, but not longer than LONGEST in all.
SETTLE = timedelta(seconds=10)
LONGEST = timedelta(seconds=90)
# Happenings that one call gathers, and those of one transaction, if the database sets no limit.
MOST = 5000
BATCH = 500
# The bundles that one transaction writes, if the database limits it. Each may have 100 kB.
MOST_BUNDLES = 40
# The groups of a bundle. A happening beyond them is only counted.
MOST_GROUPS = 50
# The triggers that a bundle remembers to have told about. Beyond them, the rule pauses for all.
MOST_TOLD = 1000
# The key in `Bundle.told` for all triggers, after a message that could not name them all.
ALL = "*"
# The key in stored parameters that has the agent's own words; see `agents.errors`.
QUOTED = "quoted"


def gather() -> int:
    """Move the happenings of the outbox into bundles; returns how many there were."""
    rules = {rule.pk: rule for rule in Rule.objects.all()}
    moved = 0
    while moved < MOST:
        rows = list(Happened.objects.waiting()[: _batch_size()])
        if not rows:
            break
        try:
            with transaction.atomic():
                moved += _fold(rows, rules)
        except (ConflictError, IntegrityError):
            # Another process gathers the same ones.
            break
    return moved


def _batch_size() -> int:
    most = _most_writes()
    # Half of a transaction is for the rules' bundles.
    return BATCH if most is None else most // 2


def _most_writes() -> int | None:
    most: int | None = getattr(connection.features, "max_transaction_items", None)
    return most


def _fold(rows: Sequence[Happened], rules: dict[str, Rule]) -> int:
    """Count happenings in the bundles of their rules, in the open transaction.

    Returns:
        How many happenings are gathered: as many as one transaction takes. It is 0 if one happening
        has so many rules that the others of them gather it in the next.
    """
    taken, wanting = _that_fit(rows, rules)
    bundles = {rule_id: _bundle_of(rule_id) for rule_id in wanting}
    for row in taken:
        for rule_id in row.rules:
            if rule_id in bundles:
                _hold(bundles[rule_id].held, row, rules[rule_id])
    for rule_id, bundle in bundles.items():
        bundle.due_at = due_at(bundle, rules[rule_id])
        _write(bundle)
    left = [rule_id for rule_id in taken[0].rules if rule_id in rules and rule_id not in bundles]
    if left:
        same = Happened.objects.filter(
            pk=taken[0].pk, state=HappenedState.WAITING, rules=taken[0].rules
        )
        same.update_expected(rules=left)
        return 0
    ids = [row.pk for row in taken]
    waiting = Happened.objects.filter(pk__in=ids, state=HappenedState.WAITING)
    waiting.update_expected(state=HappenedState.DONE, rows=len(ids))
    return len(ids)


def _that_fit(
    rows: Sequence[Happened], rules: dict[str, Rule]
) -> tuple[Sequence[Happened], list[str]]:
    """The first happenings that one transaction takes, and the rules whose bundles it writes.

    A happening that has too many rules is alone, with the first of them.
    """
    most = _most_writes()
    taken: list[Happened] = []
    wanting: dict[str, None] = {}
    for row in rows:
        more = wanting | dict.fromkeys(rule_id for rule_id in row.rules if rule_id in rules)
        if most is not None and (len(more) > MOST_BUNDLES or len(taken) + len(more) >= most):
            break
        taken.append(row)
        wanting = more
    if taken:
        return taken, list(wanting)
    known = [rule_id for rule_id in rows[0].rules if rule_id in rules]
    return rows[:1], known[:MOST_BUNDLES]


def _bundle_of(rule_id: str) -> Bundle:
    return Bundle.objects.filter(pk=rule_id).first() or Bundle(rule_id=rule_id)


def _write(bundle: Bundle) -> None:
    """Store a bundle; ConflictError or IntegrityError if another process has written it."""
    before, bundle.changes = bundle.changes, bundle.changes + 1
    if not before:
        bundle.save(force_insert=True)
        return
    same = Bundle.objects.filter(pk=bundle.pk, changes=before)
    same.update_expected(
        held=bundle.held, told=bundle.told, due_at=bundle.due_at, changes=bundle.changes
    )


def _hold(held: dict[str, Any], row: Happened, rule: Rule) -> None:
    groups = held.setdefault("groups", {})
    key = f"{row.kind} {row.trigger_id}"
    group = groups.get(key)
    if group is None:
        if len(groups) >= MOST_GROUPS:
            held["more"] = held.get("more", 0) + 1
            return
        group = groups[key] = {
            "kind": str(row.kind),
            "triggerId": row.trigger_id,
            "triggerName": row.trigger_name,
            "userId": row.user_id,
            "count": 0,
            "firstAt": row.at.isoformat(),
        }
    group["count"] += 1
    group["lastAt"] = row.at.isoformat()
    group["executionId"] = row.execution_id
    group["params"] = row.params if rule.includes_output else without_quotes(row.params)
    group["output"] = row.output if rule.includes_output else ""


def without_quotes(value: Any) -> Any:
    """Stored parameters without what they quote of an agent."""
    if isinstance(value, list):
        kept = (each for each in value if not _is_quote(each))
        return [without_quotes(each) for each in kept]
    if not isinstance(value, dict):
        return value
    if _is_quote(value) and "code" in value:
        return {"code": OWN_WORDS.name, "params": {}}
    return {name: without_quotes(each) for name, each in value.items() if name != QUOTED}


def _is_quote(value: Any) -> bool:
    params = value.get("params") if isinstance(value, dict) else None
    return isinstance(params, dict) and QUOTED in params


def due_at(bundle: Bundle, rule: Rule) -> datetime | None:
    """When the message of a bundle is due; None if it holds nothing."""
    groups = list(bundle.held.get("groups", {}).values())
    if not groups:
        return None
    moments, free = [], []
    for group in groups:
        moment = _free_at(bundle, rule, group)
        if moment is None or moment <= _moment(group["firstAt"]):
            free.append(group)
        else:
            moments.append(moment)
    if free:
        last = max(_moment(group["lastAt"]) for group in free)
        first = min(_moment(group["firstAt"]) for group in free)
        moments.append(min(last + SETTLE, first + LONGEST))
    return end_of_quiet(min(moments), rule.quiet_from, rule.quiet_until, rule.quiet_zone)


def _free_at(bundle: Bundle, rule: Rule, group: dict[str, Any]) -> datetime | None:
    """When the rule may tell of a group; None for at once.

    The pause holds up neither the word that no scheduler is alive, nor the word that a trigger
    works again if people were told that it fails.
    """
    kind, trigger_id = group["kind"], group["triggerId"]
    is_awaited = kind == Happening.RECOVERED and _failed_key(group) in bundle.told
    if is_awaited or kind == Happening.NO_SCHEDULER:
        return None
    pause = timedelta(minutes=rule.pause_minutes)
    told = [bundle.told[key] for key in (trigger_id, ALL) if key in bundle.told]
    return datetime.fromtimestamp(max(told), UTC) + pause if told and pause else None


def _failed_key(group: dict[str, Any]) -> str:
    """The key in `Bundle.told` of a trigger of which people were told that it fails."""
    return f"failed {group['triggerId']}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def make_deliveries(now: datetime) -> int:
    """Turn the bundles that are due into deliveries; returns how many there are."""
    made = 0
    for bundle in list(Bundle.objects.due(now)):
        try:
            with transaction.atomic():
                made += _make_delivery(bundle, now)
        except (ConflictError, IntegrityError):
            logger.info("Another process has this message", extra={"ruleId": bundle.pk})
    return made


def _make_delivery(bundle: Bundle, now: datetime) -> bool:
    rule = Rule.objects.filter(pk=bundle.pk).first()
    if rule is None or not rule.enabled:
        # Somebody wants no more messages of it.
        bundle.held, bundle.due_at = {}, None
        _write(bundle)
        return False
    _forget_old(bundle, rule, now)
    if end_of_quiet(now, rule.quiet_from, rule.quiet_until, rule.quiet_zone) > now:
        # The rule got quiet hours meanwhile, or the turn came late.
        bundle.due_at = end_of_quiet(now, rule.quiet_from, rule.quiet_until, rule.quiet_zone)
        _write(bundle)
        return False
    groups: dict[str, Any] = bundle.held.get("groups", {})
    ready = {
        key: group for key, group in groups.items() if (_free_at(bundle, rule, group) or now) <= now
    }
    if not ready:
        bundle.due_at = due_at(bundle, rule)
        _write(bundle)
        return False
    more = bundle.held.get("more", 0)
    _save_delivery(rule, list(ready.values()), more, now)
    stamp = int(now.timestamp())
    bundle.told |= {group["triggerId"]: stamp for group in ready.values()}
    for group in ready.values():
        if group["kind"] == Happening.RECOVERED:
            bundle.told.pop(_failed_key(group), None)
        elif group["kind"] in (Happening.FAILED, Happening.FAILING):
            bundle.told[_failed_key(group)] = stamp
    if more or len(bundle.told) > MOST_TOLD:
        bundle.told = {ALL: stamp}
    bundle.held = {"groups": {key: groups[key] for key in groups if key not in ready}}
    bundle.due_at = due_at(bundle, rule)
    _write(bundle)
    return True


def _forget_old(bundle: Bundle, rule: Rule, now: datetime) -> None:
    """Forget of which triggers was told before the rule's pause."""
    since = (now - timedelta(minutes=rule.pause_minutes)).timestamp()
    bundle.told = {key: stamp for key, stamp in bundle.told.items() if stamp > since}


def _save_delivery(rule: Rule, groups: list[dict[str, Any]], more: int, now: datetime) -> None:
    channel = Channel.objects.filter(pk=rule.channel_id).first()
    delivery = Delivery(
        rule_id=rule.pk,
        rule_name=rule.name,
        channel_id=rule.channel_id,
        channel_name=channel.name if channel else "",
        number=sum(group["count"] for group in groups) + more,
        contents={"groups": groups, "more": more},
        made_at=now,
        first_at=now,
        next_at=now,
        ttl=int((now + KEPT).timestamp()),
    )
    if channel is None or not channel.enabled:
        delivery.state, delivery.ended_at = DeliveryState.UNDELIVERED, now
        reasons.put(delivery, "error", CHANNEL_IS_OFF() if channel else NO_CHANNEL())
    delivery.save(force_insert=True)


def groups_of(delivery: Delivery) -> Iterator[dict[str, Any]]:
    """The groups of a delivery, the latest first."""
    groups = delivery.contents.get("groups", [])
    yield from sorted(groups, key=lambda group: str(group.get("lastAt", "")), reverse=True)
