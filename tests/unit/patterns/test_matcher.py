"""Which events match, beyond the examples of the User Guide."""

from threading import Thread
from types import MappingProxyType

import pytest

from events.patterns import parse

EMPLOYEES = {
    "employees": [
        {"firstName": "John", "lastName": "Doe", "ids": [1234, 1000]},
        {"firstName": "Anna", "lastName": "Smith"},
        {"firstName": "Peter", "lastName": "Jones", "ids": []},
    ]
}
IN_ARRAYS = {"employees": [EMPLOYEES["employees"][:2], [EMPLOYEES["employees"][2]]]}
ORDERS = {"orders": [{"id": 1, "lines": [{"sku": "A", "n": 1}, {"sku": "B", "n": 2}]}, {"id": 2}]}


def employees(**fields):
    return {"employees": fields}


def lines(order, sku, number):
    return {"orders": {"id": [order], "lines": {"sku": [sku], "n": [number]}}}


EXISTS, ABSENT = [{"exists": True}], [{"exists": False}]
ARRAYS = [
    (employees(firstName=["Anna"]), EMPLOYEES, True),
    (employees(firstName=["Anna"]), IN_ARRAYS, True),
    (employees(firstName=["Alice"]), IN_ARRAYS, False),
    (employees(firstName=["Anna"], lastName=["Jones"]), EMPLOYEES, False),
    (employees(firstName=["Anna"], lastName=["Jones"]), IN_ARRAYS, False),
    (employees(firstName=["Anna"], lastName=["Smith"]), IN_ARRAYS, True),
    (employees(firstName=["John"], ids=[1000]), IN_ARRAYS, True),
    (employees(firstName=["Anna"], ids=[1000]), IN_ARRAYS, False),
    (employees(firstName=["Anna"], ids=ABSENT), IN_ARRAYS, True),
    (employees(firstName=["Anna"], ids=EXISTS), IN_ARRAYS, False),
    (employees(firstName=["Peter"], ids=ABSENT), IN_ARRAYS, True),
    (employees(ids=ABSENT), EMPLOYEES, False),
    (employees(age=ABSENT), EMPLOYEES, True),
    (employees(age=ABSENT), {"employees": []}, True),
    (employees(age=EXISTS), {"employees": []}, False),
    (employees(ids=ABSENT, lastName=["Smith"]), EMPLOYEES, True),
    ({"employees": ["Anna"]}, EMPLOYEES, False),
    ({"employees": ABSENT}, EMPLOYEES, True),
    ({"employees": ["Anna"]}, {"employees": [{"firstName": "John"}, "Anna"]}, True),
    (employees(firstName=["John"]), {"employees": ["Anna", {"firstName": "John"}]}, True),
    (lines(1, "A", 1), ORDERS, True),
    (lines(1, "A", 2), ORDERS, False),
    (lines(2, "A", 1), ORDERS, False),
    ({"tags": ["x"]}, {"tags": [[["x"]]]}, True),
    ({"tags": ["x"]}, {"tags": [["y"], []]}, False),
    ({"tags": EXISTS}, {"tags": [[], []]}, False),
    ({"tags": ABSENT}, {"tags": [[], []]}, True),
    ({"tags": [{"anything-but": "x"}]}, {"tags": ["x", "y"]}, True),
    ({"tags": [{"anything-but": "x"}]}, {"tags": ["x"]}, False),
    ({"tags": [{"anything-but": "x"}]}, {"tags": []}, False),
    ({"tags": [{"numeric": [">", 0, "<", 10]}]}, {"tags": [100, -1]}, False),
    ({"tags": ["x", {"exists": False}]}, {"tags": ["y"]}, False),
    ({"tags": ["x", {"exists": False}]}, {"tags": ["x"]}, True),
    ({"tags": ["x", {"exists": False}]}, {}, True),
]

