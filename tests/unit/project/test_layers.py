"""Who may import whom, read from the sources."""

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.unit.project.imports import read_tree

ROOT = Path(__file__).resolve().parents[3]
# Which packages may import which others.
MAY_IMPORT = {
    "console": {"executions", "agents", "triggers", "events", "alerts", "moca"},
    "executions": {"agents", "triggers", "events", "alerts", "moca"},
    "triggers": {"events", "alerts", "moca"},
    "events": {"alerts", "moca"},
    "alerts": {"moca"},
    "agents": {"moca"},
    "moca": set(),
    "moca.dynamodb": set(),
    "infra": {"triggers"},
}
PACKAGES = [name for name in MAY_IMPORT if "." not in name]
# Wiring, which knows the whole application.
EXEMPT = {"moca/urls.py"}
# The libraries that these may load, also through other modules of ours; Django and AWS are none.
# The package `moca` itself sees to the time zones' data.
KNOWS_ONLY = {
    "agents": {"aiohttp", "httpx", "tzdata", "uvloop", "yarl"},
    "events.patterns": {"tzdata"},
    "triggers.schedules": {"tzdata"},
}
# The only places that may know a library. All that are used stand here, but for Django, and those
# of the standard library by which calls could leave.
HTTP = [
    "agents/*",
    "moca/authentication/*",
    "alerts/channels/webhook.py",
    "executions/dead_man.py",
    "events/schemes/sns.py",
]
KNOWN_IN = {
    "aiohttp": ["agents/loop.py"],
    "apprise": ["alerts/channels/apprise.py"],
    "boto3": [],
    "botocore": [
        "moca/dynamodb/*",
        "moca/aws/*",
        "events/buses/eventbridge.py",
        "triggers/schedulers/eventbridge.py",
        "executions/dispatchers/aws_lambda.py",
    ],
    "apig_wsgi": ["executions/lambda_http.py"],
    "corsheaders": ["moca/api/*"],
    "cryptography": [
        "alerts/channel_secrets.py",
        "events/schemes/public_key.py",
        "events/schemes/sns.py",
        "events/signing_keys.py",
        "moca/sealing.py",
        "moca/authentication/*",
    ],
    "csp": ["moca/content_security.py"],
    "drf_spectacular": ["moca/api/*"],
    "environ": ["moca/settings.py", "moca/mail.py", "moca/management/commands/copy_database.py"],
    "http.client": HTTP,
    "httpcore": HTTP,
    "httpx": [*HTTP, "executions/dead_man.py"],
    "jsonschema": ["moca/bounded_schema.py"],
    "jwt": ["moca/authentication/*"],
    "markdown_it": ["console/markdown.py"],
    "opentelemetry": ["moca/otel.py"],
    "oauthlib": ["moca/authentication/*"],
    "referencing": ["moca/bounded_schema.py"],
    "requests": HTTP,
    "smtplib": ["alerts/channels/email.py"],
    "standardwebhooks": ["alerts/channels/webhook.py"],
    "rest_framework": ["*/api/*", "*/serializers.py", "moca/authentication/api.py"],
    "tzdata": ["moca/zone_data.py", "infra/*"],
    "urllib.request": HTTP,
    "urllib3": HTTP,
    "uvloop": ["agents/loop.py"],
    "waitress": ["moca/server.py"],
    "yarl": ["agents/loop.py"],
    "yaml": ["moca/entries.py", "triggers/import_export/*"],
}

tree = read_tree(ROOT, PACKAGES, exempt=EXEMPT)


def test_there_are_no_circles() -> None:
    assert tree.circle() == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_downwards_only(package: str) -> None:
    assert tree.importing(package, {*PACKAGES} - MAY_IMPORT[package] - {package}) == set()


@pytest.mark.parametrize("package", KNOWS_ONLY)
def test_package_knows_neither_django_nor_aws(package: str) -> None:
    assert tree.reaching(package, KNOWS_ONLY[package]) == set()


@pytest.mark.parametrize("library", KNOWN_IN)
def test_library_is_known_in_its_places_only(library: str) -> None:
    places = KNOWN_IN[library]
    users = {
        path for path in tree.users(library) if not any(fnmatch(path, each) for each in places)
    }
    assert users == set()


def test_each_library_has_its_places() -> None:
    assert tree.libraries() - {"django", *KNOWN_IN} == set()


def test_imports_within_functions_say_what_time_they_save() -> None:
    assert tree.unexplained() == set()
