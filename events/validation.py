"""Validates event sources and their secrets, and the patterns of sources and triggers."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from events.kinds import SourceKind
from events.patterns import PatternError, parse
from events.signatures import VERSION, keys_of
from events.signing_keys import ARN
from moca.sealing import PREFIX

SECRET_ARN = re.compile(r"arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:.+")
# EventBusName of EventBridge's PutRule. A bus of another account is named by its ARN.
BUS_NAME = re.compile(r"[/.\-_A-Za-z0-9:]{1,256}")
# The secrets of GitHub, Slack and Stripe match this. Shorter ones could be guessed.
SECRET = re.compile(r"[!-~]{16,256}")
# Other keys of the same senders, which people confuse with the secret. They sign nothing.
OTHER_KEYS: dict[str, tuple[tuple[str, ...], Any]] = {
    SourceKind.STRIPE: (
        ("sk_", "rk_", "pk_"),
        _(
            "This is an API key of Stripe: enter the signing secret of the endpoint, which begins "
            "with whsec_."
        ),
    ),
    SourceKind.SLACK: (
        ("xox", "xapp-"),
        _(
            "This is a token of Slack: enter the signing secret, which stands under Basic "
            "Information of the app."
        ),
    ),
}
# Kinds whose sender generates the secret and shows it.
MADE_BY_SENDER = {SourceKind.SLACK, SourceKind.STRIPE}
# The number of bytes of a secret in Standard Webhooks.
SECRET_BYTES = range(24, 65)

# The fields of EventBridge's envelope.
FIELDS = (
    *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"),
    "replay-name",
)


def is_bus_open(name: str) -> bool:
    """Whether sources and triggers may listen to an event bus. "" is the default bus."""
    return not name or name in open_buses() or "*" in settings.EVENT_BUSES


def open_buses() -> list[str]:
    """Return the event buses that the settings name."""
    return sorted({settings.EVENT_BUS_NAME, *settings.EVENT_BUSES} - {"*"})


def bus_errors(name: str, *, is_free: bool) -> list[ValidationError]:
    """Find what is wrong with the name of a source's event bus. "" is the default bus.

    Args:
        name: the name.
        is_free: whether the bus may be one that the settings do not name.
    """
    if name and not BUS_NAME.fullmatch(name):
        return [
            ValidationError(_("Give the name of an event bus, such as default."), code="invalid")
        ]
    if is_free or is_bus_open(name):
        return []
    reason = _("Use one of %(buses)s, or have EVENT_BUSES name this one too.")
    buses = ", ".join(open_buses())
    return [ValidationError(reason, code="bus", params={"buses": buses})]


def secret_errors(kind: str, texts: Sequence[str]) -> Iterator[ValidationError]:
    """Find what is wrong with the secrets of a source in the settings. No message quotes one."""
    has_address = kind != SourceKind.BUS
    if has_address and not texts:
        yield ValidationError("Give a list with the secret that senders sign with.")
    if texts and not has_address:
        yield ValidationError("A bus has no senders that sign: leave the secrets out.")
    for text in texts:
        if text.startswith(ARN):
            if not SECRET_ARN.fullmatch(text):
                yield ValidationError(
                    f"{text} is no ARN of a secret, such as "
                    "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
                )
        elif fault := secret_fault(kind, text):
            yield ValidationError(fault)


def pattern_errors(pattern: Any) -> list[ValidationError]:
    """Find what is wrong with an event pattern."""
    try:
        parse(pattern)
    except PatternError as error:
        return [ValidationError(error.full_message, code="pattern")]
    return spelling_errors(pattern)


def spelling_errors(pattern: Any) -> list[ValidationError]:
    """Find keys of a pattern that are another spelling of a field of events.

    The AWS CDK writes `detailType`, for example, and turns it into `detail-type`. As it is written,
    such a pattern is valid, and matches no event.
    """
    reason = _("No event has a field %(key)s: write %(field)s.")
    return [
        ValidationError(reason, code="pattern", params={"key": key, "field": field})
        for key, field in _misspelt(pattern)
    ]


def _misspelt(pattern: Any) -> Iterator[tuple[str, str]]:
    """The keys that are another spelling of a field, each with the field."""
    if not isinstance(pattern, dict):
        return
    for key in pattern:
        field = _FOLDED.get(_fold(key))
        if field and key not in FIELDS:
            yield key, field
    for choice in pattern.get("$or", ()):
        yield from _misspelt(choice)


def _fold(key: str) -> str:
    """A key without what people and tools spell in different ways."""
    return re.sub(r"[-_ ]", "", key).lower()


_FOLDED = {_fold(field): field for field in FIELDS}


def check_secret(kind: str, secret: str) -> None:
    """Check that senders of a kind can sign with a secret.

    Raises:
        ValidationError: the secret is too short, or does not have the form of this kind.
    """
    if not SECRET.fullmatch(secret):
        raise ValidationError(
            _("Give 16 to 256 letters, digits and signs without spaces."), code="invalid"
        )
    is_encoded = kind == SourceKind.WEBHOOK and secret.removeprefix(VERSION).startswith(PREFIX)
    if is_encoded and not all(len(key) in SECRET_BYTES for key in keys_of(kind, secret) or [b""]):
        raise ValidationError(_("After whsec_, give the base64 of 24 to 64 bytes."), code="invalid")
    if fault := secret_fault(kind, secret):
        raise ValidationError(fault, code="invalid")


def secret_fault(kind: str, secret: str) -> Any:
    """Say why no sender of a kind signs with a secret, without quoting it. "" if one may."""
    if not keys_of(kind, secret):
        return _("A secret is empty, or is no base64 after whsec_: copy it once more, whole.")
    if not secret.isprintable():
        return _("A secret holds a line break, a tab or the like: copy the secret alone.")
    if secret.startswith("{"):
        return _("A secret is a JSON object: give the text of the secret alone.")
    prefixes, message = OTHER_KEYS.get(kind, ((), ""))
    return message if secret.startswith(prefixes) else ""
