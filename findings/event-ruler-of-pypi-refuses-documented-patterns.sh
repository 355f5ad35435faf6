#!/bin/sh
# event-ruler 0.3.0 (PyPI): does it match events as EventBridge does?
#
# First guess: yes. It has the name of Amazon's library and is there "to test EventBridge pattern
# with Python locally". Behaviour: it knows exact values, numbers and "exists". It refuses the other
# operators of the EventBridge User Guide as "invalid pattern", among them prefix, suffix,
# anything-but, numeric, cidr, wildcard and $or. A test that uses it finds valid rules invalid.
#
# Output:
#   accepted: exact, number, exists
#   refused: prefix, suffix, anything-but, numeric, cidr, wildcard, equals-ignore-case, $or
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet event-ruler==0.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import json

from event_ruler import test_event_pattern as matches

# For each operator, a pattern and an event that matches it.
CASES = {
    "exact": ({"source": ["aws.ec2"]}, {"source": "aws.ec2"}),
    "number": ({"detail": {"count": [5]}}, {"detail": {"count": 5}}),
    "exists": ({"detail": {"count": [{"exists": True}]}}, {"detail": {"count": 5}}),
    "prefix": ({"region": [{"prefix": "eu-"}]}, {"region": "eu-central-1"}),
    "suffix": ({"file": [{"suffix": ".png"}]}, {"file": "dog.png"}),
    "anything-but": ({"state": [{"anything-but": "pending"}]}, {"state": "running"}),
    "numeric": ({"price": [{"numeric": [">", 0, "<=", 5]}]}, {"price": 3}),
    "cidr": ({"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip": "10.0.0.7"}),
    "wildcard": ({"file": [{"wildcard": "photos/*.png"}]}, {"file": "photos/dog.png"}),
    "equals-ignore-case": ({"state": [{"equals-ignore-case": "OK"}]}, {"state": "ok"}),
    "$or": ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}),
}
accepted, refused = [], []
for name, (pattern, event) in CASES.items():
    try:
        assert matches(json.dumps(event), json.dumps(pattern)), name
        accepted.append(name)
    except RuntimeError as error:
        assert "invalid pattern" in str(error), error
        refused.append(name)
print("accepted:", ", ".join(accepted))
print("refused:", ", ".join(refused))
assert accepted == ["exact", "number", "exists"], accepted
PYTHON
