"""What cannot be read: where the mistake is, and what the person who made it is told."""

import json

import pytest

from events.patterns import MAX_DEPTH, MAX_LENGTH, PatternError, parse

HUGE = 10**5000


def error_of(document):
    """Where the error of a pattern is and what it says, or None if there is none."""
    try:
        parse(document)
    except PatternError as error:
        return error.where, str(error)
    return None


def nested(depth):
    document = ["x"]
    for _level in range(depth):
        document = {"a": document}
    return document


def nested_or(depth):
    document = {"a": ["x"]}
    for _level in range(depth):
        document = {"$or": [document, {"b": ["y"]}]}
    return document


def text_of_length(length):
    return {"a": ["x" * (length - len('{"a":[""]}'))]}


def alternatives(count, name):
    return [{f"{name}{number}": ["x"]} for number in range(count)]


NO_OBJECT = 'A pattern is a JSON object, such as {"source": ["my.app"]}.'
EMPTY_OBJECT = 'The object is empty. Name a field in it, such as {"source": ["my.app"]}.'
EMPTY_LIST = 'The list is empty. Put a value in it, such as ["my.app"].'
STRUCTURE = [
    (None, "", NO_OBJECT),
    ([], "", NO_OBJECT),
    ('{"source": ["my.app"]}', "", NO_OBJECT),
    ({}, "", EMPTY_OBJECT),
    ({"detail": {}}, "detail", EMPTY_OBJECT),
    ({"source": []}, "source", EMPTY_LIST),
    (
        {"source": "my.app"},
        "source",
        'Put the value in a list: {"source": ["my.app"]}.',
    ),
    ({"detail": {"n": 5}}, "detail.n", 'Put the value in a list: {"n": [5]}.'),
    ({"detail": {"n": None}}, "detail.n", 'Put the value in a list: {"n": [null]}.'),
    ({"n": "x" * 100}, "n", 'Put the value in a list: {"n": [...]}.'),
    (
        {"source": {"prefix": "my."}},
        "source.prefix",
        'Put the operator in a list: {"source": [{"prefix": "my."}]}.',
    ),
    (
        {"a": [["x"]]},
        "a[0]",
        "A list stands in a list. Put its values directly in the outer one.",
    ),
    (
        {"a": [float("nan")]},
        "a[0]",
        "This is no JSON. Write a text, a number, true, false or null.",
    ),
    ({1: ["x"]}, "", "The name of a field is a text. Put it in quotes."),
    (
        {"a": {"c": ["x"]}, "a.c": ["y"]},
        "a.c",
        "The field a.c is given twice. Give all that it may be in one list.",
    ),
    (
        {"a": ["x"], "$or": [{"b": ["y"]}, {"a": ["z"]}]},
        "$or[1].a",
        "The field a is given twice. Give all that it may be in one list.",
    ),
    (
        {"a": {"$or": [{"b": ["x"]}, {"c": ["x"]}]}, "$or": [{"a.b": ["y"]}, {"d": ["y"]}]},
        "$or[0].a.b",
        "The field a.b is given twice. Give all that it may be in one list.",
    ),
]
NAMES = "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists, cidr"
OPERATORS = [
    (
        {"a": [{}]},
        "a[0]",
        'The object is empty. Put an operator in it, such as {"prefix": "order."}.',
    ),
    (
        {"a": ["x", {"prefix": "y", "suffix": "z"}]},
        "a[1]",
        "The object has 2 operators, and any one of a list is enough. Give each an object of its "
        "own.",
    ),
    ({"a": [{"perfix": "x"}]}, "a[0].perfix", 'There is no operator "perfix". Write "prefix".'),
    (
        {"a": [{"anythingBut": "x"}]},
        "a[0].anythingBut",
        'There is no operator "anythingBut". Write "anything-but".',
    ),
    (
        {"a": [{"startsWith": "x"}]},
        "a[0].startsWith",
        'There is no operator "startsWith". Write "prefix".',
    ),
    (
        {"a": [{"equals": "x"}]},
        "a[0].equals",
        'There is no operator "equals". Write the value itself in the list.',
    ),
    (
        {"items": [{"sku": ["A"]}]},
        "items[0].sku",
        'There is no operator "sku". To match a field of an object, leave out the list around the '
        "object.",
    ),
    ({"a": [{"zzz": 1}]}, "a[0].zzz", f'There is no operator "zzz". Write one of {NAMES}.'),
    ({"a": [{"prefix": 5}]}, "a[0].prefix", "Prefix takes a text. Put the value in quotes."),
    (
        {"a": [{"suffix": ["x", "y"]}]},
        "a[0].suffix",
        "Here suffix takes one text. Give each text an object of its own in the list.",
    ),
    (
        {"a": [{"prefix": {"suffix": "x"}}]},
        "a[0].prefix.suffix",
        'Within prefix only "equals-ignore-case" can stand. Write that, or a text.',
    ),
    (
        {"a": [{"suffix": {"equals-ignore-case": None}}]},
        "a[0].suffix.equals-ignore-case",
        "Equals-ignore-case takes a text. Put the value in quotes.",
    ),
    (
        {"a": [{"prefix": {}}]},
        "a[0].prefix",
        'The object is empty. Put an operator in it, such as {"prefix": "order."}.',
    ),
    (
        {"a": [{"equals-ignore-case": {"prefix": "x"}}]},
        "a[0].equals-ignore-case",
        "Equals-ignore-case takes a text. Put the value in quotes.",
    ),
    (
        {"a": [{"exists": "true"}]},
        "a[0].exists",
        "Exists takes true or false, without quotes.",
    ),
    ({"a": [{"exists": 1}]}, "a[0].exists", "Exists takes true or false, without quotes."),
    (
        {"a": [{"wildcard": "a**b"}]},
        "a[0].wildcard",
        "Write one * in place of two in a row.",
    ),
    (
        {"a": [{"anything-but": {"wildcard": ["ok", "**"]}}]},
        "a[0].anything-but.wildcard[1]",
        "Write one * in place of two in a row.",
    ),
    *[
        (
            {"a": [{"wildcard": text}]},
            "a[0].wildcard",
            "A backslash stands only before * or another backslash. Write two of them (four in "
            "JSON) for one.",
        )
        for text in ("C:\\dir", "end\\")
    ],
    (
        {"a": [{"cidr": "10.0.0.0"}]},
        "a[0].cidr",
        "Write an address, a slash and a number of bits: 10.0.0.0/24.",
    ),
    (
        {"a": [{"cidr": "10.0.0.0/255.0.0.0"}]},
        "a[0].cidr",
        "Write an address, a slash and a number of bits: 10.0.0.0/24.",
    ),
    *[
        (
            {"a": [{"cidr": text}]},
            "a[0].cidr",
            f'"{text}" is no range of IP addresses. Write one such as 10.0.0.0/24.',
        )
        for text in ("10.0.0.0/33", "10.0.0.256/24", "2001:db8::/129", "example.org/24")
    ],
    ({"a": [{"cidr": 10}]}, "a[0].cidr", "Cidr takes a text. Put the value in quotes."),
]
LIST_OF_COMPARISONS = 'Write one comparison, or a lower bound and an upper one: [">", 0] or '
RANGE = 'A range is a lower bound with > or >=, then an upper one with < or <=: [">", 0, "<=", 5].'
SYMBOL = "A comparison begins with one of =, >, >=, < and <=. Put it here."
DIGITS = "The number has more digits than can be compared. Round it to 15 digits."
NUMERIC = [
    (5, "", 'Numeric takes a list, such as [">", 0, "<=", 5].'),
    ([], "", LIST_OF_COMPARISONS + '[">", 0, "<=", 5].'),
    ([">", 1, "<"], "", LIST_OF_COMPARISONS + '[">", 0, "<=", 5].'),
    ([">", 1, "<", 2, "=", 3], "", LIST_OF_COMPARISONS + '[">", 0, "<=", 5].'),
    (["==", 1], "[0]", 'Write "=" for "==".'),
    ([1, ">"], "[0]", SYMBOL),
    ([[], 1], "[0]", SYMBOL),
    (["!=", 1], "[0]", SYMBOL),
    ([">", 0, "=<", 1], "[2]", 'Write "<=" for "=<".'),
    ([">", "5"], "[1]", "Compare with a number, without quotes."),
    ([">", True], "[1]", "Compare with a number, without quotes."),
    ([">", 0, "<", None], "[3]", "Compare with a number, without quotes."),
    (["<", 2**53 + 1], "[1]", DIGITS),
    ([">", 0, "<=", -(2**53) - 1], "[3]", DIGITS),
    (["<", HUGE], "[1]", DIGITS),
    (["<", 5, ">", 0], "", 'The lower bound comes first. Write [">", 0, "<", 5].'),
    ([">", 0, ">", 5], "", RANGE),
    (["=", 0, "<", 5], "", RANGE),
    ([">=", 5, "<=", 5], "", 'Write ["=", 5] for a range of one number.'),
    ([">", 5, "<", 5], "", "No number is above 5 and below 5. Make the lower bound the smaller."),
    ([">", 6, "<=", 5], "", "No number is above 6 and below 5. Make the lower bound the smaller."),
]
TEXTS_OR_NUMBERS = (
    "Anything-but takes texts or numbers only. Leave out true, false, null and lists."
)
NO_CHARACTER = (
    "Every text begins and ends with the empty text, so that nothing would match. Write at least "
    "one character."
)
ANYTHING_BUT = [
    ([], "", "The list is empty. Put in it what is not wanted."),
    (None, "", TEXTS_OR_NUMBERS),
    (True, "", TEXTS_OR_NUMBERS),
    (["x", None], "", TEXTS_OR_NUMBERS),
    ([{"prefix": "x"}], "", TEXTS_OR_NUMBERS),
    (
        ["x", 1],
        "",
        "Texts and numbers stand together. Write either only texts or only numbers.",
    ),
    (
        {"numeric": [">", 0]},
        ".numeric",
        "Within anything-but only prefix, suffix, equals-ignore-case, wildcard can stand. Write "
        "one.",
    ),
    ({"prefix": []}, ".prefix", "The list is empty. Put in it what is not wanted."),
    ({"prefix": ""}, ".prefix", NO_CHARACTER),
    ({"suffix": ["x", ""]}, ".suffix[1]", NO_CHARACTER),
    ({"prefix": 5}, ".prefix", "Only texts can stand here. Put the value in quotes."),
    (
        {"equals-ignore-case": ["x", 5]},
        ".equals-ignore-case[1]",
        "Only texts can stand here. Put the value in quotes.",
    ),
    (
        {"prefix": {"equals-ignore-case": "x"}},
        ".prefix",
        "Only texts can stand here. Put the value in quotes.",
    ),
]
OR = [
    ({"$or": "x"}, "$or", "Give $or a list of two or more objects."),
    ({"$or": []}, "$or", "The list of $or is empty. Put two or more objects in it."),
    (
        {"detail": {"$or": [{"a": ["x"]}]}},
        "detail.$or",
        "$or has one alternative. Add another, or take its fields out of $or.",
    ),
    ({"$or": [{"a": ["x"]}, {}]}, "$or[1]", EMPTY_OBJECT),
    (
        {"$or": [{"a": ["x"]}, {"b": "y"}]},
        "$or[1].b",
        'Put the value in a list: {"b": ["y"]}.',
    ),
    (
        {"$or": [{"a": ["x"]}, {"b": {"numeric": [">", 0]}}]},
        "$or[1].b.numeric",
        "No field within $or can be called numeric, which is an operator's name. "
        'Write {"the field": [{"numeric": ...}]}.',
    ),
    (
        {"$or": [{"prefix": ["x"]}, {"a": ["y"]}]},
        "$or[0].prefix",
        "No field within $or can be called prefix, which is an operator's name. "
        'Write {"the field": [{"prefix": ...}]}.',
    ),
    (
        {"$or": ["x", {"a": ["y"]}]},
        "$or[1].a",
        'There is no operator "a". To match a field of an object, leave out the list around the '
        "object.",
    ),
]
LIMITED = [
    (
        nested(MAX_DEPTH + 1),
        ".".join("a" * MAX_DEPTH),
        f"The pattern is more than {MAX_DEPTH} levels deep. Make it flatter.",
    ),
    (
        nested_or(MAX_DEPTH + 1),
        f"$or{'[0].$or' * MAX_DEPTH}",
        f"The pattern is more than {MAX_DEPTH} levels deep. Make it flatter.",
    ),
    (
        text_of_length(MAX_LENGTH + 1),
        "",
        f"The pattern has {MAX_LENGTH + 1} characters. Shorten it to {MAX_LENGTH}.",
    ),
    (
        {"a": {"$or": alternatives(77, "x")}, "b": {"$or": alternatives(13, "y")}},
        "",
        "Its $or make 1001 combinations, and 1000 are allowed. Split the pattern, or list values "
        "of one field.",
    ),
    ({"a": [HUGE]}, "", "A number has too many digits. Shorten it."),
]


