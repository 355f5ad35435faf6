"""Masks secrets in what an agent says, before it is cut, stored, shown or logged.

An agent may quote its request, and with it the token and the secrets of MCP servers.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from urllib.parse import quote, quote_plus

STARS = "***"
# Shorter secrets are not masked, because they occur by chance in any text.
SHORTEST = 4
# A shorter piece of a secret at the end of a text is not masked, because it reveals nothing.
SHORTEST_PIECE = 8
# Fewer characters of base64 are not masked, because they occur by chance.
_SHORTEST_BASE64 = 8
# A text is searched for this many characters of a secret; the rest is compared if they occur.
_BEGINNING = 3
_SCHEMES = ("basic ", "bearer ", "token ", "apikey ")


class Mask:
    """Replaces secrets by stars, also in the forms of JSON, URLs, HTML, Python and base64.

    Safe to share between threads.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first, because a form may be the beginning of another.
        self.forms = sorted(forms, key=lambda form: (-len(form), form))
        self._beginnings = [(form, form[:_BEGINNING], len(form)) for form in self.forms]
        self._first = {form[:1] for form in self.forms}
        self._first_two = {form[:2] for form in self.forms}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Compiling is slow, and most texts hold no secret.
        return re.compile("|".join(map(re.escape, self.forms)))

    def text(self, text: str) -> str:
        """Mask a whole text, even if it was cut off within a secret."""
        masked = MaskedText(self)
        return masked.add(text) + masked.end()

    def holds(self, text: str) -> bool:
        """Whether the text has a whole secret in it."""
        return any(form in text for form in self.forms)

    def search(self, text: str, start: int) -> re.Match[str] | None:
        """Find the first secret at or after `start`."""
        return self._pattern.search(text, start)

    def pending(self, text: str, start: int) -> int:
        """Return the place, at or after `start`, of a secret that the text's end cuts off.

        Returns the length of the text if there is none.
        """
        size = len(text)
        found = size
        for form, beginning, length in self._beginnings:
            at = text.find(beginning, max(start, size - length + 1))
            while 0 <= at < found:
                if form.startswith(text[at:]):
                    found = at
                at = text.find(beginning, at + 1)
        if found < size:
            return found
        if size - 2 >= start and text[-2:] in self._first_two:
            return size - 2
        return size - 1 if size > start and text[-1:] in self._first else size


class MaskedText:
    """Masks a text that comes in pieces, even if a cut is within a secret.

    Keeps characters that may begin a secret until the next piece comes: at most as many as the
    longest secret has.
    """

    __slots__ = ("_held", "_mask")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = ""

    def add(self, text: str) -> str:
        """Add the next piece, and return the text that no later piece can change."""
        mask = self._mask
        if not mask.forms:
            return text
        text = self._held + text
        end = mask.pending(text, 0)
        if not mask.holds(text):
            self._held = text[end:]
            return text[:end]
        return self._masked(text, end)

    def end(self) -> str:
        """Return the rest. A piece of a secret at its end is masked too."""
        text, self._held = self._held, ""
        masked = self._masked(text, len(text)) if self._mask.holds(text) else text
        rest = self._mask.pending(masked, 0)
        if len(masked) - rest >= SHORTEST_PIECE:
            return masked[:rest] + STARS
        return masked

    def _masked(self, text: str, end: int) -> str:
        """Mask secrets that begin before `end`, and keep the rest for later."""
        parts = []
        place = 0
        while (found := self._mask.search(text, place)) and found.start() < end:
            parts += [text[place : found.start()], STARS]
            place = found.end()
            if place > end:
                end = self._mask.pending(text, place)
        self._held = text[place:][end - place :]
        return "".join([*parts, text[place:end]])


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms in which an agent may write a secret; none if the secret is too short."""
    for value in {secret, secret.strip(), _without_scheme(secret.strip())}:
        if len(value) < SHORTEST:
            continue
        yield value
        in_json = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
        yield from in_json
        # The forms in JSON within JSON, and in JSON that PHP writes.
        yield from (json.dumps(text)[1:-1] for text in in_json)
        yield from (text.replace("/", "\\/") for text in in_json)
        yield repr(value)[1:-1]
        yield html.escape(value)
        yield from _in_urls(value)
        yield from _in_base64(value.encode("utf-8", "replace"))


def _without_scheme(header: str) -> str:
    """Return the credentials of an Authorization header, or "" for any other value."""
    for scheme in _SCHEMES:
        if header.lower().startswith(scheme):
            return header[len(scheme) :].strip()
    return ""


def _in_urls(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "replace")
    for coded in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield coded
        yield re.sub("%..", lambda found: found[0].lower(), coded)


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield the base64 of a secret for each place where it may stand within a longer text."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + data).decode()
        inner = coded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(inner) >= _SHORTEST_BASE64:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
