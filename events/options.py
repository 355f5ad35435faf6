"""How a source of a general kind says itself how its sender signs, and where its events have what.

The options are a JSON object on the source, with the same names in files and settings. A place is
`header:NAME` or `body:PATH`; a signed time may also be `part:NAME` of the signature's header.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from events import senders
from events.kinds import SourceKind
from events.schemes.base import BODY, HEADER, PART, SECONDS, TIME_FORMS, TOLERANCE_SECONDS, Scheme
from events.schemes.hmac import ALGORITHMS, ENCODINGS, HEX, KEY_FORMS, TEXT, HmacScheme
from events.schemes.token import WAYS, TokenScheme
from events.senders import Sender

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_PLACES = {
    HEADER: _HEADER_NAME,
    BODY: re.compile(r"[^\s.]{1,100}(\.[^\s.]{1,100}){0,9}"),
    PART: re.compile(r"[A-Za-z0-9_-]{1,20}"),
}
_TEMPLATE = re.compile(r"([ -z|~]|\{(body|time|id|url)\}){1,200}")
MAX_TOLERANCE = 86_400
MAX_PREFIX = 20
# What may separate the parts of a header.
SEPARATORS = (" ", ",", ";", "|", "&")
# Both ways in which a token may stand in Authorization.
ANY_WAY = "any"
# The field from which a general kind takes the type of an event if the options name none.
TYPE = f"{BODY}type"
EVENT_PLACES = ("type", "id", "eventTime")
CHOICES: dict[str, tuple[str, ...]] = {
    "encoding": ENCODINGS,
    "algorithm": ALGORITHMS,
    "key": KEY_FORMS,
    "timeForm": TIME_FORMS,
    "authorization": (*WAYS, ANY_WAY),
}
# The options of each kind.
NAMES: dict[str, tuple[str, ...]] = {
    SourceKind.HMAC: (
        *("header", "signed", "prefix", "split", "encoding", "algorithm", "key"),
        *("time", "timeForm", "tolerance"),
        *EVENT_PLACES,
    ),
    SourceKind.TOKEN: ("header", "authorization", *EVENT_PLACES),
}


def sender_of(kind: str, source_id: str, options: Mapping[str, Any] | None) -> Sender:
    """The sender of a source: the table's, or for a general kind what its options describe.

    Args:
        kind: the source's kind.
        source_id: the source's id, which names the events of a general kind.
        options: the source's options, which are valid.
    """
    sender = senders.sender_of(kind)
    if not sender.is_described:
        return sender
    options = options or {}
    own = options.get("id")
    return replace(
        sender,
        scheme=_SCHEMES[kind](options),
        name=f"webhook.{source_id}",
        type_from=(_place(options.get("type") or TYPE),),
        type_default="Webhook",
        id_from=(_place(own),) if own else (),
        time_from=_place(options.get("eventTime") or ""),
        is_repeated=True,
    )


def _hmac(options: Mapping[str, Any]) -> Scheme:
    signed = options.get("signed") or "{body}"
    return HmacScheme(
        header=options["header"].lower(),
        signed=signed,
        prefix=options.get("prefix") or "",
        split=options.get("split") or "",
        encoding=options.get("encoding") or HEX,
        algorithm=options.get("algorithm") or ALGORITHMS[0],
        key=options.get("key") or TEXT,
        time=_place(options.get("time") or ""),
        time_form=options.get("timeForm") or SECONDS,
        id=_place(options["id"]).removeprefix(HEADER) if "{id}" in signed else "",
        tolerance=options.get("tolerance") or TOLERANCE_SECONDS,
    )


def _token(options: Mapping[str, Any]) -> Scheme:
    way = options.get("authorization") or ""
    ways = WAYS if way == ANY_WAY else (way,) if way else ()
    return TokenScheme(header=(options.get("header") or "").lower(), ways=ways)


_SCHEMES: dict[str, Callable[[Mapping[str, Any]], Scheme]] = {
    SourceKind.HMAC: _hmac,
    SourceKind.TOKEN: _token,
}


def _place(text: str) -> str:
    """A place; a header's name in lower case, as messages have it."""
    return text.lower() if text.startswith(HEADER) else text


