"""Random patterns and events, compared with a plain model of Event Ruler's documented rules.

A usual run tries 2,500 pairs of all operators. With TEST_EXAMPLES=20 (`make test EXAMPLES=20`, or
the variable with pytest and this file) it tries 50,000, which takes about a minute. The last full
run found no difference. What it compares with is `reference.py`, which shares no code with
`events.patterns`.

The package event-ruler of PyPI (0.3.0) is no third side: it is a rewrite in Go that refuses most
operators as invalid patterns. Event Ruler itself is a Java library that is on Maven Central. Moto
is the third side, in `test_moto.py`, which lists where it differs from what is documented.
"""

import json
from collections import Counter
from random import Random

import pytest

from events.patterns import PatternError, parse
from tests.examples import examples
from tests.unit.patterns import reference
from tests.unit.patterns.generating import (
    FEW_NAMES,
    NAMES,
    changed,
    make_event,
    make_pattern,
)

PAIRS = examples(1_500)
PAIRS_OF_OPERATORS = examples(2_500)


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


def test_agrees_with_the_definition_on_all_operators():
    random = Random(3)
    outcomes = Counter()
    while outcomes.total() < PAIRS_OF_OPERATORS:
        event = make_event(random, names=random.choice([NAMES, FEW_NAMES]), objects_in_arrays=True)
        document = make_pattern(random, event)
        try:
            pattern = parse(document)
        except PatternError:
            continue
        # Half of the events are others than the pattern was made for.
        event = changed(random, event) if random.random() < 0.5 else event
        expected = reference.matches(document, event)
        outcomes[expected] += 1
        if pattern.matches(event) is not expected:
            pytest.fail(f"not {expected}: {json.dumps(document)} of {json.dumps(event)}")
    assert min(outcomes.values()) > PAIRS_OF_OPERATORS / 5
