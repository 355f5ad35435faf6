"""Proposes how the sender of a message signs, by its headers and with its secret.

A sender of the table is known by its headers. Of another sender, a header that looks like a
signature or a token gives a general kind with its options. If the secret is known, each proposal is
tried with it, and so are the usual ways to put a signed text together.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from events import options as source_options
from events import senders
from events.kinds import SourceKind
from events.schemes.base import MILLISECONDS, SECONDS, Message, SignatureError
from events.schemes.hmac import BASE64, HEX, KEY_FORMS
from events.schemes.token import AUTHORIZATION, BASIC, BEARER

# The most proposals of one message, and the most headers that are looked at for one.
MOST, MAX_SIGNATURES, MAX_TIMES, MAX_IDS = 6, 5, 3, 4
# Kinds that cannot be tried with a secret here: the certificate of SNS has to be fetched.
UNTRIED = (SourceKind.SNS,)
ALGORITHMS = {20: "sha1", 32: "sha256", 64: "sha512"}
# Headers that say nothing about who has signed.
COMMON = re.compile(
    r"(accept|cache|connection|content|cookie|forwarded|host|if|origin|referer|sec|te|traceparent|"
    r"tracestate|transfer|user|via|x-amzn?-trace|x-b3|x-forwarded|x-real|x-request)\b"
)
SIGNS = re.compile(r"sig|hmac|hash|digest|proof|mac\b")
TOKENS = re.compile(r"token|api-?key|secret|auth|access-?key|password")
IDS = re.compile(r"(id|uuid|delivery|nonce)$")
MARK = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,11}[=,:])?(.+)")
TIME_PART = re.compile(r"(t|ts|time|timestamp)=\d{9,14}")
HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
# Signed texts, the likeliest first.
OF_BODY = ("{body}",)
OF_TIME = ("{time}.{body}", "{time}:{body}", "v0:{time}:{body}", "{time}{body}", "{body}{time}")
OF_ID = ("{id}.{time}.{body}", "{id}:{time}:{body}", "{time}.{id}.{body}")
OF_URL = ("{url}{body}", "{url}.{body}", "{body}{url}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A way in which a sender may sign.

    Attributes:
        kind: the kind for the source.
        options: its options, for the general kinds.
        is_verified: whether the message was verified so, with the secret that was given.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    is_verified: bool = False

    @property
    def label(self) -> Any:
        """The kind's name on pages."""
        return senders.sender_of(self.kind).label


def propose(message: Message) -> list[Proposal]:
    """How the sender of a message may sign, the likeliest first; empty if nothing suggests any."""
    known = [
        Proposal(one.kind)
        for one in senders.recognize(message.headers)
        if one.scheme and not _is_only_authorization(one, message)
    ]
    general = [_likeliest(message, of_header) for of_header in _signatures(message)]
    return [*known, *(one for one in general if one), *_tokens(message)][:MOST]


def verify(message: Message, secret: str) -> list[Proposal]:
    """The proposals with which a message is verified by a secret; those of the table come first."""
    known = (Proposal(one.kind) for one in senders.recognize(message.headers) if one.scheme)
    found = [one for one in known if _is_right(one, message, secret)]
    general = next((one for one in _general(message) if _is_right(one, message, secret)), None)
    found += [general] if general else []
    found += [one for one in _tokens(message) if _is_right(one, message, secret)]
    return [Proposal(one.kind, one.options, is_verified=True) for one in found[:MOST]]


def _is_right(proposal: Proposal, message: Message, secret: str) -> bool:
    scheme = source_options.sender_of(proposal.kind, "", proposal.options).scheme
    if scheme is None or proposal.kind in UNTRIED:
        return False
    try:
        proof = scheme.read(message)
    except SignatureError:
        return False
    return any(proof.check(key) for key in scheme.keys(secret))


def _is_only_authorization(sender: senders.Sender, message: Message) -> bool:
    """Whether Authorization alone suggests a sender, as it does any that sends a token."""
    names = (*sender.marks, *(sender.scheme.headers if sender.scheme else ()))
    return not any(message.headers.get(name, "").strip() for name in names if name != AUTHORIZATION)


def _signatures(message: Message) -> list[dict[str, str]]:
    """The options that describe each header that looks like a signature, the likeliest first."""
    found = [
        (not SIGNS.search(name), options)
        for name, text in message.headers.items()
        if not COMMON.match(name) and name != AUTHORIZATION
        for options in _readings(name, text.strip())
    ]
    return [options for _, options in sorted(found, key=lambda each: each[0])][:MAX_SIGNATURES]