@pytest.mark.parametrize(
    ("document", "where", "reason"),
    [
        *STRUCTURE,
        *OPERATORS,
        *[({"a": [{"numeric": of}]}, f"a[0].numeric{at}", why) for of, at, why in NUMERIC],
        *[
            ({"a": [{"anything-but": of}]}, f"a[0].anything-but{at}", why)
            for of, at, why in ANYTHING_BUT
        ],
        *OR,
        *LIMITED,
    ],
)
def test_error(document, where, reason):
    assert error_of(document) == (where, reason)


@pytest.mark.parametrize(
    "document",
    [
        nested(MAX_DEPTH),
        nested_or(MAX_DEPTH),
        text_of_length(MAX_LENGTH),
        {"a": {"$or": alternatives(100, "x")}, "b": {"$or": alternatives(10, "y")}},
        {"a": [{"prefix": ""}, {"suffix": ""}, {"wildcard": ""}, {"wildcard": "*"}]},
        {"a": [{"numeric": [">=", -5_000_000_000, "<=", 5e9]}, 123_456_789_012]},
        {"a": [{"numeric": [">=", -1.5e308, "<=", 10**23]}, {"numeric": ["=", 0.123456789]}]},
        {"a": [{"cidr": "10.0.0.1/32"}, {"cidr": "::/0"}, {"cidr": "10.0.0.1/8"}]},
        {"a": [{"anything-but": {"equals-ignore-case": ""}}]},
        {"a": {"prefix": ["x"]}, "exists": [1]},
        {"$or": {"a": ["x"]}},
        {"$or": ["x", 5]},
        {"$or": [{"prefix": "x"}]},
        {"$or": [{"prefix": "x"}, {"suffix": "y"}]},
        {"$or": [{"a": ["x"]}, {"a": ["y"]}, {"a": {"b": ["z"]}}]},
    ],
)
def test_no_error(document):
    assert error_of(document) is None


def test_length_is_of_what_the_pattern_says_not_of_its_layout():
    document = text_of_length(MAX_LENGTH)
    assert error_of(json.loads(json.dumps(document, indent=40))) is None