def errors_of(kind: str, options: Any) -> dict[str, ValidationError]:
    """Find what is wrong with a source's options, by option; "" for all of them."""
    if options is None:
        options = {}
    if not isinstance(options, dict):
        return {"": ValidationError(_("Give an object."), code="invalid")}
    names = NAMES.get(kind, ())
    if not names and options:
        reason = _("Only sources of the kinds hmac and token have options: leave them out.")
        return {"": ValidationError(reason, code="invalid")}
    if not names:
        return {}
    if unknown := sorted(set(options) - set(names)):
        reason = _("There is no option %(unknown)s: give some of %(names)s.")
        params = {"unknown": ", ".join(map(repr, unknown)), "names": ", ".join(names)}
        return {"": ValidationError(reason, code="unknown", params=params)}
    found: dict[str, ValidationError] = {}
    for name, reason in (*_single(options), *_together(kind, options)):
        found.setdefault(name, ValidationError(reason, code="invalid"))
    return found


def _single(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is wrong with each option for itself."""
    for name, value in options.items():
        if name == "tolerance":
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (is_whole and 1 <= value <= MAX_TOLERANCE):
                yield name, _("Give whole seconds from 1 to 86400.")
        elif value is not None and not isinstance(value, str):
            yield name, _("Give a text.")
        elif value and (reason := _fault(name, value)):
            yield name, reason


def _fault(name: str, text: str) -> Any:
    if name in CHOICES:
        return "" if text in CHOICES[name] else _one_of(CHOICES[name])
    if name in (*EVENT_PLACES, "time"):
        return _place_fault(text, (HEADER, BODY, *((PART,) if name == "time" else ())))
    if name == "header" and not _HEADER_NAME.fullmatch(text):
        return _("Give the name of a header, such as x-acme-signature.")
    if name == "signed" and not (_TEMPLATE.fullmatch(text) and "{body}" in text):
        return _(
            "Give a text with {body}, and {time}, {id} and {url} if they are signed too, such as "
            "{time}.{body}."
        )
    if name == "split" and text not in SEPARATORS:
        return _("Give a space, or one of , ; | &.")
    if name == "prefix" and not (len(text) <= MAX_PREFIX and text.isascii() and text.isprintable()):
        return _("Give at most 20 ASCII characters, such as sha256=.")
    return ""


def _one_of(values: tuple[str, ...]) -> Any:
    return format_lazy(_("Give one of {values}."), values=", ".join(values))


def _place_fault(text: str, kinds: tuple[str, ...]) -> Any:
    for kind in kinds:
        if text.startswith(kind) and _PLACES[kind].fullmatch(text.removeprefix(kind)):
            return ""
    if PART in kinds:
        return _("Give header:NAME, body:PATH or part:NAME, such as part:t.")
    return _("Give header:NAME or body:PATH, such as body:data.id.")


def _together(kind: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is wrong with options that depend on each other."""
    if kind == SourceKind.TOKEN:
        if not options.get("header") and not options.get("authorization"):
            yield "header", _("Give the header that has the token, or authorization.")
        return
    if not options.get("header"):
        yield "header", _("Give the header that has the signature.")
    yield from _signed_together(options)


def _signed_together(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    signed, time = options.get("signed") or "{body}", str(options.get("time") or "")
    if not isinstance(signed, str):
        return
    if "{time}" in signed and not time:
        yield "time", _("The signature covers {time}: say where it is.")
    if time and "{time}" not in signed and not time.startswith(BODY):
        yield (
            "signed",
            _("A time that is not signed proves nothing: have {time} in what is signed."),
        )
    if "{id}" in signed and not str(options.get("id") or "").startswith(HEADER):
        yield "id", _("The signature covers {id}: say in which header it is.")
    if "{id}{" in signed or "}{id}" in signed:
        yield "signed", _("Have a sign on each side of {id}: else others could shift what it is.")
    if time.startswith(PART) and not options.get("split"):
        yield "split", _("The time is a part of the header: say what separates its parts.")
