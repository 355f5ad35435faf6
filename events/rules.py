"""The rules that bring the events of sources to the handler: the projections of sources.

A source that takes events at an address of its own has a rule for what was put on the bus from
there; one of a bus has a rule with its pattern. A configured source without either has no rule of
ours: somebody else's brings its events.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import moca.reconcile
from events import provenance, sources
from events.buses import BusError, Rule, get_bus
from events.failures import RULE_WITHOUT_SOURCE
from events.models import EventSource
from moca import audit
from moca.authentication.models import AuditEntry
from moca.reconcile import Action, Projection, repair_of, write_stored

PREFIX = "source-"
# What the rule of a source says beside its events, as those of the TypeScript service do in them.
FROM_SOURCE = "_eventSourceId"


def name_of(source_id: str) -> str:
    """The name of a source's rule."""
    return f"{PREFIX}{source_id}"


def rule_of(source: EventSource) -> Rule | None:
    """The rule that a source is to have; None where it needs none of ours."""
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
        """Do nothing: a source has no field for it, and each pass compares all rules."""


def reconcile(*, dry_run: bool = False, by: str) -> Iterator[Action]:
    """Repair all drift between sources and their rules; yields what was done, or would be.

    Args:
        dry_run: change nothing.
        by: who repairs, for the audit entries.

    Raises:
        BusError: the rules cannot be listed; nothing was done.
    """
    bus = get_bus()
    found = list(bus.rule_names(""))
    if found and not dry_run:
        try:
            # A function that was made anew lets nobody in.
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
                yield Action("fail", "rule", source.pk, error.reason)
    yield from _drop_orphans(names, dry_run=dry_run, by=by)


def _drop_orphans(names: Collection[str], *, dry_run: bool, by: str) -> Iterator[Action]:
    """Remove rules that no source wants."""
    kept: set[str] = set()
    if names and not dry_run:
        # They do not say how old they are, and the row of a new one may be about to be written.
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
