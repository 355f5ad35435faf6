"""The codes of reasons: each is read back as it was stored, and those of runs are documented."""

import re
from pathlib import Path

import pytest

import events.failures  # noqa: F401
import executions.failures
import triggers.failures
from agents import errors
from executions.outcomes import outcome_of
from moca.reasons import columns
from moca.sentences import CODES, Code, Reason, restored
from triggers.models import Outcome, RunStatus

ROOT = Path(__file__).resolve().parents[3]
PART = re.compile(r"%\((\w+)\)s")
IN_WORDS = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def example(code: Code) -> Reason:
    """A reason of a code, each part of which is a reason itself."""
    parts = {name: executions.failures.RUNS(number=3) for name in PART.findall(code.template)}
    return code(**parts)


@pytest.mark.parametrize("name", CODES)
def test_each_is_read_back_as_it_was_stored(name: str) -> None:
    reason = example(CODES[name])
    stored = columns("error", reason)
    assert restored(stored["error_code"], stored["error_params"]) == reason


@pytest.mark.parametrize("name", CODES)
def test_each_fits_its_field(name: str) -> None:
    assert len(name) <= 50


def test_what_was_added_is_read_back() -> None:
    reason = errors.TIMED_OUT(seconds="5").adding(errors.TRIED, number=3)
    assert restored("timed_out", reason.params) == "timed out after 5 s; tried 3 times"


def test_long_parts_are_cut() -> None:
    reason = errors.HTTP_STATUS(who=errors.AGENT, answer="500").adding(
        errors.QUOTED, quoted="x" * 9000
    )
    stored = columns("last_error", reason, 500)
    assert stored["last_error_params"]["more"] == [
        {"code": "quoted", "params": {"quoted": "x" * 500}}
    ]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("of a newer edition", {}),
        ("http_status", {"who": {"code": "of a newer edition", "params": {}}}),
        ("http_status", {"who": ["odd"], "answer": None}),
        ("http_status", ["odd"]),
        ("timed_out", {"seconds": "5", "more": "odd"}),
        ("paused", {"error": {"code": "paused", "params": {"error": {"code": "paused"}}}}),
    ],
)
def test_what_cannot_be_read_is_no_reason(name: str, params: object) -> None:
    assert restored(name, params) is None


def test_two_codes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two codes timed_out"):
        Code("timed_out", "timed out otherwise")


def test_codes_of_failed_runs_are_in_the_documents() -> None:
    told = set(IN_WORDS.findall((ROOT / "docs" / "runs.md").read_text()))
    named = {
        code.name
        for code in vars(errors).values()
        if isinstance(code, Code) and "%(reason)s" not in code.template
    }
    failures = executions.failures
    of_runs = [failures.LOST, failures.NOT_PICKED_UP, failures.CLOSED, failures.INTERNAL_ERROR]
    of_runs += [failures.SHUT_DOWN, failures.TRIGGER_DELETED, failures.OVERTAKEN]
    of_runs += [failures.NOT_INVOKED, failures.MISSED, failures.CANCELLED]
    of_runs += [failures.UNANSWERED, failures.SENT_END_UNKNOWN, failures.UNREAD]
    of_runs += [failures.DELETED_MEANWHILE, failures.TURN_TOO_LATE]
    of_runs += [failures.OVER_BUDGET]
    checks = triggers.failures
    of_runs += [checks.OUTPUT_EMPTY, checks.OUTPUT_LACKS, checks.OUTPUT_NO_JSON]
    of_runs += [checks.OUTPUT_UNFIT, checks.OUTPUT_TOO_LONG, checks.OUTPUT_UNCHECKED]
    assert told == named | {code.name for code in of_runs}


OUTCOMES = re.compile(r"^\| (\w+) \| `(\w+)` \| (.*?) \|", re.MULTILINE)


def test_each_outcome_is_documented_with_its_status() -> None:
    documented = {row[1]: row[0] for row in OUTCOMES.findall((ROOT / "docs/runs.md").read_text())}
    completed = (Outcome.SUCCESS, Outcome.INTERRUPTED)
    assert documented == {
        each: RunStatus.COMPLETED if each in completed else RunStatus.FAILED for each in Outcome
    }


def test_codes_stand_beside_the_outcome_that_they_mean() -> None:
    rows = OUTCOMES.findall((ROOT / "docs/runs.md").read_text())
    documented = {code: row[1] for row in rows for code in re.findall(r"`(\w+)`", row[2])}
    assert documented == {code: outcome_of(RunStatus.FAILED, code) for code in documented}
