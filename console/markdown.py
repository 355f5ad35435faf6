"""Renders an agent's Markdown as safe HTML for the page of a run.

HTML in the text is shown as text. Links lead only to the web and open in a new tab. Images are not
loaded, because an agent's output must not make the operator's browser send requests to other hosts.

The work and the size of the HTML are bounded. Reference links are off: a long URL with many
references turned 100 KB into 200 MB of HTML. Formatting stops at the line that exceeds the number
of marks or table cells. The rest of the text is shown unformatted.
"""

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import table
from markdown_it.token import Token

# The default of 100 levels lets 128 KB of brackets take ten seconds. CommonMark uses 20.
OPTIONS = {"html": False, "linkify": False, "typographer": False, "maxNesting": 20}
# Each mark counts once, and each line twice. A report of 64 KB has fewer. Parsing this many takes
# 0.1 s.
MAX_MARKS = 8_000
# The time to escape a URL grows with the square of its length.
MAX_LINE = 10_000
# The parser fills rows with empty cells, so a few characters can make many cells.
MAX_CELLS = 4_000
_MARK = re.compile(r"[!-/:-@\[-`{-~]")
_NESTING = re.compile(r"[\s>*+\-.)0-9]*")
# Code between fences is not parsed, and may have many marks.
_FENCE = re.compile(r" {0,3}(?:(`{3,})[^`]*|(~{3,}).*)")


class _CellsError(Exception):
    """The tables exceed MAX_CELLS at a line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def render(text: str) -> SafeString:
    """The text as HTML.

    Args:
        text: CommonMark with tables and strikethrough. It is not trusted.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end = _end_of_marks(lines)
    try:
        html = _formatted(lines[:end])
    except _CellsError as error:
        end = error.line
        html = _formatted(lines[:end])
    if end == len(lines):
        return html
    note = _("The rest is not formatted: it has too much Markdown markup.")
    rest = "\n".join(lines[end:])
    return html + format_html('<p class="fine">{}</p><pre class="output">{}</pre>', note, rest)


def _end_of_marks(lines: Sequence[str]) -> int:
    """The number of lines that are formatted."""
    marks, fence, indent = 0, "", 0
    for number, line in enumerate(lines):
        if len(line) > MAX_LINE:
            return number
        marks += 2
        found = _FENCE.fullmatch(line)
        if fence and line.strip() and len(line) - len(line.lstrip(" ")) < indent:
            # The fence was in a list, which this line may have ended.
            fence = ""
        if fence:
            # The closing fence has at least as many of the same character, and nothing else.
            if found and line.strip() == line.strip()[0] * len(line.strip()) >= fence:
                fence = ""
        elif found:
            fence, indent = found[1] or found[2], len(line) - len(line.lstrip(" "))
        else:
            # Nested lists and quotes cost most.
            nested = _NESTING.match(line)
            marks += len(_MARK.findall(line)) + 2 * len(_MARK.findall(nested[0] if nested else ""))
        if marks > MAX_MARKS:
            return number
    return len(lines)


def _formatted(lines: Sequence[str]) -> SafeString:
    # The renderer escapes the text: HTML is off, and it checks and quotes URLs.
    return mark_safe(_renderer().render("\n".join(lines), {"cells": MAX_CELLS}))  # noqa: S308


@cache
def _renderer() -> MarkdownIt:
    made = MarkdownIt("js-default", OPTIONS)
    made.disable(["image", "reference"])
    made.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    made.add_render_rule("link_open", _link_open)
    return made


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a table as markdown-it does, until the cells are used up."""
    header = state.src[state.bMarks[start] : state.eMarks[start]]
    columns = header.strip().strip("|").count("|") + 1
    last = min(end, start + 1 + state.env["cells"] // columns)
    if not table(state, start, last, silent):
        if last < end and table(state, start, end, True):
            raise _CellsError(start)
        return False
    if not silent:
        state.env["cells"] -= columns * (state.line - start - 1)
        if state.line == last < end and not state.isEmpty(last):
            raise _CellsError(last)
    return True


def _link_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    environment: MutableMapping[str, Any],
) -> str:
    link = tokens[place]
    if not str(link.attrGet("href") or "").startswith(("https://", "http://", "mailto:", "#")):
        link.attrSet("href", "#")
    link.attrSet("rel", "noopener noreferrer nofollow")
    link.attrSet("target", "_blank")
    return self.renderToken(tokens, place, options, environment)
