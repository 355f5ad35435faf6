"""How much work patterns are: steps are counted, so that the figures are the same everywhere."""

from itertools import product

import pytest

from events.patterns import MAX_STEPS, PatternError, TooMuchWorkError, Work, parse

MANY = 10**9


def steps_of(pattern, event, method="matches"):
    work = Work(MANY)
    getattr(parse(pattern), method)(event, work)
    return work.done


def ors(number):
    """Fields of an object, by a pattern with two ways for each `$or`."""
    pattern = {f"or{n}": {"$or": [{"a": [1]}, {"b": [1]}]} for n in range(number)}
    return {"items": {"id": [1], **pattern}}


def items(number, **fields):
    return {"items": [{"id": place % 2, **fields} for place in range(number)]}


def values_that_fail_late(number, ways):
    return items(number, **{f"or{n}": {"a": 1} for n in range(ways - 1)})


# Pattern and event of a size: what was more than linear, and what may be.
GROWING = {
    "objects": lambda n: (ors(8), values_that_fail_late(n, 8)),
    "values": lambda n: ({"tags": ["x"]}, {"tags": list(range(n))}),
    "arrays in arrays": lambda n: ({"tags": ["x"]}, {"tags": [[1]] * n}),
    "text": lambda n: ({"text": [{"wildcard": "*a*b"}]}, {"text": "a" * n * 100}),
    "names with dots": lambda n: (
        {"a": {f"b{place}": [1] for place in range(150)}},
        {"a": {"z": 1}, **{f"a.b{place}": 1 for place in range(n // 10)}},
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_event_is_twice_the_work(name):
    one, two = (steps_of(*GROWING[name](n)) for n in (500, 1000))
    assert one < two <= 2.1 * one


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_event_is_twice_the_work_to_explain(name):
    one, two = (steps_of(*GROWING[name](n), "explain") for n in (20, 40))
    assert one <= two <= 2.1 * one


def test_twice_the_ways_are_one_question_more():
    # 256 ways and 512: each field is asked once of an object, whatever the number of ways.
    few, many = (steps_of(ors(n), values_that_fail_late(100, n)) for n in (8, 9))
    assert many < 1.3 * few


def test_all_ways_are_asked_of_each_object():
    # Exactly the objects whose fields fit one of the four ways.
    pattern = parse(ors(2))
    choices = list(product(({"a": 1}, {"b": 1}, {"c": 1}), repeat=2))
    found = [
        pattern.matches({"items": [{"id": 1, "or0": one, "or1": other}]}) for one, other in choices
    ]
    assert found == [{"c": 1} not in choice for choice in choices]


class TestLimit:
    PATTERN = {"items": {f"n{place}": [{"exists": False}] for place in range(100)}}
    LARGE = {"items": [{}] * (MAX_STEPS // 50)}

    def test_more_is_an_error_that_names_the_remedy(self):
        with pytest.raises(TooMuchWorkError) as caught:
            parse(self.PATTERN).matches(self.LARGE)
        assert str(caught.value) == (
            "To compare the event with the pattern takes more than 500,000 steps. Ask for fewer "
            "fields within the event's lists, or for fewer values of each."
        )

    def test_it_ends_soon_after_the_limit(self):
        work = Work()
        with pytest.raises(TooMuchWorkError):
            parse(self.PATTERN).matches(self.LARGE, work)
        assert work.done < MAX_STEPS + 1000

    def test_holds_for_explaining(self):
        work = Work()
        with pytest.raises(TooMuchWorkError):
            parse(self.PATTERN).explain(self.LARGE, work)
        assert work.done < MAX_STEPS + 1000

    def test_each_match_has_its_own(self):
        pattern = parse({"tags": ["x"]})
        event = {"tags": list(range(MAX_STEPS // 3))}
        assert [pattern.matches(event) for _turn in range(3)] == [False] * 3

    def test_names_with_dots_count(self):
        pattern = {"x": {"a": {f"b{place}": {"c": [1]} for place in range(150)}}}
        large = {"a": {f"y{n}": 1 for n in range(3000)}, "a.b1": {"c": 2}}
        with pytest.raises(TooMuchWorkError):
            parse(pattern).matches({"x": [large] * 200})

    def test_what_is_too_long_is_not_read_first(self):
        # Of each letter, reading makes an expression.
        document = {"a": [{"equals-ignore-case": "a" * 100}] * 100_000}
        with pytest.raises(PatternError, match="Shorten it to 4096"):
            parse(document)

    def test_any_pattern_is_asked_of_any_event_without_long_lists(self):
        # The most that 4,096 characters can ask: a thousand wildcards of each value.
        wildcards = [f"*{place}" for place in range(590)]
        pattern = parse({"items": {"a": [{"anything-but": {"wildcard": wildcards}}]}})
        assert pattern.matches({"items": [{"a": "*"}] * 400})
