"""Arrays, names with dots and `$or`, compared with Event Ruler's definition of a match."""

import json
from collections import Counter
from random import Random

import pytest

from events.patterns import PatternError, parse
from tests.examples import examples
from tests.unit.patterns import reference
from tests.unit.patterns.generating import FEW_NAMES, make_event, make_pattern

PAIRS = examples(1_500)


def pairs(seed, number):
    """Patterns that can be read, and events full of arrays."""
    random = Random(seed)
    made = 0
    while made < number:
        event = make_event(random, names=FEW_NAMES, objects_in_arrays=True)
        document = make_pattern(random, event)
        try:
            pattern = parse(document)
        except PatternError:
            # A field given twice, within `$or` and beside it.
            continue
        made += 1
        yield pattern, event


def test_agrees_with_the_definition():
    outcomes = Counter()
    for pattern, event in pairs(1, PAIRS):
        expected = reference.matches(pattern.document, event)
        outcomes[expected] += 1
        if pattern.matches(event) is not expected:
            pytest.fail(f"not {expected}: {json.dumps(pattern.document)} of {json.dumps(event)}")
    assert min(outcomes.values()) > PAIRS / 5


def test_an_event_matches_if_its_findings_do():
    outcomes = Counter()
    for pattern, event in pairs(2, PAIRS // 2):
        findings = pattern.explain(event)
        expected = pattern.matches(event)
        outcomes[expected] += 1
        if all(finding.matched for finding in findings if not finding.within) is not expected:
            pytest.fail(f"not {expected}: {json.dumps(pattern.document)} of {json.dumps(event)}")
    assert min(outcomes.values()) > PAIRS / 10