ONE_ITEM = {"items": {"n": [1]}, "$or": [{"items": {"sku": ["A"]}}, {"sale": [True]}]}
LEVELS = {"a": {"$or": [{"b": {"$or": [{"c": [1]}, {"d": [2]}]}}, {"e": [3]}]}}
OR = [
    (ONE_ITEM, {"items": [{"sku": "A", "n": 1}]}, True),
    (ONE_ITEM, {"items": [{"sku": "A"}, {"n": 1}]}, False),
    (ONE_ITEM, {"items": [{"sku": "A"}, {"n": 1}], "sale": True}, True),
    (LEVELS, {"a": {"b": {"d": 2}}}, True),
    (LEVELS, {"a": {"e": 3}}, True),
    (LEVELS, {"a": {"b": {"c": 2}}}, False),
    ({"$or": [{"a": [1]}, {"a": [2]}]}, {"a": 2}, True),
    ({"$or": [{"a": [1]}, {"a": {"b": [2]}}]}, {"a": {"b": 2}}, True),
    ({"$or": ["x", "y"]}, {"$or": "y"}, True),
    ({"$or": {"a": ["x"]}}, {"$or": {"a": "x"}}, True),
    ({"$or": [{"prefix": "x"}, {"suffix": "y"}]}, {"$or": "xz"}, True),
    ({"$or": [{"prefix": "x"}, {"suffix": "y"}]}, {"prefix": "x"}, False),
]

NAMES = [
    ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
    ({"a": {"b.c": ["x"]}}, {"a.b": {"c": "x"}}, True),
    ({"a": {"b": {"c": ["x"], "d": ["y"]}}}, {"a.b.c": "x", "a": {"b.d": "y"}}, True),
    ({"a": {"b": {"c": ["x"], "d": ["y"]}}}, {"a.b.c": "x", "a.b": {"d": "z"}}, False),
    ({"a": {"b": ["x"]}}, {"a.b": "x", "a": {"b": "y"}}, True),
    ({"a": {"b": ["y"]}}, {"a.b": "x", "a": {"b": "y"}}, True),
    ({"a": {"b": ["x"], "c": ["z"]}}, {"a.b": "x", "a": "y", "a.c": "z"}, True),
    ({"a": {"b": {"c": ["x"], "d": ["y"]}}}, {"a.b": 1, "a.b.c": "x", "a.b.d": "y"}, True),
    ({"a": ["y"]}, {"a.b": "x", "a": "y"}, True),
    ({"a": {"b": ["x"], "c": ["y"]}, "d": ["z"]}, {"a.b": ["x"], "a": {"c": "y"}, "d": "z"}, True),
    ({"items.sku": ["A"]}, {"items": [{"sku": "A"}]}, True),
    ({"": ["x"]}, {"": "x"}, True),
    ({"a": {"": ["x"]}}, {"a.": "x"}, True),
    ({"a": ["x"], "a.b": ["y"]}, {"a": ["x", {"b": "y"}]}, True),
    ({"a": ["x"], "a.b": ["y"]}, {"a": [{"b": "y"}]}, False),
    ({"detail": {"prefix": ["logs/"]}}, {"detail": {"prefix": "logs/"}}, True),
]

