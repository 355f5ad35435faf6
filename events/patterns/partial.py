"""Tests a pattern with events of which only a part is known, for those who look for loops.

The answer is whether some event with the known part could match. A field that is not known may have
any value, or none.
"""

from collections.abc import Mapping
from typing import Any

from events.patterns.matcher import plain_values, value_test, ways
from events.patterns.parser import AllOf, Leaf
from events.patterns.work import Work


def may_match(tree: AllOf, known: Mapping[str, Any]) -> bool:
    """Whether an event with the known part could match.

    Args:
        tree: the pattern.
        known: the part of the event; a list stands for its values, and an empty one says that the
            event lacks the field.
    """
    return any(all(_may_hold(leaf, known) for leaf in way) for way in ways(tree))


def _may_hold(leaf: Leaf, known: Any) -> bool:
    value = known
    for name in leaf.names:
        if not isinstance(value, Mapping) or name not in value:
            return True
        value = value[name]
    if isinstance(value, Mapping):
        return leaf.may_be_absent
    test = value_test(leaf)
    if not isinstance(value, list):
        return test(value)
    values = list(plain_values(value, Work()))
    return any(test(each) for each in values) if values else leaf.may_be_absent
