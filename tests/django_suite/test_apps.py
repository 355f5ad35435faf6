"""Django's own test apps on DynamoDB: they fail where refusals.txt says so, and nowhere else.

A line there is a test's id; the comment above it is the reason.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from .source import django_tests

pytestmark = pytest.mark.dynamodb

APPS = [
    "admin_changelist",
    "basic",
    "bulk_create",
    "custom_pk",
    "datatypes",
    "dates",
    "datetimes",
    "defer",
    "delete",
    "empty",
    "field_defaults",
    "fixtures",
    "force_insert_update",
    "from_db_value",
    "get_earliest_or_latest",
    "get_object_or_404",
    "get_or_create",
    "lookup",
    "model_fields",
    "model_forms",
    "null_queries",
    "or_lookups",
    "ordering",
    "pagination",
    "properties",
    "save_delete_hooks",
    "sessions_tests",
    "signals",
    "str",
    "string_lookup",
    "timezones",
    "transaction_hooks",
    "transactions",
    "update",
    "update_only_fields",
    "validation",
    "xor_lookups",
]
REFUSALS = [
    line
    for line in Path(__file__).with_name("refusals.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def app_of(test: str) -> str:
    """The app of a test's id, which may be as in `setUpClass (app.tests.Tests)`."""
    return test.rpartition("(")[2].partition(".")[0]


@pytest.fixture(scope="session")
def tests_folder() -> Path:
    try:
        return django_tests()
    except subprocess.CalledProcessError:
        if os.environ.get("CI"):
            raise
        pytest.skip("pip cannot fetch Django's source distribution")


def test_refusals_are_of_apps_that_are_run() -> None:
    assert {app_of(test) for test in REFUSALS} - set(APPS) == set()


def test_refusals_are_listed_once() -> None:
    assert sorted(REFUSALS) == sorted(set(REFUSALS))


@pytest.mark.parametrize("app", APPS)
def test_app_fails_where_it_is_expected_to(app: str, tests_folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "runtests.py", "--settings=tests.django_suite.settings", app],
        cwd=tests_folder,
        env={
            **os.environ,
            "PYTHONPATH": str(settings.BASE_DIR),
            "TEST_RESULTS": str(results),
            "TEST_TABLE": f"django-{app}",
        },
        capture_output=True,
        text=True,
    )
    assert results.exists(), done.stdout + done.stderr
    outcome = json.loads(results.read_text())
    failed = outcome["failed"]
    expected = {test for test in REFUSALS if app_of(test) == app}
    assert outcome["run"]
    assert {test: failed[test] for test in failed.keys() - expected} == {}, "these fail"
    assert expected - failed.keys() == set(), "these pass: take them out of refusals.txt"
