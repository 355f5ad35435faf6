"""One line that says how far a run of the tests is, in place of a dot for each test.

A terminal shows it anew with each test; a log gets it every some seconds. `pytest -v` names
each test instead.
"""

import time
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from django.conf import settings

# Between two lines of a log.
SECONDS = 15
# Between two updates of a terminal.
FRAME_SECONDS = 0.1


class Progress:
    """A plugin of pytest, which the process registers that reports to a person.

    Args:
        reporter: pytest's own, which writes to the terminal.
    """

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter
        self._pause = FRAME_SECONDS if reporter.isatty else SECONDS
        self._started = self._written = time.monotonic()
        self._total = self._done = self._failed = 0
        self._file = ""
        # It would name each file.
        reporter.showfspath = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._file = nodeid.partition("::")[0]

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        category, *_ = yield
        return category, "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed += 1
            self._reporter.ensure_newline()
            self._reporter.write_line(f"FAILED {report.nodeid}", red=True)

    def pytest_runtest_logfinish(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._written < self._pause and self._done != self._total:
            return
        self._written = now
        if self._reporter.isatty:
            width = self._reporter._screen_width - 1
            self._reporter.rewrite(self._line()[:width], erase=True)
        else:
            self._reporter.write_line(self._line())

    def _line(self) -> str:
        share = 100 * self._done // max(self._total, 1)
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        failed = f", {self._failed} failed" if self._failed else ""
        return (
            f"{settings.TEST_DATABASE} {share:3} %: {self._done:,} of {self._total:,} tests"
            f"{failed} after {minutes}:{seconds:02}, now {self._file}"
        )
