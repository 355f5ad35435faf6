"""Validates the fields of channels and rules, for their models and forms."""

from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

# The most addresses of a channel.
MOST_RECIPIENTS = 50


def check_recipients(value: str) -> None:
    """Accept e-mail addresses with spaces, commas or lines between them."""
    addresses = split_recipients(value)
    if len(addresses) > MOST_RECIPIENTS:
        raise ValidationError(
            _("Give at most %(number)s addresses.") % {"number": MOST_RECIPIENTS}, code="many"
        )
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError(
                _("%(address)s is no e-mail address.") % {"address": address}, code="address"
            ) from error


def split_recipients(value: str) -> list[str]:
    """The addresses in a text, each once."""
    return list(dict.fromkeys(value.replace(",", " ").replace(";", " ").split()))


def check_url(value: str) -> None:
    """Accept the address of a receiver of webhooks."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        valid = valid and parts.port != 0 and not (parts.username or parts.password)
    except ValueError:
        valid = False
    if not valid or value != value.strip() or any(sign <= " " for sign in value):
        raise ValidationError(
            _("Give an http or https URL without a user name and password."), code="address"
        )


def check_zone(value: str) -> None:
    """Accept the name of a time zone."""
    if value not in available_timezones():
        raise ValidationError(
            _("There is no such time zone: give a name such as Europe/Berlin."), code="zone"
        )
