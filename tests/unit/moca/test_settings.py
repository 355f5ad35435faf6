"""Settings that are wrong end with a line that names them."""

import os
import subprocess
import sys

import pytest
from django.conf import settings


def start(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "check"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "moca.settings", **environment},
        capture_output=True,
        text=True,
    )
    return done.stderr if done.returncode else "fine"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SCHEDULER_CONCURRENCY", "abc", "set it to a whole number from 1 to 1000."),
        ("EXECUTION_TTL_DAYS", "-1", "set it to a whole number from 1 to 3650."),
        ("LOG_LEVEL", "LOUD", "set it to one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("DATABASE_URL", "foo", "DATABASE_URL is no database's URL"),
        ("AGENT_PROMPT_TEMPLATE", "/nowhere.md", "AGENT_PROMPT_TEMPLATE, /nowhere.md, cannot be"),
        ("AGENT_AUTH", "static", "AGENT_AUTH is set, but AGENT_API_URL is not"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str, told: str) -> None:
    error = start(**{name: value})
    assert (told in error, "Traceback" in error) == (True, False)
