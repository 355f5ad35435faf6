"""What the handler's Lambda function loads before its first event.

A cold start waits for each of these modules. What an ordinary run needs is loaded here, while
Lambda grants more CPU. Everything else is loaded when an event first needs it.
"""

import os
import subprocess
import sys

import pytest

LOAD = """
import gc, sys
import executions.lambda_handler
from moca.dynamodb import client
print("gc:", gc.isenabled(), "clients:", len(client._clients))
print("senders:", "events.senders" in sys.modules)
for name, module in sorted(sys.modules.items()):
    if "site-packages" in (getattr(module, "__file__", None) or ""):
        print("module:", name)
"""
# The libraries that the handler and Django need to run a schedule in DynamoDB.
LIBRARIES = {
    *(
        "anyio",
        "asgiref",
        "botocore",
        "certifi",
        "dateutil",
        "django",
        "environ",
        "h11",
        "httpcore",
    ),
    *("httpx", "idna", "jmespath", "six", "sqlparse", "typing_extensions", "tzdata", "urllib3"),
}
# Only a checkout has them: httpx tries to load its command line, and pip adds its finders.
ONLY_HERE = {
    "click",
    "pygments",
    "rich",
    "_distutils_hack",
    "__editable___moca_triggers_0_1_0_finder",
}
UNNEEDED = [
    "django.contrib.admin",
    "django.contrib.auth.models",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.core.handlers",
    "django.db.backends.sqlite3",
    "django.db.migrations",
    "django.template.defaulttags",
    "django.views.debug",
    "httpx._main",
]


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """The lines that a new interpreter prints after it has loaded the handler, as on Lambda."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": "moca-triggers-handler",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "DJANGO_SETTINGS_MODULE": "moca.handler_settings",
        "TRIGGERS_TABLE_NAME": "moca-triggers",
    }
    command = [sys.executable, "-c", LOAD]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def modules(loaded: list[str]) -> list[str]:
    return [line.removeprefix("module: ") for line in loaded if line.startswith("module: ")]


def test_libraries_are_those_of_a_run(loaded: list[str]) -> None:
    assert {name.split(".")[0] for name in modules(loaded)} - LIBRARIES - ONLY_HERE == set()


@pytest.mark.parametrize("name", UNNEEDED)
def test_part_of_django_that_no_run_needs_is_not_loaded(loaded: list[str], name: str) -> None:
    assert [one for one in modules(loaded) if one == name or one.startswith(f"{name}.")] == []


def test_client_of_dynamodb_is_ready_and_memory_is_collected_again(loaded: list[str]) -> None:
    assert "gc: True clients: 1" in loaded


def test_senders_of_events_are_not_loaded(loaded: list[str]) -> None:
    """The handler gets events from the bus, and verifies no signature."""
    assert "senders: False" in loaded


def test_number_of_modules_stays_small(loaded: list[str]) -> None:
    found = [name for name in modules(loaded) if name.split(".")[0] not in ONLY_HERE]
    assert len(found) <= 395
