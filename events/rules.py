"""The rules that bring the events of sources to the handler, kept in step with the sources.

A source that takes events at an address of its own has a rule for what was put on the bus from
there; one of a bus has a rule with its pattern. A configured source without either has no rule of
ours: somebody else's brings its events.
"""

import logging
import time
from collections.abc import Collection, Iterator

from events import provenance, sources
from events.buses import BusError, Rule, get_bus
from events.models import EventSource
from moca import audit, reconciling
from moca.authentication.models import AuditEntry
from moca.reconciling import Action

logger = logging.getLogger(__name__)

PREFIX = "source-"
# What the rule of a source says beside its events, as those of the TypeScript service do in them.
FROM_SOURCE = "_eventSourceId"
UNRESTORED = "The rule of source %s could not be restored; sync_schedules will: %s"


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


def follow(source: EventSource) -> None:
    """Bring the rule to what a source says; BusError where it cannot be."""
    rule, before = rule_of(source), source.loaded_value("bus_name")
    if rule is None or (before is not None and before != source.bus_name):
        get_bus().replace(name_of(source.pk), rule)
    else:
        get_bus().keep(rule)


def restore(source_id: str, error: Exception) -> None:
    """Bring the rule to what is stored, after a change of the source was not written after all.

    Args:
        source_id: the source's id.
        error: why it was not written.
    """
    if get_bus().is_transactional or (isinstance(error, BusError) and error.is_refusal):
        return
    try:
        stored = EventSource.objects.filter(pk=source_id).first()
        get_bus().replace(name_of(source_id), rule_of(stored) if stored else None)
    except BusError as failure:
        logger.error(UNRESTORED, source_id, failure)
    except Exception as failure:
        logger.exception(UNRESTORED, source_id, failure)


def synchronize(*, dry_run: bool = False, by: str) -> Iterator[Action]:
    """Make the rules equal to the sources; tells what was done, or is to be.

    Args:
        dry_run: change nothing.
        by: who is on record for what is repaired.

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
            yield Action("fail", "rule", "*", str(error))
    names = {name for name in found if name.startswith(PREFIX)}
    for source in sources.all_sources():
        rule = rule_of(source)
        if rule is not None:
            names.discard(rule.name)
            try:
                yield from _mend(source, rule, dry_run=dry_run, by=by)
            except BusError as error:
                yield Action("fail", "rule", source.pk, str(error))
    yield from _drop_orphans(names, dry_run=dry_run, by=by)


def _drop_orphans(names: Collection[str], *, dry_run: bool, by: str) -> Iterator[Action]:
    """Remove rules that no source wants."""
    kept: set[str] = set()
    if names and not dry_run:
        # They do not say how old they are, and the row of a new one may be about to be written.
        time.sleep(reconciling.COMMIT_SECONDS)
        kept = {rule.name for source in sources.all_sources() if (rule := rule_of(source))}
    for name in sorted(set(names) - kept):
        key = name.removeprefix(PREFIX)
        action = Action("delete", "rule", key, "its event source is gone")
        try:
            if not dry_run:
                get_bus().drop(name)
                _note_repair(EventSource(pk=key, name=key), action, by)
        except BusError as error:
            yield Action("fail", "rule", key, str(error))
        else:
            yield action


def _mend(source: EventSource, rule: Rule, *, dry_run: bool, by: str) -> Iterator[Action]:
    differences = get_bus().differences(rule)
    if differences is not None and not differences:
        return
    action = reconciling.mending("rule", source.pk, differences)
    if not dry_run:
        get_bus().keep(rule)
        _note_repair(source, action, by)
    yield action


def _note_repair(source: EventSource, action: Action, by: str) -> None:
    """Put on record what was repaired, and why."""
    audit.note(AuditEntry.Action.REPAIRED, source, by=by, why=action.sentence)
