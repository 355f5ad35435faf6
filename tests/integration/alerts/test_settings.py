"""Mistakes in the settings of alerts are named at the start, without the password."""

from typing import Any

import pytest
from django.core.checks import run_checks

from moca import mail

GOOD = "smtp+tls://user:p%40ss@mail.example.com:587"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("EMAIL_URL", GOOD, []),
        ("EMAIL_URL", "bogus://x", ["moca.E080"]),
        ("EMAIL_URL", "smtp://host", ["moca.E080"]),
        ("EMAIL_URL", "smtp://user:pass word@host:port", ["moca.E080"]),
        ("EMAIL_FROM", "Moca", ["moca.E081"]),
        ("EMAIL_FROM", "Moca <moca@example.com>", []),
        ("PUBLIC_URL", "triggers.example.com", ["moca.E082"]),
        ("PUBLIC_URL", "https://triggers.example.com/web", []),
    ],
)
def test_check(settings: Any, name: str, value: str, found: list[str]) -> None:
    setattr(settings, name, value)
    ids = {"moca.E080", "moca.E081", "moca.E082"}
    assert [each.id for each in run_checks() if each.id in ids] == found


@pytest.mark.parametrize(
    ("url", "tls", "ssl"),
    [
        (GOOD, True, False),
        ("smtp+ssl://user:p@mail.example.com:465", False, True),
        # The library takes this for STARTTLS, which servers at this port do not speak.
        ("smtps://user:p@mail.example.com:465", False, True),
        ("smtp://mail.example.com:25", False, False),
    ],
)
def test_encryption(settings: Any, url: str, tls: bool, ssl: bool) -> None:
    settings.EMAIL_URL = url
    made: Any = mail.connection()
    assert (bool(made.use_tls), bool(made.use_ssl)) == (tls, ssl)
