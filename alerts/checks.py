"""System checks that tell operators at start what is wrong with the settings of alerts."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from moca import mail
from moca.checks import errors


@register()
def check_alerts(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the mail server, the sender and the address of the pages."""
    url = settings.PUBLIC_URL
    return errors(
        (
            bool(settings.EMAIL_URL) and not _is_mail_server(settings.EMAIL_URL),
            # The value has a password.
            "EMAIL_URL is not the URL of a mail server.",
            "Give one such as smtp+tls://USER:PASSWORD@HOST:587, with %40 for @ in the password.",
            "E080",
        ),
        (
            not mail.is_address(settings.EMAIL_FROM),
            f"EMAIL_FROM is {settings.EMAIL_FROM!r}, which has no e-mail address.",
            "Give an address, or a name and an address: Moca <moca@example.com>.",
            "E081",
        ),
        (
            bool(url) and not _is_address(url),
            f"PUBLIC_URL is {url!r}, which is no http(s) URL.",
            "Give the address of the pages and of the API: https://triggers.example.com.",
            "E082",
        ),
    )


def _is_mail_server(url: str) -> bool:
    try:
        mail.parsed(url)
    except mail.MailError:
        return False
    return True


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_plain
