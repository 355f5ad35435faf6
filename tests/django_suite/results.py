"""What became of Django's tests, written down for the process that started them."""

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    def printErrors(self) -> None:  # noqa: N802
        """Leave it to the other process; a description may hold a query, which has no text here."""


class Runner(DiscoverRunner):
    """Writes the tests that failed, with their tracebacks, to the file TEST_RESULTS."""

    def setup_databases(self, **kwargs: Any) -> Any:
        # They write more rows at once than a transaction takes, and join them.
        post_migrate.disconnect(create_contenttypes)
        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
        return super().setup_databases(**kwargs)

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        return Result

    def run_suite(self, suite: unittest.TestSuite, **kwargs: Any) -> Any:
        result = super().run_suite(suite, **kwargs)
        failed = {
            getattr(test, "test_case", test).id(): traceback
            for test, traceback in [*result.failures, *result.errors]
        }
        failed |= {test.id(): "unexpected success" for test in result.unexpectedSuccesses}
        Path(os.environ["TEST_RESULTS"]).write_text(
            json.dumps({"run": result.testsRun, "failed": failed})
        )
        return result
