"""Removes what people put around an expression: quotes, a key, a timezone, a comment, others."""

import re
import unicodedata
from collections.abc import Callable

from moca.sentences import Sentence as _
from triggers.schedules.errors import Correction, ExpressionError
from triggers.schedules.form import FORM, odd_character, odd_character_reason
from triggers.schedules.timezones import parse_zone

_CALLS = re.compile(
    r"cron\s*\((?:[^()\s]+\s+){4,6}[^()\s]+\s*\)|(?:rate|at)\s*\([^()]*\)", re.IGNORECASE
)
_KEY = re.compile(
    r"(?:-\s*)?[\"']?(?:cron|rate|at|schedule|(?:schedule[_ ]?|cron[_ ]?)expression)[\"']?"
    r"\s*[:=]\s*(.+)",
    re.IGNORECASE | re.DOTALL,
)
_ZONE_FIRST = re.compile(r"(?:CRON_)?TZ\s*=\s*(\S+)\s+(.+)", re.IGNORECASE | re.DOTALL)
_ZONE_LAST = re.compile(r"(.*\S)\s+\(?((?:[A-Za-z_]+/)+[A-Za-z0-9_+-]+|UTC|GMT)\)?", re.DOTALL)
_PLACE_LAST = re.compile(r"(.*\S)\s+in\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_ZONE_APART = _("The timezone has a field of its own; leave it out of the expression.")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")
_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019\u201c\u201d\u00b4\u300c\u300d"), '"')

Write = Callable[[str], str]


def opened(text: str) -> tuple[str, str, Write]:
    """The keyword of a text, the text within, and a function that wraps another body.

    The function does not wrap a body that has a keyword of its own. Unlike the parser, this
    accepts a missing parenthesis.
    """
    match = FORM.fullmatch(text)
    if match is None:
        return "", text, lambda body: body
    keyword, rest = match[1].lower(), match[2]
    if rest.startswith("("):
        inside = rest[1:].removesuffix(")").strip()
        return keyword, inside, _keeping(lambda body: f"{keyword}({body})")
    prefix = "" if keyword == "cron" else f"{keyword} "
    return keyword, rest, _keeping(lambda body: f"{prefix}{body}")


def _keeping(write: Write) -> Write:
    return lambda body: body if FORM.match(body) else write(body)


def is_unclosed(text: str) -> bool:
    """Whether the parenthesis after the keyword is not closed by the last character."""
    return "(" in text and (text.count("(") != text.count(")") or not text.endswith(")"))


def unwrapped(text: str) -> ExpressionError | None:
    """The error for a text with something around it, which the correction drops, or None."""
    for unwrap in (_plain, _unquoted, _without_key, _without_end, _one_of, _bare, _zoned):
        if found := unwrap(text):
            return found
    return None


def _plain(text: str) -> ExpressionError | None:
    odd = odd_character(text)
    if odd is None:
        return None
    plain = unicodedata.normalize("NFKC", text.translate({**_DASHES, **_QUOTES}))
    reason = odd_character_reason(odd)
    readable = plain.isascii() and not re.search(r"[\x00-\x08\x0e-\x1f\x7f]", plain)
    return ExpressionError("expression", reason, plain if readable else None)


def _unquoted(text: str) -> ExpressionError | None:
    plain = text.strip("\"'`")
    if not plain or text[0] not in "\"'`":
        return None
    reason = _("Leave out the quotes around the expression.")
    return ExpressionError("expression", reason, plain)


def _without_key(text: str) -> ExpressionError | None:
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    reason = _("Give the expression alone, without its key.")
    return ExpressionError("expression", reason, match[1].strip())


def _without_end(text: str) -> ExpressionError | None:
    plain = re.sub(r"\s+#\s.*|\s*[;.,]+$", "", text, flags=re.DOTALL).rstrip()
    if not plain or plain == text:
        return None
    reason = _("Leave out what follows the expression: %(rest)s", rest=_quoted(text, plain))
    return ExpressionError("expression", reason, plain)


def _quoted(text: str, plain: str) -> str:
    rest = " ".join(text[len(plain) :].split())
    return f'"{rest[:40]}".'


def _one_of(text: str) -> ExpressionError | None:
    parts = _CALLS.findall(text)
    if len(parts) < 2 or re.sub(r"[\s,;|]|\band\b", "", _CALLS.sub("", text)):
        parts = [part.strip() for part in re.split(r"\s*(?:;|\|\|?|\n)\s*", text) if part.strip()]
        if not 2 <= len(parts) <= 5 or not all(len(part.split()) > 4 for part in parts):
            return None
    reason = _("A trigger has one schedule; make a trigger for each of these.")
    note = _("It leaves out the other expressions.")
    corrections = [Correction(part, (note,)) for part in dict.fromkeys(parts)]
    return ExpressionError("expression", reason, corrections=corrections)


def _bare(text: str) -> ExpressionError | None:
    match = re.fullmatch(
        r"\(([^()]+)\)|cron\s*\(\s*((?:cron|rate|at)\s*\([^()]*\))\s*\)", text, re.IGNORECASE
    )
    if match is None:
        return None
    reason = _("Leave out the parentheses around the expression.")
    return ExpressionError("expression", reason, (match[1] or match[2]).strip())


def _zoned(text: str) -> ExpressionError | None:
    keyword, inside, write = opened(text)
    for body, rewrite in ((text, lambda plain: plain), (inside, write)):
        if match := _ZONE_FIRST.fullmatch(body):
            return _in_zone(match[1], rewrite(match[2].strip()))
        match = _ZONE_LAST.fullmatch(body)
        if match and keyword != "at" and re.search(r"[0-9*]", match[1]):
            return _in_zone(match[2], rewrite(match[1].strip()))
    return _in_place(text)


def _in_place(text: str) -> ExpressionError | None:
    """The corrections of "every weekday at 9 in Tokyo", one for each zone that may be meant.

    None if what follows the last "in" is no place, as in "every monday in march".
    """
    match = _PLACE_LAST.fullmatch(text)
    if match is None:
        return None
    try:
        zones = [parse_zone(match[2]).key]
    except ExpressionError as error:
        zones = [each.expression for each in error.corrections]
    corrections = [Correction(match[1], timezone=zone) for zone in zones]
    return ExpressionError("expression", _ZONE_APART, corrections=corrections) if zones else None


def _in_zone(name: str, plain: str) -> ExpressionError:
    try:
        zone = parse_zone(name.strip("\"'")).key
    except ExpressionError as error:
        if error.suggestion is None:
            return ExpressionError("timezone", error.reason)
        zone = error.suggestion
    return ExpressionError(
        "expression", _ZONE_APART, corrections=[Correction(plain, timezone=zone)]
    )
