"""The examples of AWS's documentation: our matcher and the plain model agree with each."""

from pathlib import Path

import pytest
import yaml

from events.patterns import parse
from tests.unit.patterns import reference

DOCUMENTED = yaml.safe_load(Path(__file__).with_name("aws_examples.yaml").read_text())
ROWS = [
    pytest.param(row["pattern"], row["event"], row["matches"], id=f"{source}: {number}")
    for source, rows in DOCUMENTED.items()
    for number, row in enumerate(rows, 1)
]


@pytest.mark.parametrize(("pattern", "event", "matches"), ROWS)
def test_documented_example(pattern, event, matches):
    found = parse(pattern).matches(event), reference.matches(pattern, event)
    assert found == (matches, matches)


def test_each_row_is_there_once():
    texts = [str((row["pattern"], row["event"])) for rows in DOCUMENTED.values() for row in rows]
    assert len(texts) - len(set(texts)) < len(texts) / 50
