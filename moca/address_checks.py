"""System checks of settings that are hosts, origins, paths and URLs.

The application compares these with requests letter by letter. Without a check, a value in another
form would silently match nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from moca.checks import Rule, errors
from moca.prefixes import PREFIX

HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?")
# In a trusted origin, Django accepts a star for any subdomain.
FORM_ORIGIN = re.compile(ORIGIN.pattern.replace("//(", r"//(\*\.)?(", 1))


@register()
def check_addresses(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the form of each setting; errors name the setting and the invalid value."""
    prefix = settings.FORCE_SCRIPT_NAME or ""
    origin = "Write scheme and host in lower case, without a path or a slash at the end: {}."
    urls = {
        name: getattr(settings, name) for name in ("COGNITO_JWKS_URL", "SESSION_URL", "PUBLIC_URL")
    }
    return errors(
        (
            not settings.ALLOWED_HOSTS and not settings.DEBUG,
            "ALLOWED_HOSTS is empty, so that every request is refused.",
            "Set it to the names by which browsers reach this server, with commas between.",
            "E040",
        ),
        *_each(
            "ALLOWED_HOSTS",
            HOST,
            "no host's name",
            "Write the name alone, without scheme, port and path: triggers.example.com.",
            "E040",
        ),
        *_each(
            "CSRF_TRUSTED_ORIGINS",
            FORM_ORIGIN,
            "no origin",
            origin.format("https://triggers.example.com"),
            "E041",
        ),
        *_each(
            "CORS_ALLOWED_ORIGINS",
            ORIGIN,
            "no origin",
            origin.format("https://app.example.com") + " A single * stands for every origin.",
            "E042",
        ),
        (
            bool(prefix) and not PREFIX.fullmatch(prefix),
            f"FORCE_SCRIPT_NAME is {prefix!r}, which is no path.",
            "Begin with a slash, and use letters, digits and . _ ~ - besides: /web.",
            "E043",
        ),
        *(
            (
                bool(value) and not _is_url(value),
                f"{name} is {value!r}, which is no http(s) URL.",
                "Begin it with https:// and the host.",
                "E044",
            )
            for name, value in urls.items()
        ),
    )


def _each(
    name: str, pattern: re.Pattern[str], what: str, hint: str, check_id: str
) -> Iterator[Rule]:
    """A rule for each value of a setting that is a list."""
    for value in getattr(settings, name):
        fault = f"{name} has {value!r}, which is {what}."
        yield not pattern.fullmatch(value), fault, hint, check_id


def _is_url(text: str) -> bool:
    # Django's URLValidator refuses hosts without a dot, such as those of containers.
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
