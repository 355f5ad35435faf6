"""The operator `wildcard`: texts in which `*` stands for any number of characters.

Source: User Guide, "Comparison operators", section on wildcards. A backslash escapes `*` and
another backslash.
"""

from collections.abc import Callable, Iterator

from events.patterns.errors import PatternError


def compile_wildcard(where: str, text: str) -> Callable[[str], bool]:
    """A test of whether a text matches.

    Raises PatternError for two wildcards in a row, and for a backslash that escapes anything but
    `*` or a backslash, like EventBridge.
    """
    first, *rest = _literals(where, text)
    if not rest:
        return first.__eq__
    *middle, last = rest
    shortest = len(first) + len(last)

    def matches(value: str) -> bool:
        if len(value) < shortest or not value.startswith(first) or not value.endswith(last):
            return False
        # The first match of each literal leaves most room for the next: no backtracking.
        start, end = len(first), len(value) - len(last)
        for literal in middle:
            found = value.find(literal, start, end)
            if found < 0:
                return False
            start = found + len(literal)
        return True

    return matches


def _literals(where: str, text: str) -> Iterator[str]:
    """The literal texts before, between and after the wildcards."""
    literal = ""
    characters = iter(text)
    after_wildcard = False
    for character in characters:
        if character == "*":
            if after_wildcard:
                raise PatternError(where, "Write one * in place of two in a row.")
            yield literal
            literal = ""
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in ("*", "\\"):
                raise PatternError(
                    where,
                    "A backslash stands only before * or another backslash. Write two of them "
                    "(four in JSON) for one.",
                )
            literal += escaped
        else:
            literal += character
        after_wildcard = character == "*"
    yield literal
