"""What is said of each field of a pattern."""

import pytest

from events.patterns import Finding, parse


def explained(pattern, event):
    return parse(pattern).explain(event)


def only(pattern, event):
    """Whether the one field of a pattern matched, what was wanted, and what was found."""
    [finding] = explained(pattern, event)
    return finding.matched, finding.wanted, finding.found


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("x", '"x"'),
        ("", '""'),
        (5, "5"),
        (3.0e2, "300.0"),
        (None, "null"),
        (True, "true"),
        ("é\n", '"é\\n"'),
        ("x" * 200, f'"{"x" * 76}...'),
        (10**400, "a very large number"),
        ({"prefix": "order."}, 'a text that begins with "order."'),
        ({"prefix": {"equals-ignore-case": "x"}}, 'a text that begins with "x" in any case'),
        ({"suffix": ".png"}, 'a text that ends with ".png"'),
        ({"suffix": {"equals-ignore-case": "x"}}, 'a text that ends with "x" in any case'),
        ({"equals-ignore-case": "x"}, '"x" in any case'),
        ({"wildcard": "dir/*.png"}, 'a text like "dir/*.png"'),
        ({"anything-but": "x"}, 'anything but "x"'),
        ({"anything-but": [1, 2]}, "anything but 1 or 2"),
        (
            {"anything-but": {"prefix": ["a", "b"]}},
            'anything but a text that begins with "a" or "b"',
        ),
        ({"numeric": ["=", 5]}, "a number equal to 5"),
        ({"numeric": [">", 0]}, "a number greater than 0"),
        ({"numeric": [">=", -1.5]}, "a number at least -1.5"),
        ({"numeric": ["<", 0]}, "a number less than 0"),
        ({"numeric": ["<=", 0]}, "a number at most 0"),
        (
            {"numeric": [">", 0, "<=", 5]},
            "a number greater than 0 and at most 5",
        ),
        ({"exists": True}, "any value"),
        ({"exists": False}, "no such field"),
        ({"cidr": "10.0.0.0/24"}, "an IP address in 10.0.0.0/24"),
    ],
)
def test_wanted(condition, wanted):
    assert only({"a": [condition]}, {})[1] == wanted


def test_wanted_are_all_conditions_of_a_field():
    pattern = {"a": [{"prefix": "x"}, "y", {"exists": False}, 5]}
    assert only(pattern, {})[1] == '"y" or 5 or a text that begins with "x" or no such field'


@pytest.mark.parametrize(
    ("event", "matched", "found"),
    [
        ({"a": "x"}, True, 'found "x"'),
        ({"a": "y"}, False, 'found "y"'),
        ({"a": None}, False, "found null"),
        ({"a": False}, False, "found false"),
        ({"a": 1.5}, False, "found 1.5"),
        ({}, False, "is missing"),
        ({"a": {"b": "x"}}, False, "is an object, not a value"),
        ({"a": {}}, False, "is an object, not a value"),
        ({"a": []}, False, "is an empty list"),
        ({"a": [[], {"b": 1}]}, False, "is a list without values"),
        ({"a": ["y", "x", "z"]}, True, 'found "x"'),
        ({"a": ["y", [None]]}, False, 'found "y", null'),
        ({"a": ["1", "2", "3", "4", "5"]}, False, 'found "1", "2", "3" and 2 more'),
        ({"a": "y" * 200}, False, f'found "{"y" * 76}...'),
    ],
)
def test_found(event, matched, found):
    assert only({"a": ["x"]}, event) == (matched, '"x"', found)


@pytest.mark.parametrize(
    ("event", "matched", "found"),
    [
        ({}, True, "is missing"),
        ({"a": []}, True, "is an empty list"),
        ({"a": {"b": 1}}, True, "is an object, not a value"),
        ({"a": None}, False, "found null"),
    ],
)
def test_found_of_what_must_not_be(event, matched, found):
    assert only({"a": [{"exists": False}]}, event) == (matched, "no such field", found)


