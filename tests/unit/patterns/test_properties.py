"""What holds of all JSON."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from events.patterns import PatternError, parse
from tests.examples import examples

OPERATORS = [
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
]
NAMES = ["a", "b", "a.b", "b.a", "$or", ""]
CONDITIONS = [
    "x",
    "",
    5,
    None,
    True,
    {"prefix": "x"},
    {"suffix": {"equals-ignore-case": "X"}},
    {"wildcard": "*x*"},
    {"anything-but": ["x"]},
    {"anything-but": {"wildcard": "x*"}},
    {"numeric": [">", 0, "<", 9.5]},
    {"cidr": "10.0.0.0/8"},
    {"exists": True},
    {"exists": False},
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
) | st.sampled_from(["x", "xX", "10.0.0.1", ">", "<=", "10.0.0.0/8", "*", 5])


def json_of(names):
    return st.recursive(
        scalars,
        lambda values: (
            st.lists(values, max_size=4)
            | st.dictionaries(st.sampled_from(names) | st.text(max_size=3), values, max_size=4)
        ),
        max_leaves=12,
    )


def objects_of(fields):
    """Objects of a pattern whose fields are given, now and then with an `$or`."""
    plain = st.dictionaries(st.sampled_from(NAMES).filter("$or".__ne__), fields, min_size=1)
    alternatives = st.lists(plain, min_size=2, max_size=3)
    return plain | st.builds(lambda made, ways: {**made, "$or": ways}, plain, alternatives)


documents = objects_of(
    st.recursive(
        st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3), objects_of, max_leaves=4
    )
)


def read(document):
    """The pattern, or None where it cannot be read. Any other exception comes through."""
    try:
        return parse(document)
    except PatternError:
        return None


@settings(max_examples=examples(120), deadline=None, derandomize=True)
@given(json_of([*OPERATORS, *NAMES]))
def test_json_is_a_pattern_or_an_error(document):
    pattern = read(document)
    assert pattern is None or pattern.document == document


@settings(max_examples=examples(60), deadline=None, derandomize=True)
@given(documents, json_of(NAMES))
def test_an_event_matches_if_its_findings_do(document, event):
    pattern = read(document)
    assume(pattern is not None)
    findings = pattern.explain(event)
    assert pattern.matches(event) is all(each.matched for each in findings if not each.within)


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=50), st.text(max_size=50))
def test_a_literal_wildcard_matches_only_itself(text, other):
    literal = text.replace("\\", "\\\\").replace("*", "\\*")
    pattern = parse({"a": [{"wildcard": literal}]})
    assert [pattern.matches({"a": value}) for value in (text, other)] == [True, text == other]
