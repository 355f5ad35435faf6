"""Connections to the mail server that EMAIL_URL names; alerts send by them."""

from email.utils import parseaddr
from functools import cache
from typing import Any

import environ
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from moca.aws.secrets_manager import secret

# Seconds after which a mail server that does not answer counts as down.
SECONDS = 15

# The port at which TLS begins with the connection.
IMPLICIT_TLS = 465

# Django's names of a backend's arguments, by the settings that django-environ reads from a URL.
ARGUMENTS = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_FILE_PATH": "file_path",
}


class MailError(Exception):
    """The installation has no mail server, or EMAIL_URL is wrong; the message has no secret."""


def is_set() -> bool:
    """Whether this installation can send e-mail."""
    return bool(settings.EMAIL_URL or settings.EMAIL_URL_ARN)


def connection() -> BaseEmailBackend:
    """A new connection, not yet open.

    Raises:
        MailError: no mail server is set, or EMAIL_URL cannot be read.
        SecretError: the secret of EMAIL_URL_ARN cannot be read.
    """
    if not is_set():
        raise MailError("EMAIL_URL is not set.")
    found = parsed(settings.EMAIL_URL or secret(settings.EMAIL_URL_ARN, "EMAIL_URL_ARN").strip())
    given = {name: found[key] for key, name in ARGUMENTS.items() if found.get(key)}
    made: BaseEmailBackend = get_connection(found["EMAIL_BACKEND"], timeout=SECONDS, **given)
    return made


def sender() -> str:
    """The address that e-mails come from."""
    return str(settings.EMAIL_FROM)


@cache
def parsed(url: str) -> dict[str, Any]:
    """Django's settings in the URL of a mail server.

    Raises:
        MailError: it is no such URL.
    """
    try:
        found: dict[str, Any] = environ.Env.email_url_config(url)
        port = found.get("EMAIL_PORT")
    except Exception as error:
        raise MailError(
            "EMAIL_URL cannot be read: give one such as smtp+tls://USER:PASSWORD@HOST:587."
        ) from error
    if not found.get("EMAIL_BACKEND") or (port is None and "smtp" in found["EMAIL_BACKEND"]):
        raise MailError("EMAIL_URL names no port: give one such as smtp+tls://HOST:587.")
    if port == IMPLICIT_TLS:
        # The library takes smtps:// for STARTTLS, which a server at this port does not speak.
        found = {**found, "EMAIL_USE_SSL": True, "EMAIL_USE_TLS": False}
    return found


def is_address(text: str) -> bool:
    """Whether EMAIL_FROM has an address, with or without a name before it."""
    return "@" in parseaddr(text)[1]
