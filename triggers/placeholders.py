r"""How a prompt names parts of its event: `{{ event.detail.order.id }}`.

A path begins with `event`. Each step is a name after a dot, a name in brackets and quotation marks,
or the number of a list's element in brackets: `{{ event["detail-type"] }}`,
`{{ event.resources[0] }}`. There is no logic. A path counts only if it is understood whole: of one
that was understood in part, the agent would get more of the event than its author meant.
A backslash leaves braces as they are: `\{{ name }}`.
"""

import re
from collections.abc import Callable, Iterator

Steps = tuple[str, ...]

_STEP = r"""\.[\w-]+|\[[0-9]+\]|\["[^"]*"\]|\['[^']*'\]"""
# An escaped pair of braces, a path in braces, or two braces that begin nothing. Of more than two
# braces, the last two begin a path. No two parts of the expression match the same character, which
# keeps its time linear.
_BRACES = re.compile(r"\\\{\{|\{\{(?!\{)(?:\s*(event(?:" + _STEP + r")*)\s*\}\})?")
_NAME = re.compile(r"""\.([\w-]+)|\[([0-9]+)\]|\["([^"]*)"\]|\['([^']*)'\]""")
_ESCAPED = "\\{{"
# Characters of what is not understood that a message repeats.
MOST_TOLD = 80


def substitute(prompt: str, value: Callable[[str, Steps], str]) -> str:
    """The prompt with a value in the place of each path; what is not understood stays as it is.

    Args:
        prompt: the trigger's prompt.
        value: gives the text for a path, which it gets as it was written and as its steps.
    """

    def text(found: re.Match[str]) -> str:
        if found[0] == _ESCAPED:
            return "{{"
        return value(found[1], steps_of(found[1])) if found[1] else found[0]

    return _BRACES.sub(text, prompt)


def paths(prompt: str) -> list[str]:
    """The paths in a prompt, each once, in their order."""
    return list(dict.fromkeys(found[1] for found in _BRACES.finditer(prompt) if found[1]))


def not_understood(prompt: str) -> list[str]:
    """What follows two braces and is no path, each once, in its order; long ones are cut."""
    return list(dict.fromkeys(_fragments(prompt)))


def steps_of(path: str) -> Steps:
    """The names and numbers in a path, as texts."""
    return tuple("".join(groups) for groups in _NAME.findall(path))


def _fragments(prompt: str) -> Iterator[str]:
    for found in _BRACES.finditer(prompt):
        if found[1] or found[0] == _ESCAPED:
            continue
        start = found.start()
        end = prompt.find("}}", start, start + MOST_TOLD)
        yield prompt[start : end + 2] if end >= 0 else _first_line(prompt, start)


def _first_line(prompt: str, start: int) -> str:
    text = prompt[start : start + MOST_TOLD]
    line = text.partition("\n")[0].rstrip()
    return line if len(text) < MOST_TOLD else f"{line}…"
