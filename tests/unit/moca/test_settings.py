"""Invalid environment variables: a start fails with a message that names the variable."""

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
        ("SCHEDULER_CONCURRENCY", "abc", "set it to a whole number from 1 to 100000."),
        ("EXECUTION_TTL_DAYS", "-1", "set it to a whole number from 1 to 3650."),
        ("LOG_LEVEL", "LOUD", "set it to one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("DATABASE_URL", "foo", "DATABASE_URL is no database's URL"),
        ("DATABASE_URL", "dynamodb://", "'' is no DynamoDB table's name"),
        ("TRIGGERS_TABLE_NAME", "a/b", "'a/b' is no DynamoDB table's name"),
        ("MOCA_DATA_DIR", "/dev/null", "SECRET_KEY is not set, and /dev/null cannot keep one"),
        ("AGENT_PROMPT_TEMPLATE", "/nowhere.md", "AGENT_PROMPT_TEMPLATE, /nowhere.md, cannot be"),
        ("AGENT_AUTH", "static", "AGENT_AUTH is set, but AGENT_API_URL is not"),
        ("TRUST_PROXY_HEADERS", "tru", "TRUST_PROXY_HEADERS is 'tru': set it to true or false."),
        ("ALLOWED_HOSTS", "https://a.example.com", "ALLOWED_HOSTS has 'https://a.example.com'"),
        ("ALLOWED_HOSTS", "a.example.com:8000", "ALLOWED_HOSTS has 'a.example.com:8000'"),
        ("ALLOWED_HOSTS", "a.example.com b.example.com", "ALLOWED_HOSTS has"),
        ("ALLOWED_HOSTS", "", "ALLOWED_HOSTS is empty"),
        ("CSRF_TRUSTED_ORIGINS", "a.example.com", "CSRF_TRUSTED_ORIGINS has 'a.example.com'"),
        ("CSRF_TRUSTED_ORIGINS", "https://a.com/", "CSRF_TRUSTED_ORIGINS has 'https://a.com/'"),
        ("CORS_ALLOWED_ORIGINS", "https://a.com/", "CORS_ALLOWED_ORIGINS has 'https://a.com/'"),
        ("CORS_ALLOWED_ORIGINS", "app.example.com", "CORS_ALLOWED_ORIGINS has"),
        ("CORS_ALLOWED_ORIGINS", "https://*.example.com", "A single * stands for every origin."),
        ("CORS_ALLOWED_ORIGINS", "null", "CORS_ALLOWED_ORIGINS has 'null'"),
        ("FORCE_SCRIPT_NAME", "web", "FORCE_SCRIPT_NAME is 'web', which is no path."),
        ("COGNITO_JWKS_URL", "keys.example.com", "COGNITO_JWKS_URL is 'keys.example.com'"),
        ("SESSION_URL", "chat/{sessionId}", "SESSION_URL is 'chat/{sessionId}'"),
        ("MAX_TRIGGERS_PER_USER", "-3", "set it to a whole number from 1 to 100000."),
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


def test_what_fits_is_taken_in_any_usual_form() -> None:
    told = start(
        ALLOWED_HOSTS=".example.com, [::1],10.0.0.1 ,*",
        CSRF_TRUSTED_ORIGINS="https://*.example.com, http://localhost:3000",
        CORS_ALLOWED_ORIGINS="*, https://app.example.com:8443",
        FORCE_SCRIPT_NAME="/tools/web/",
        TRUST_PROXY_HEADERS="Yes",
        SESSION_URL="https://chat.example.com/{sessionId}",
    )
    assert told == "fine"


@pytest.mark.parametrize("port", ["eighty", "-1", "0", "70000", ""])
def test_a_port_that_is_none_is_named(port: str) -> None:
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "moca.settings", "PORT": port},
        capture_output=True,
        text=True,
    )
    assert f"PORT is {port!r}: set it to a number from 1 to 65535." in done.stderr