def test_findings_are_in_the_order_of_the_pattern():
    pattern = {
        "source": ["my.app"],
        "detail": {"state": ["up"], "user.name": ["ann"]},
        "account": ["1"],
    }
    event = {"account": "1", "detail": {"user": {"name": "bob"}}, "source": "my.app"}
    assert explained(pattern, event) == [
        Finding("source", True, '"my.app"', 'found "my.app"'),
        Finding("detail.state", False, '"up"', "is missing"),
        Finding("detail.user.name", False, '"ann"', 'found "bob"'),
        Finding("account", True, '"1"', 'found "1"'),
    ]


LINES = {"lines": {"sku": ["A"], "n": [1], "note": [{"exists": False}]}}


@pytest.mark.parametrize(
    ("lines", "states", "found"),
    [
        (
            [{"sku": "A", "n": 2}, {"sku": "A", "n": 1}],
            [True, True, True],
            'found "A" in element 2 of lines',
        ),
        (
            [{"sku": "A", "n": 2}, {"sku": "B", "n": 1, "note": ""}],
            [True, False, True],
            'found "A" in element 1 of lines',
        ),
        (
            [{"sku": "B", "note": ""}, {"sku": "C"}],
            [False, False, False],
            'found "B"',
        ),
        ([], [False, False, True], "is missing"),
        (["A", 1], [False, False, True], "is missing"),
        ({"sku": "A", "n": 1}, [True, True, True], 'found "A"'),
    ],
)
def test_findings_of_an_array_are_about_one_object_of_it(lines, states, found):
    findings = explained(LINES, {"lines": lines})
    assert ([finding.matched for finding in findings], findings[0].found) == (states, found)


def test_each_array_on_the_way_is_named():
    event = {"orders": [{"lines": [{"sku": "B"}, {"sku": "A"}]}]}
    found = only({"orders": {"lines": {"sku": ["A"]}}}, event)[2]
    assert found == 'found "A" in element 2 of orders.lines in element 1 of orders'


EITHER = {
    "source": ["my.app"],
    "detail": {
        "$or": [
            {"state": ["up"]},
            {"n": [1], "$or": [{"x": [2]}, {"y": [3]}]},
        ]
    },
}
ALTERNATIVES = "one of 2 alternatives"


def test_an_or_is_told_and_then_its_alternatives():
    event = {"source": "my.app", "detail": {"n": 1, "y": 3, "state": "down"}}
    assert explained(EITHER, event) == [
        Finding("source", True, '"my.app"', 'found "my.app"'),
        Finding("detail.$or", True, ALTERNATIVES, "alternative 2 matches"),
        Finding("detail.$or[0].state", False, '"up"', 'found "down"', "detail.$or"),
        Finding("detail.$or[1].n", True, "1", "found 1", "detail.$or"),
        Finding("detail.$or[1].$or", True, ALTERNATIVES, "alternative 2 matches", "detail.$or"),
        Finding("detail.$or[1].$or[0].x", False, "2", "is missing", "detail.$or[1].$or"),
        Finding("detail.$or[1].$or[1].y", True, "3", "found 3", "detail.$or[1].$or"),
    ]


def test_an_or_of_which_no_alternative_matches():
    found = {finding.path: finding for finding in explained(EITHER, {"detail": {"n": 1}})}
    assert found["detail.$or"] == Finding(
        "detail.$or", False, ALTERNATIVES, "no alternative matches"
    )


def test_alternatives_are_told_of_the_object_in_which_the_fields_beside_them_are():
    pattern = {"lines": {"n": [1]}, "$or": [{"lines": {"sku": ["A"]}}, {"sale": [True]}]}
    findings = explained(pattern, {"lines": [{"sku": "A"}, {"n": 1}]})
    assert findings[:3] == [
        Finding("lines.n", False, "1", "is missing in element 1 of lines"),
        Finding("$or", True, ALTERNATIVES, "alternative 1 matches"),
        Finding("$or[0].lines.sku", True, '"A"', 'found "A" in element 1 of lines', "$or"),
    ]


def test_what_is_no_object_has_no_fields():
    assert only({"a": ["x"]}, ["a"]) == (False, '"x"', "is missing")
