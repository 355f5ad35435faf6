"""Validates the secrets and options of event sources."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from events import options
from events.kinds import SourceKind
from events.schemes.hmac import BASE64, HEX, STANDARD, VERSION, HmacScheme
from events.schemes.public_key import PublicKeyScheme
from events.schemes.sns import SnsScheme
from events.senders import Sender
from events.signing_keys import is_reference
from moca.sealing import PREFIX

SECRET_ARN = re.compile(r"arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:.+")
# The secrets of all senders match this. Shorter ones could be guessed.
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
# The number of bytes of a secret in Standard Webhooks.
SECRET_BYTES = range(24, 65)


def options_errors(kind: str, given: Any) -> list[ValidationError]:
    """Find what is wrong with the options of a source."""
    found = options.errors_of(kind, given)
    return [_named(name, error) for name, error in found.items()]


def _named(name: str, error: ValidationError) -> ValidationError:
    """An error of one option, with its name before the message."""
    if not name:
        return error
    reason = "%(name)s: %(reason)s"
    params = {"name": name, "reason": " ".join(error.messages)}
    return ValidationError(reason, code=error.code, params=params)


def secret_errors(sender: Sender, texts: Sequence[str]) -> Iterator[ValidationError]:
    """Find what is wrong with the secrets of a source in the settings. No message quotes one."""
    if sender.has_address and not texts:
        yield ValidationError("Give a list with the secret that senders sign with.")
    if texts and not sender.has_address:
        yield ValidationError("A bus has no senders that sign: leave the secrets out.")
    for text in texts:
        if is_reference(text):
            if not SECRET_ARN.fullmatch(text):
                yield ValidationError(
                    f"{text} is no ARN of a secret, such as "
                    "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
                )
        elif fault := secret_fault(sender, text):
            yield ValidationError(fault)


def check_secret(kind: str, secret: str, given: Mapping[str, Any] | None = None) -> None:
    """Check that senders of a kind can sign with a secret.

    Args:
        kind: the source's kind.
        secret: the secret.
        given: the source's options, which are valid.

    Raises:
        ValidationError: the secret is too short, or does not have the form of this sender's.
    """
    sender = options.sender_of(kind, "", given)
    if not SECRET.fullmatch(secret):
        raise ValidationError(
            _("Give 16 to 256 letters, digits and signs without spaces."), code="invalid"
        )
    scheme = sender.scheme
    is_encoded = (
        isinstance(scheme, HmacScheme)
        and scheme.key == STANDARD
        and secret.removeprefix(VERSION).startswith(PREFIX)
    )
    if is_encoded and not all(len(key) in SECRET_BYTES for key in _keys(sender, secret) or [b""]):
        raise ValidationError(_("After whsec_, give the base64 of 24 to 64 bytes."), code="invalid")
    if fault := secret_fault(sender, secret):
        raise ValidationError(fault, code="invalid")


def secret_fault(sender: Sender, secret: str) -> Any:
    """Say why a sender does not sign with a secret, without quoting it. "" if it may."""
    if not _keys(sender, secret):
        return _unusable(sender)
    if not secret.isprintable():
        return _("A secret holds a line break, a tab or the like: copy the secret alone.")
    if secret.startswith("{"):
        return _("A secret is a JSON object: give the text of the secret alone.")
    prefixes, message = OTHER_KEYS.get(sender.kind, ((), ""))
    return message if secret.startswith(prefixes) else ""


def _keys(sender: Sender, secret: str) -> list[bytes]:
    return sender.scheme.keys(secret) if sender.scheme else []


def _unusable(sender: Sender) -> Any:
    """Say what a secret has to be of which the scheme can make no key."""
    match sender.scheme:
        case SnsScheme():
            return _(
                "Give the ARN of the topic, such as arn:aws:sns:eu-central-1:123456789012:orders."
            )
        case PublicKeyScheme():
            return _("This is no public key: copy the one that the sender shows, whole.")
        case HmacScheme(key=form) if form in (HEX, BASE64):
            return _("The secret is not written in the form that the option key names.")
    return _("A secret is empty, or is no base64 after whsec_: copy it once more, whole.")
