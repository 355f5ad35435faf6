"""Settings that are wrong end with a line that names them."""

import os
import subprocess
import sys

import pytest
from django.conf import settings


def start(**environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "check"],
        env={**clean, "DJANGO_SETTINGS_MODULE": "moca.settings", **environment},
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
        ("DATABASE_URL", "dynamodb://", "'' is no DynamoDB table's name"),
        ("TRIGGERS_TABLE_NAME", "a/b", "'a/b' is no DynamoDB table's name"),
        ("MOCA_DATA_DIR", "/dev/null", "SECRET_KEY is not set, and /dev/null cannot keep one"),
        ("AGENT_PROMPT_TEMPLATE", "/nowhere.md", "AGENT_PROMPT_TEMPLATE, /nowhere.md, cannot be"),
        ("AGENT_AUTH", "static", "AGENT_AUTH is set, but AGENT_API_URL is not"),
        ("EVENT_SOURCES_CONFIG", "- shop", "EVENT_SOURCES_CONFIG[0] is no map with id and name"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str, told: str) -> None:
    error = start(**{name: value})
    assert (told in error, "Traceback" in error) == (True, False)


@pytest.mark.parametrize("url", ["sqlite:///x.db", "dynamodb://other", "dynamodb-local://other"])
def test_two_databases_contradict_each_other(url: str) -> None:
    error = start(TRIGGERS_TABLE_NAME="triggers", DATABASE_URL=url)
    assert "and DATABASE_URL names another database: unset one of them." in error


def test_a_table_needs_no_data_directory() -> None:
    told = start(TRIGGERS_TABLE_NAME="triggers", MOCA_DATA_DIR="/dev/null", SECRET_KEY="x" * 50)
    assert told == "fine"