VALUES = [
    ({"n": [300]}, {"n": 300.0}, True),
    ({"n": [3.0e2]}, {"n": 300}, True),
    ({"n": [300]}, {"n": "300"}, False),
    ({"n": [123456789012]}, {"n": 123456789012}, True),
    ({"n": [1]}, {"n": True}, False),
    ({"n": [0]}, {"n": False}, False),
    ({"n": [True]}, {"n": 1}, False),
    ({"n": [False]}, {"n": False}, True),
    ({"n": [None]}, {}, False),
    ({"n": ["null"]}, {"n": None}, False),
    ({"n": [{"anything-but": 1}]}, {"n": True}, True),
    ({"n": [{"anything-but": "x"}]}, {"n": None}, True),
    ({"n": [{"anything-but": ["x"]}]}, {"n": 5}, True),
    ({"n": [{"anything-but": 5}]}, {"n": 5.0}, False),
    ({"n": [{"anything-but": {"prefix": "x"}}]}, {"n": 5}, True),
    ({"n": [{"anything-but": "x"}]}, {"n": {}}, False),
    ({"n": [{"prefix": ""}]}, {"n": ""}, True),
    ({"n": [{"prefix": ""}]}, {"n": 5}, False),
    ({"n": [{"numeric": ["<=", 5]}]}, {"n": 5.0}, True),
    ({"n": [{"numeric": [">=", 5]}]}, {"n": 4.999999}, False),
    ({"n": [{"numeric": [">", 0]}]}, {"n": 5_000_000_000}, True),
    ({"n": [{"numeric": [">", 0]}]}, {"n": 5_000_000_001}, True),
    ({"n": [{"numeric": ["<", 0]}]}, {"n": -5_000_000_000.5}, True),
    ({"size": [{"numeric": [">", 1_000_000]}]}, {"size": 6_000_000_000}, True),
    ({"at": [{"numeric": [">=", 1_767_225_600_000]}]}, {"at": 1_798_761_600_000}, True),
    ({"at": [{"numeric": [">=", 1_767_225_600_000]}]}, {"at": 1_704_067_200_000}, False),
    ({"n": [{"numeric": ["=", 0.123456789]}]}, {"n": 0.123456788}, False),
    ({"n": [{"numeric": [">", 0]}]}, {"n": 10**23}, True),
    # Event Ruler compares doubles, and no number that a double does not hold.
    ({"n": [{"numeric": [">", 0]}]}, {"n": 2**53 + 1}, False),
    ({"n": [{"numeric": [">", 0]}]}, {"n": 10**400}, False),
    ({"n": [{"numeric": ["<", 0]}]}, {"n": float("-inf")}, False),
    ({"n": [{"numeric": [">", 0]}]}, {"n": True}, False),
    ({"n": [{"equals-ignore-case": "STRASSE"}]}, {"n": "strasse"}, True),
    ({"n": [{"equals-ignore-case": "ДА"}]}, {"n": "да"}, True),
    # Letter by letter: of a sigma, whether it ends a word is not asked.
    ({"n": [{"equals-ignore-case": "ΔΣ"}]}, {"n": "δς"}, False),
    ({"n": [{"equals-ignore-case": "ΔΣ"}]}, {"n": "δ\u03c3"}, True),
    ({"n": [{"equals-ignore-case": "δς"}]}, {"n": "ΔΣ"}, True),
    ({"n": [{"equals-ignore-case": "Straße"}]}, {"n": "STRASSE"}, True),
    ({"n": [{"equals-ignore-case": "STRASSE"}]}, {"n": "Straße"}, False),
    ({"n": [{"equals-ignore-case": "I"}]}, {"n": "\u0131"}, False),
    ({"n": [{"equals-ignore-case": "a.c"}]}, {"n": "ABC"}, False),
    ({"n": [{"prefix": {"equals-ignore-case": "ΔΣ"}}]}, {"n": "δ\u03c3x"}, True),
    ({"n": [{"prefix": {"equals-ignore-case": "ΔΣ"}}]}, {"n": "δςx"}, False),
    ({"n": [{"suffix": {"equals-ignore-case": "aß"}}]}, {"n": "xASS"}, True),
    ({"n": [{"suffix": {"equals-ignore-case": "ΔΣ"}}]}, {"n": "xδς"}, False),
    ({"n": [{"suffix": {"equals-ignore-case": ""}}]}, {"n": "x"}, True),
    ({"n": [{"anything-but": {"equals-ignore-case": "ΔΣ"}}]}, {"n": "δς"}, True),
    ({"n": [{"cidr": "2001:db8::/32"}]}, {"n": "2001:DB8::1"}, True),
    ({"n": [{"cidr": "2001:db8::/32"}]}, {"n": "2001:db9::1"}, False),
    ({"n": [{"cidr": "10.0.0.9/8"}]}, {"n": "10.1.1.1"}, True),
    ({"n": [{"cidr": "0.0.0.0/0"}]}, {"n": "::1"}, False),
    ({"n": [{"cidr": "::/0"}]}, {"n": "fe80::1%eth0"}, False),
    ({"n": [{"cidr": "0.0.0.0/0"}]}, {"n": "10.0.0"}, False),
    ({"n": [{"cidr": "0.0.0.0/0"}]}, {"n": 167772161}, False),
    ({"n": [{"cidr": "10.0.0.1/32"}]}, {"n": "10.0.0.1"}, True),
    ({"n": [{"cidr": "::/0"}]}, {"n": "0000:0000:0000:0000:0000:ffff:255.255.255.255"}, True),
]

