"""System checks of settings that are hosts, origins, paths and URLs.

The application compares these with requests letter by letter. Without a check, a value in another
form would silently match nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from moca.prefixes import PREFIX

HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?")
# In a trusted origin, Django accepts a star for any subdomain.
FORM_ORIGIN = re.compile(ORIGIN.pattern.replace("//(", r"//(\*\.)?(", 1))


@register()
def check_addresses(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the form of each setting; errors name the setting and the invalid value."""
    return [*_hosts(), *_origins(), *_prefix(), *_urls()]


def _hosts() -> Iterator[CheckMessage]:
    if not settings.ALLOWED_HOSTS and not settings.DEBUG:
        yield Error(
            "ALLOWED_HOSTS is empty, so that every request is refused.",
            hint="Set it to the names by which browsers reach this server, with commas between.",
            id="moca.E040",
        )
    yield from _wrong(
        "ALLOWED_HOSTS",
        HOST.fullmatch,
        "no host's name",
        "Write the name alone, without scheme, port and path: triggers.example.com.",
        "moca.E040",
    )


def _origins() -> Iterator[CheckMessage]:
    hint = "Write scheme and host in lower case, without a path or a slash at the end: {}."
    yield from _wrong(
        "CSRF_TRUSTED_ORIGINS",
        FORM_ORIGIN.fullmatch,
        "no origin",
        hint.format("https://triggers.example.com"),
        "moca.E041",
    )
    yield from _wrong(
        "CORS_ALLOWED_ORIGINS",
        ORIGIN.fullmatch,
        "no origin",
        hint.format("https://app.example.com") + " A single * stands for every origin.",
        "moca.E042",
    )


def _wrong(
    name: str, is_right: Callable[[str], Any], what: str, hint: str, check_id: str
) -> Iterator[CheckMessage]:
    for value in getattr(settings, name):
        if not is_right(value):
            yield Error(f"{name} has {value!r}, which is {what}.", hint=hint, id=check_id)


def _prefix() -> Iterator[CheckMessage]:
    prefix = settings.FORCE_SCRIPT_NAME
    if prefix and not PREFIX.fullmatch(prefix):
        yield Error(
            f"FORCE_SCRIPT_NAME is {prefix!r}, which is no path.",
            hint="Begin with a slash, and use letters, digits and . _ ~ - besides: /web.",
            id="moca.E043",
        )


def _urls() -> Iterator[CheckMessage]:
    for name in ("COGNITO_JWKS_URL", "SESSION_URL"):
        value = getattr(settings, name)
        if value and not _is_url(value):
            yield Error(
                f"{name} is {value!r}, which is no http(s) URL.",
                hint="Begin it with https:// and the host.",
                id="moca.E044",
            )


def _is_url(text: str) -> bool:
    # Django's URLValidator refuses hosts without a dot, such as those of containers.
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
