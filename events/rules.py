"""Computes and repairs the rules on the event bus that send the events of sources to the handler.

A source with an address has a rule for the events that we publish from there. A source of a bus has
a rule with its pattern. A source in the settings without a pattern has no rule of ours: another
service has a rule that sends its events.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.utils import timezone

import moca.reconcile
from alerts.outbox import Happening, tell
from events import provenance, sources
from events.buses import BusError, Rule, get_bus
from events.failures import RULE_WITHOUT_SOURCE
from events.models import EventSource
from moca import audit
from moca.authentication.models import AuditEntry
from moca.reconcile import Action, Projection, repair_of, write_stored

PREFIX = "source-"
# The key that a source's rule adds to each event, as the rules of the TypeScript service do.
FROM_SOURCE = "_eventSourceId"


def name_of(source_id: str) -> str:
    """Return the name of a source's rule."""
    return f"{PREFIX}{source_id}"


def rule_of(source: EventSource) -> Rule | None:
    """Return the rule that a source should have, or None if it needs no rule of ours."""
    pattern = dict(source.pattern) if isinstance(source.pattern, dict) else {}
    if source.has_address:
        pattern["resources"] = [provenance.source_tag(source.pk)]
    if not pattern:
        return None
    added = {FROM_SOURCE: source.pk}
    return Rule(name_of(source.pk), source.bus, pattern, enabled=True, added=added)


@dataclass(frozen=True, slots=True)
class SourceRule(Projection):
    """The rule of the source with this id."""

    id: str
    what: str = "rule"
    id_name = "eventSourceId"

    def restore(self) -> None:
        rows = EventSource.objects.filter(pk=self.id)
        write_stored(rows, lambda row: get_bus().replace(name_of(self.id), row and rule_of(row)))

    def note_drift(self, reason: str) -> None:
        """Do nothing. A source has no field for it, and each pass compares all rules."""


def reconcile(*, dry_run: bool = False, by: str) -> Iterator[Action]:
    """Repair all drift between sources and their rules. Yields each repair.

    Args:
        dry_run: change nothing, and yield what would be done.
        by: who repairs, for the audit entries.

    Raises:
        BusError: the rules cannot be listed, and nothing was done.
    """
    bus = get_bus()
    found = list(bus.rule_names(""))
    if found and not dry_run:
        try:
            # If the function was created again, it has lost its permissions.
            bus.let_rules_in()
        except BusError as error:
            yield Action("fail", "rule", "*", error.reason)
    names = {name for name in found if name.startswith(PREFIX)}
    for source in sources.all_sources():
        rule = rule_of(source)
        if rule is not None:
            names.discard(rule.name)
            try:
                yield from _repair(source, rule, dry_run=dry_run, by=by)
            except BusError as error:
                if not dry_run:
                    # One message a day, because each pass meets the failure again.
                    _tell(source, error.reason, by, key=f"{timezone.now():%Y-%m-%d}")
                yield Action("fail", "rule", source.pk, error.reason)
    yield from _drop_orphans(names, dry_run=dry_run, by=by)


def _drop_orphans(names: Collection[str], *, dry_run: bool, by: str) -> Iterator[Action]:
    """Remove the rules that belong to no source."""
    kept: set[str] = set()
    if names and not dry_run:
        # A rule does not say its age. If it is new, its source's row may not be committed yet.
        time.sleep(moca.reconcile.COMMIT_SECONDS)
        kept = {rule.name for source in sources.all_sources() if (rule := rule_of(source))}
    for name in sorted(set(names) - kept):
        key = name.removeprefix(PREFIX)
        action = Action("delete", "rule", key, RULE_WITHOUT_SOURCE())
        try:
            if not dry_run:
                get_bus().drop(name)
                _note_repair(EventSource(pk=key, name=key), action, by)
        except BusError as error:
            yield Action("fail", "rule", key, error.reason)
        else:
            yield action


def _repair(source: EventSource, rule: Rule, *, dry_run: bool, by: str) -> Iterator[Action]:
    differences = get_bus().differences(rule)
    if differences is not None and not differences:
        return
    action = repair_of("rule", source.pk, differences)
    if not dry_run:
        get_bus().keep(rule)
        _note_repair(source, action, by)
    yield action


def _note_repair(source: EventSource, action: Action, by: str) -> None:
    """Write the audit entry of a repair."""
    audit.note(AuditEntry.Action.REPAIRED, source, by=by, why=action.sentence)
    _tell(source, action.sentence, by)


def _tell(source: EventSource, reason: str, by: str, key: str = "") -> None:
    """Alert people to drift that the product itself has found, and no operator."""
    if isinstance(by, audit.System):
        params = {"name": source.name, "reason": reason}
        tell(Happening.OUT_OF_STEP, params=params, key=key and f"{source.pk} {key}")