WILDCARDS = [
    ("", "", True),
    ("", "x", False),
    ("*", "", True),
    ("*", "any\nthing", True),
    ("a*", "a", True),
    ("*a", "ba", True),
    ("*a", "ab", False),
    ("a*a", "a", False),
    ("a*a", "aa", True),
    ("a*b*c", "a-b-b-c", True),
    ("a*b*c", "a-c-b", False),
    ("*ab*ab*", "abab", True),
    ("*ab*ab*", "aab", False),
    ("*aab", "aaab", True),
    ("a*ba*ab", "abab", False),
    ("a.c", "abc", False),
    ("a?c", "abc", False),
    ("[a-z]", "b", False),
    ("a\\*b", "a*b", True),
    ("a\\*b", "axb", False),
    ("a\\\\b", "a\\b", True),
    ("a\\\\*b", "a\\xyb", True),
    ("*\\**", "a*b", True),
    ("*\\**", "ab", False),
]


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        *ARRAYS,
        *OR,
        *NAMES,
        *VALUES,
        *[({"n": [{"wildcard": text}]}, {"n": value}, fits) for text, value, fits in WILDCARDS],
    ],
)
def test_matches(pattern, event, expected):
    assert parse(pattern).matches(event) is expected


@pytest.mark.parametrize("event", [None, [], "x", 5, {}])
def test_what_is_no_object_has_no_fields(event):
    assert parse({"a": ABSENT}).matches(event)


def test_any_mapping_is_an_event():
    assert parse({"a": ["x"]}).matches(MappingProxyType({"a": "x"}))


def test_a_wildcard_does_not_try_all_ways_to_place_it():
    pattern = parse({"n": [{"wildcard": "*a" * 200 + "*b*"}]})
    # Trying them all would not end in a lifetime.
    assert not pattern.matches({"n": "a" * 10_000})


def test_deep_arrays_are_walked():
    deep = ["x"]
    for _level in range(100_000):
        deep = [deep]
    assert parse({"a": ["x"], "a.b": ABSENT}).matches({"a": deep})


def test_document_is_given_back():
    document = {"source": ["my.app"], "$or": [{"a": [1]}, {"b": [{"prefix": "x"}]}]}
    assert parse(document).document == document


def test_changes_of_the_document_do_not_reach_the_pattern():
    document = {"source": ["my.app"]}
    pattern = parse(document)
    document["source"].append("other")
    pattern.document["source"].append("another")
    assert pattern.document == {"source": ["my.app"]}


def test_the_event_is_left_as_it_is():
    event = {"a.b": 1, "a": {"c": {"d": 2}}, "a.c": {"e": 3}}
    parse({"a": {"b": [1], "c": {"d": [2], "e": [3]}}}).matches(event)
    assert event == {"a.b": 1, "a": {"c": {"d": 2}}, "a.c": {"e": 3}}


def test_threads_share_a_pattern():
    pattern = parse(ONE_ITEM)
    matched = []

    def ask(number):
        event = {"items": [{"n": number, "sku": "A"}]}
        matched.extend(number for _time in range(300) if pattern.matches(event))

    threads = [Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert matched == [1] * 300
