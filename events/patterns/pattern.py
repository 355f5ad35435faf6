"""A pattern that was read."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events.patterns.explain import Finding, explain
from events.patterns.matcher import Matcher, compile_matcher
from events.patterns.parser import AllOf, parse_tree
from events.patterns.work import Work


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """An event pattern, made by `parse`. It never changes, and threads may share it."""

    _document: dict[str, Any]
    _tree: AllOf
    _matcher: Matcher

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object from which the pattern was read, as a copy."""
        return copy.deepcopy(self._document)

    def matches(self, event: Mapping[str, Any], work: Work | None = None) -> bool:
        """Tell whether an event, as decoded from JSON, is one of those that are wanted.

        Args:
            event: the event.
            work: counts the steps, and limits them; `MAX_STEPS` if None is given.

        Raises:
            TooMuchWorkError: it takes more steps than the limit.
        """
        return self._matcher(_as_dict(event), work or Work())

    def explain(self, event: Mapping[str, Any], work: Work | None = None) -> list[Finding]:
        """Say of each field of the pattern, in its order, whether the event has what it wants.

        The event matches if and only if all findings are matched that are not within an `$or`
        (whose `within` is empty).

        Raises:
            TooMuchWorkError: it takes more steps than the limit. That may be so of an event for
                which `matches` has an answer.
        """
        return explain(self._tree, _as_dict(event), work or Work())


def parse(document: Any) -> Pattern:
    """Read an event pattern from decoded JSON.

    Raises PatternError for whatever Amazon EventBridge refuses, and for a field that is given
    twice.
    """
    tree = parse_tree(document)
    return Pattern(copy.deepcopy(document), tree, compile_matcher(tree))


def _as_dict(event: Any) -> dict[str, Any]:
    """The event as a dict, which lets matching be fast. What is no object has no fields."""
    if isinstance(event, dict):
        return event
    return dict(event) if isinstance(event, Mapping) else {}
