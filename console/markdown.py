"""What an agent said, from Markdown to HTML that can do no harm.

HTML in the text is shown as text, links lead only to the web and open apart, and pictures are
named and not fetched: an agent's words must not make the operator's browser ask other hosts.
"""

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# With the usual hundred levels, 128 KB of brackets take ten seconds; CommonMark has twenty.
OPTIONS = {"html": False, "linkify": False, "typographer": False, "maxNesting": 20}


def render(text: str) -> SafeString:
    """The text as HTML.

    Args:
        text: Markdown as CommonMark has it, with tables and struck words; nothing in it is
            trusted.
    """
    # Escaped by the renderer: HTML is off, and addresses are checked and quoted.
    return mark_safe(_renderer().render(text))  # noqa: S308


@cache
def _renderer() -> MarkdownIt:
    made = MarkdownIt("js-default", OPTIONS)
    made.disable("image")
    made.add_render_rule("link_open", _link_open)
    return made


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
