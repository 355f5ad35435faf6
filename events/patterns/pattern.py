"""Pattern, the parsed form of an event pattern, and `parse`, which makes one."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events.patterns.explain import Finding, explain
from events.patterns.matcher import Matcher, compile_matcher
from events.patterns.parser import AllOf, parse_tree
from events.patterns.partial import may_match
from events.patterns.work import Work


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """An immutable event pattern, made by `parse`. Threads may share it."""

    _document: dict[str, Any]
    _tree: AllOf
    _matcher: Matcher

    @property
    def document(self) -> dict[str, Any]:
        """A copy of the JSON object that the pattern was parsed from."""
        return copy.deepcopy(self._document)

    def matches(self, event: Mapping[str, Any], work: Work | None = None) -> bool:
        """Whether an event matches.

        Args:
            event: the event, decoded from JSON.
            work: counts and limits the steps; with None the limit is `MAX_STEPS`.

        Raises:
            TooMuchWorkError: the limit was reached.
        """
        return self._matcher(_as_dict(event), work or Work())

    def may_match(self, known: Mapping[str, Any]) -> bool:
        """Whether an event could match of which only a part is known; see `partial`."""
        return may_match(self._tree, known)

    def explain(self, event: Mapping[str, Any], work: Work | None = None) -> list[Finding]:
        """Whether the event has what each field wants, in the pattern's order.

        The event matches if and only if all findings outside of an `$or` (with an empty `within`)
        are matched.

        Raises:
            TooMuchWorkError: the limit was reached. Explaining takes more steps than `matches`, so
                it may fail for an event for which `matches` has an answer.
        """
        return explain(self._tree, _as_dict(event), work or Work())


def parse(document: Any) -> Pattern:
    """Parse an event pattern, given as decoded JSON.

    Raises PatternError if Amazon EventBridge would reject the pattern, or if it names a field
    twice.
    """
    tree = parse_tree(document)
    return Pattern(copy.deepcopy(document), tree, compile_matcher(tree))


def _as_dict(event: Any) -> dict[str, Any]:
    """The event as a dict, which is fast to match. Anything but an object has no fields."""
    if isinstance(event, dict):
        return event
    return dict(event) if isinstance(event, Mapping) else {}
