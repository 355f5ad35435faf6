"""Moto's imitation of EventBridge as an oracle, on the part of the language that it has right."""

import json
from collections import Counter
from random import Random

import pytest
from moto.events.models import EventPattern

from events.patterns import parse
from tests.examples import examples
from tests.unit.patterns.generating import make_event, make_pattern

PAIRS = examples(4_000)

# Where moto differs from what is documented: pattern, event, whether it matches, and the reason.
# The generator makes nothing of these kinds. User Guide and README are those of EventBridge and of
# Event Ruler.
DIFFERENCES = {
    "true is 1": (
        {"n": [1]},
        {"n": True},
        False,
        "User Guide, 'Event pattern syntax': values follow JSON rules, in which true is no number.",
    ),
    "true is a number": (
        {"n": [{"numeric": [">", 0]}]},
        {"n": True},
        False,
        "User Guide, 'Comparison operators': numeric matching works with JSON numbers.",
    ),
    "a number is an IP address": (
        {"ip": [{"cidr": "10.0.0.0/8"}]},
        {"ip": 167_772_161},
        False,
        "User Guide, 'Comparison operators': cidr is for IPv4 and IPv6 addresses, which are texts.",
    ),
    "a range of addresses has no host bits": (
        {"ip": [{"cidr": "10.0.0.1/8"}]},
        {"ip": "10.0.0.2"},
        True,
        "Event Ruler's CIDR.java takes any address before the slash.",
    ),
    "numbers of events have any number of digits": (
        {"n": [{"numeric": [">", 0]}]},
        {"n": 2**53 + 1},
        False,
        "Event Ruler's ComparableNumber.java compares what a double holds, and nothing else.",
    ),
    "a wildcard stops at the end of a line": (
        {"text": [{"wildcard": "a*z"}]},
        {"text": "a\nz"},
        True,
        "User Guide, 'Comparison operators': a wildcard stands for any characters.",
    ),
    "an empty array exists": (
        {"tags": [{"exists": True}]},
        {"tags": []},
        False,
        "User Guide, 'Comparison operators': exists is about leaf nodes; Event Ruler's Event.java "
        "makes none of an empty array.",
    ),
    "an empty object is a value": (
        {"tags": [{"anything-but": "x"}]},
        {"tags": {}},
        False,
        "User Guide, 'Comparison operators': operators work on leaf nodes.",
    ),
    "arrays in arrays are values": (
        {"tags": ["x"]},
        {"tags": [["x"]]},
        True,
        "README, 'JSON Array Matching': the array structure is crushed out, at all levels.",
    ),
    "arrays of objects are not entered": (
        {"items": {"sku": ["A"]}},
        {"items": [{"sku": "A"}]},
        True,
        "README, 'JSON Array Matching': contained objects are treated as the field's value.",
    ),
    "a name with a dot hides another": (
        {"a": {"b": ["x"]}},
        {"a": {"b": "x"}, "a.b": "y"},
        True,
        "User Guide, 'Event pattern syntax': names are joined with dots, so that both are a.b.",
    ),
}


def moto_matches(pattern, event):
    return EventPattern.load(json.dumps(pattern)).matches_event(event)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_is_documented_where_moto_differs(name):
    pattern, event, documented, _reason = DIFFERENCES[name]
    ours, theirs = parse(pattern).matches(event), moto_matches(pattern, event)
    assert (ours, theirs) == (documented, not documented)


def test_agrees_with_moto():
    random = Random(20)
    outcomes = Counter()
    for _pair in range(PAIRS):
        event = make_event(random)
        pattern = make_pattern(random, event)
        expected = moto_matches(pattern, event)
        outcomes[expected] += 1
        if parse(pattern).matches(event) is not expected:
            pytest.fail(f"moto says {expected}: {json.dumps(pattern)} of {json.dumps(event)}")
    # Neither outcome is rare, or little would have been compared.
    assert min(outcomes.values()) > PAIRS / 5
