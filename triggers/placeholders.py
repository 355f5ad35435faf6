r"""Parses placeholders in prompts, such as `{{ event.detail.order.id }}`, for runs and forms.

A placeholder holds a path, which begins with `event`. Each step is a name after a dot, a name in
brackets and quotation marks, or the index of a list's element in brackets:
`{{ event["detail-type"] }}`, `{{ event.resources[0] }}`. There is no logic. A path has to be valid
as a whole: if a part of it were used, the agent would get more of the event than the author meant.
A backslash escapes braces: `\{{ name }}`.
"""

import re
from collections.abc import Callable, Iterator

Steps = tuple[str, ...]

_STEP = r"""\.[\w-]+|\[[0-9]+\]|\["[^"]*"\]|\['[^']*'\]"""
# An escaped pair of braces, a placeholder, or two braces that begin none. In a row of more than two
# braces, the last two begin a placeholder. No two parts of the expression match the same character,
# which keeps its time linear.
_BRACES = re.compile(r"\\\{\{|\{\{(?!\{)(?:\s*(event(?:" + _STEP + r")*)\s*\}\})?")
_NAME = re.compile(r"""\.([\w-]+)|\[([0-9]+)\]|\["([^"]*)"\]|\['([^']*)'\]""")
_ESCAPED = "\\{{"
# Characters of an invalid placeholder that an error message quotes.
MAX_QUOTED = 80


def substitute(prompt: str, value: Callable[[str, Steps], str]) -> str:
    """Replace the placeholders of a prompt; invalid ones stay as they are.

    Args:
        prompt: the trigger's prompt.
        value: returns the text for a path; it gets the path as it was written, and its steps.
    """

    def replacement(found: re.Match[str]) -> str:
        if found[0] == _ESCAPED:
            return "{{"
        return value(found[1], steps_of(found[1])) if found[1] else found[0]

    return _BRACES.sub(replacement, prompt)


def paths(prompt: str) -> list[str]:
    """The paths in a prompt, each once, in the order of their first use."""
    return list(dict.fromkeys(found[1] for found in _BRACES.finditer(prompt) if found[1]))


def not_understood(prompt: str) -> list[str]:
    """The invalid placeholders in a prompt, each once, in their order; long ones are cut."""
    return list(dict.fromkeys(_invalid(prompt)))


def steps_of(path: str) -> Steps:
    """The names and indexes in a path, as texts; without the leading `event`."""
    return tuple("".join(groups) for groups in _NAME.findall(path))


def _invalid(prompt: str) -> Iterator[str]:
    for found in _BRACES.finditer(prompt):
        if found[1] or found[0] == _ESCAPED:
            continue
        start = found.start()
        end = prompt.find("}}", start, start + MAX_QUOTED)
        yield prompt[start : end + 2] if end >= 0 else _first_line(prompt, start)


def _first_line(prompt: str, start: int) -> str:
    text = prompt[start : start + MAX_QUOTED]
    line = text.partition("\n")[0].rstrip()
    return line if len(text) < MAX_QUOTED else f"{line}…"