def _readings(name: str, text: str) -> Iterator[dict[str, str]]:
    """The ways to read the value of a header as a signature."""
    for split in ("", *source_options.SEPARATORS):
        parts = [part.strip() for part in text.split(split)] if split else [text]
        if split and len(parts) < 2:
            continue
        time = next((part.partition("=")[0] for part in parts if TIME_PART.fullmatch(part)), "")
        for part in parts:
            mark, encoded = MARK.fullmatch(part).groups() if part else ("", "")  # type: ignore[union-attr]
            for prefix, rest in {(mark or "", encoded), ("", part)}:
                if form := _form(rest):
                    encoding, algorithm = form
                    options = {"header": name, "encoding": encoding, "algorithm": algorithm}
                    options |= {"prefix": prefix} if prefix else {}
                    options |= {"split": split} if split else {}
                    options |= {"time": f"part:{time}"} if time else {}
                    yield options
                    return


def _form(text: str) -> tuple[str, str] | None:
    """The encoding and the algorithm of a signature, or None if the text is none."""
    if HEXADECIMAL.fullmatch(text) and len(text) % 2 == 0:
        algorithm = ALGORITHMS.get(len(text) // 2)
        return (HEX, algorithm) if algorithm else None
    try:
        algorithm = ALGORITHMS.get(len(base64.b64decode(text, validate=True)))
    except ValueError:
        return None
    return (BASE64, algorithm) if algorithm else None


def _times(message: Message) -> list[dict[str, str]]:
    """The options that describe each header with a time, the likeliest first."""
    found = []
    for name, text in message.headers.items():
        form = {10: SECONDS, 13: MILLISECONDS}.get(len(text.strip()))
        if form and text.strip().isdecimal() and not COMMON.match(name):
            found.append(("time" not in name, {"time": f"header:{name}", "timeForm": form}))
    return [options for _, options in sorted(found, key=lambda each: each[0])][:MAX_TIMES]


def _ids(message: Message, header: str) -> list[dict[str, str]]:
    """The options that describe each header with an id."""
    names = [name for name in message.headers if IDS.search(name) and not COMMON.match(name)]
    return [{"id": f"header:{name}"} for name in names if name != header][:MAX_IDS]


def _likeliest(message: Message, of_header: Mapping[str, str]) -> Proposal | None:
    """The general kind with what its sender most probably signs."""
    times = [{}] if "time" in of_header else _times(message)[:1]
    ids = _ids(message, of_header["header"])[:1]
    options = dict(of_header)
    if times and ids and "time" not in of_header:
        options |= {**times[0], **ids[0], "signed": OF_ID[0]}
    elif times:
        options |= {**times[0], "signed": OF_TIME[0]}
    return _valid(options)


def _general(message: Message) -> Iterator[Proposal]:
    """All that is tried of a sender that is not in the table."""
    for of_header in _signatures(message):
        times = [{}] if "time" in of_header else _times(message)
        ids = _ids(message, of_header["header"])
        ways: list[tuple[dict[str, str], str]] = [({}, text) for text in (*OF_BODY, *OF_URL)]
        ways += [(time, text) for time, text in product(times, OF_TIME)]
        ways += [({**time, **one}, text) for time, one, text in product(times, ids, OF_ID)]
        for (others, signed), key in product(ways, KEY_FORMS):
            plain = {} if signed == OF_BODY[0] else {"signed": signed}
            without = signed in (*OF_BODY, *OF_URL)
            base = {k: text for k, text in of_header.items() if not (without and k == "time")}
            options = {**base, **others, **plain, **({"key": key} if key != KEY_FORMS[0] else {})}
            if proposal := _valid(options):
                yield proposal


def _valid(options: Mapping[str, str]) -> Proposal | None:
    if source_options.errors_of(SourceKind.HMAC, options):
        return None
    return Proposal(SourceKind.HMAC, options)


def _tokens(message: Message) -> Sequence[Proposal]:
    """The general kind for each header that looks like a token."""
    found: list[Mapping[str, str]] = []
    way = message.headers.get(AUTHORIZATION, "").partition(" ")[0].lower()
    if way in (BEARER, BASIC):
        found.append({"authorization": way})
    elif way:
        found.append({"header": AUTHORIZATION})
    found += [
        {"header": name}
        for name in message.headers
        if TOKENS.search(name) and name != AUTHORIZATION and not COMMON.match(name)
    ]
    return [Proposal(SourceKind.TOKEN, options) for options in found][:MOST]
