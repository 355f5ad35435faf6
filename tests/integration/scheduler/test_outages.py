"""A database that goes away under runs: every end is on record as it was, and the log stays short.

SQLite is locked by another connection; DynamoDB is behind a proxy that lets nothing pass.
"""

import json
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca import outages
from tests.conftest import wait_for
from triggers.models import RunStatus, Trigger
from triggers.statistics import Statistics

from .conftest import SchedulerCommand, ended, executions, make_due
from .proxy import Proxy

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "16"))
RUNS = int(os.environ.get("OUTAGE_RUNS", "40"))

MakeTrigger = Callable[..., Trigger]
Lock = Callable[[], Any]


@pytest.fixture(autouse=True)
def _no_earlier_outage() -> Iterator[None]:
    yield
    outages.database.__init__()  # type: ignore[misc]


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Lock:
    """Make the database refuse writes, after a second of waiting each."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 1)
    connection.close()

    @contextmanager
    def locked() -> Iterator[None]:
        held = sqlite3.connect(
            connection.settings_dict["NAME"], isolation_level=None, timeout=20,
            check_same_thread=False,
        )  # fmt: skip
        held.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            held.execute("ROLLBACK")
            held.close()

    return locked


def spool() -> list[Path]:
    return sorted((Path(django_settings.DATA_DIR) / "ends").glob("*"))


@pytest.fixture(autouse=True)
def _no_earlier_ends() -> None:
    for path in spool():
        path.unlink()


def make_runs(trigger: MakeTrigger) -> dict[str, str]:
    """Triggers that are due, whose runs end throughout the outage; returns how each is to end."""
    expected = {}
    for number in range(RUNS):
        wait = 2 + SECONDS * number / RUNS
        lines = ["x", f"demo: first-byte {wait:.1f}"] + ["demo: status 400"] * (number % 10 == 9)
        made = trigger(prompt="\n".join(lines), max_retries=0)
        make_due(made)
        expected[made.pk] = "failed" if number % 10 == 9 else "completed"
    return expected


def ends(expected: dict[str, str]) -> dict[str, str]:
    found = executions(trigger_id__in=list(expected))
    assert not [each.error for each in found if each.error and "400" not in each.error]
    return {each.trigger_id: str(each.status) for each in found}


def running() -> list[TriggerExecution]:
    return executions(status=RunStatus.RUNNING)


@pytest.mark.sqlite
def test_ends_of_runs_are_on_record_as_they_were(
    trigger: MakeTrigger, scheduler: Callable, lock: Lock, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    expected = make_runs(trigger)
    with scheduler():
        wait_for(lambda: len(running()) == RUNS)
        with lock():
            time.sleep(SECONDS)
        wait_for(lambda: len(ended()) == RUNS)
    assert ends(expected) == expected


@pytest.mark.sqlite
def test_log_of_an_outage_is_short(
    trigger: MakeTrigger, scheduler: Callable, lock: Lock, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    with scheduler():
        make_due(trigger(prompt="x\ndemo: first-byte 1"))
        wait_for(running)
        with lock():
            time.sleep(8)
        wait_for(ended)
    lines = [line for line in caplog.text.splitlines() if "agents.demo" not in line]
    assert len(lines) < 12


@pytest.mark.sqlite
def test_log_says_how_long_the_database_was_away(
    trigger: MakeTrigger, scheduler: Callable, lock: Lock, caplog: Any
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 1"))
    with scheduler():
        wait_for(running)
        with lock():
            time.sleep(5)
        wait_for(ended)
        wait_for(lambda: "The database is back after" in caplog.text)
    assert caplog.text.count("The database is away") == 1


def test_first_process_that_is_back_leaves_others_their_runs(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    run = runner.start(Occurrence.scheduled("alice", trigger().pk, timezone.now()))
    assert run is not None
    # As after an outage, in which nobody could renew it.
    TriggerExecution.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    with scheduler():
        time.sleep(4)
        assert running()


def test_first_process_that_is_back_begins_no_run_beside_theirs(
    trigger: MakeTrigger, scheduler: Callable
) -> None:
    made = trigger()
    runner.start(Occurrence.scheduled("alice", made.pk, timezone.now()))
    Trigger.objects.update(running_until=timezone.now() - timedelta(seconds=1))
    make_due(made)
    with scheduler():
        time.sleep(4)
        assert TriggerExecution.objects.count() == 1


@pytest.fixture
def spooled(trigger: MakeTrigger, scheduler: Callable, lock: Lock, settings: Any) -> Path:
    """The file of a run that ended while the database was away, until its process was stopped."""
    settings.SCHEDULER_GRACE_SECONDS = 2
    make_due(trigger(prompt="x\ndemo: first-byte 0.5"))
    with scheduler():
        wait_for(running)
        held = lock()
        held.__enter__()
        time.sleep(1)
    held.__exit__(None, None, None)
    (path,) = spool()
    return path


@pytest.mark.sqlite
class TestSpool:
    def test_next_process_takes_an_end_up(self, spooled: Path, scheduler: Callable) -> None:
        with scheduler():
            assert wait_for(ended)[0].status == RunStatus.COMPLETED

    def test_what_the_agent_said_is_kept(self, spooled: Path, scheduler: Callable) -> None:
        with scheduler():
            assert wait_for(ended)[0].said.text

    def test_file_is_for_its_owner_alone(self, spooled: Path) -> None:
        assert spooled.stat().st_mode & 0o777 == 0o600

    def test_prompt_is_not_in_it(self, spooled: Path) -> None:
        fields = json.loads(spooled.read_text())["run"]["fields"]
        assert not {"event_payload", "prompt"} & set(fields)

    def test_file_goes_when_it_is_taken_up(self, spooled: Path, scheduler: Callable) -> None:
        with scheduler():
            wait_for(ended)
        assert not spool()

    def test_second_time_changes_nothing(self, spooled: Path, scheduler: Callable) -> None:
        content = spooled.read_text()
        with scheduler():
            wait_for(ended)
        spooled.write_text(content)
        with scheduler():
            wait_for(lambda: not spool())
        noted = Statistics.read(Trigger.objects.get().statistics)
        assert noted.days(timezone.now())[-1].runs == 1

    def test_true_end_takes_the_place_of_a_guess(self, spooled: Path, scheduler: Callable) -> None:
        runner.close_lost(timezone.now() + timedelta(minutes=5))
        assert ended()[0].error_code == "lost"
        with scheduler():
            assert wait_for(lambda: executions(status=RunStatus.COMPLETED))[0].error_code == ""

    def test_file_of_an_earlier_edition_takes_the_place_of_a_guess(
        self, spooled: Path, scheduler: Callable
    ) -> None:
        kept = json.loads(spooled.read_text())
        for name in ("error_code", "error_params", "warning_code", "warning_params"):
            del kept["run"]["fields"][name]
        spooled.write_text(json.dumps(kept))
        runner.close_lost(timezone.now() + timedelta(minutes=5))
        with scheduler():
            assert wait_for(lambda: executions(status=RunStatus.COMPLETED))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: "",
            lambda text: text[: len(text) // 2],
            lambda text: "[1]",
            lambda text: '{"database": "sqlite"',
            lambda text: text.replace('"executions.triggerexecution"', '"triggers.trigger"'),
            lambda text: text.replace('"completed"', '"splendid"'),
            lambda text: text.replace('"attempt": 1', '"attempt": "one"'),
            lambda text: "\udcff",
        ],
    )
    def test_damaged_file_is_set_aside(
        self, spooled: Path, scheduler: Callable, damage: Callable[[str], str]
    ) -> None:
        spooled.write_bytes(damage(spooled.read_text()).encode(errors="surrogateescape"))
        with scheduler():
            wait_for(lambda: spool()[0].name == f"{spooled.name}.damaged")
        assert running()

    def test_end_that_cannot_be_written_keeps_no_schedule_from_firing(
        self,
        spooled: Path,
        scheduler: Callable,
        trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_: Any, **__: Any) -> int:
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")

        monkeypatch.setattr("executions.spool.write", refuse)
        made = trigger()
        make_due(made)
        with scheduler():
            wait_for(lambda: executions(trigger_id=made.pk, status=RunStatus.COMPLETED))
        assert spool()[0].name == f"{spooled.name}.damaged"

    def test_file_of_another_database_stays(self, spooled: Path, scheduler: Callable) -> None:
        kept = json.loads(spooled.read_text())
        spooled.write_text(json.dumps({**kept, "database": "dynamodb:other"}))
        with scheduler():
            time.sleep(2)
        assert spooled.exists()


@pytest.mark.sqlite
def test_run_that_is_broken_off_in_an_outage_is_recorded_by_the_next_process(
    trigger: MakeTrigger, scheduler: Callable, lock: Lock, settings: Any
) -> None:
    settings.SCHEDULER_GRACE_SECONDS = 0
    make_due(trigger(prompt="x\ndemo: first-byte 6"))
    with scheduler():
        wait_for(running)
        held = lock()
        held.__enter__()
    held.__exit__(None, None, None)
    with scheduler():
        assert "was shut down" in wait_for(ended)[0].error


@pytest.mark.sqlite
def test_end_is_in_a_file_before_the_process_ends(
    trigger: MakeTrigger, scheduler: Callable, lock: Lock
) -> None:
    make_due(trigger(prompt="x\ndemo: first-byte 0.5"))
    with scheduler():
        wait_for(running)
        with lock():
            # A process that is killed now loses nothing.
            assert wait_for(spool, seconds=10)


@pytest.mark.sqlite
def test_run_does_not_wait_for_its_output_to_be_shown(
    trigger: MakeTrigger, demo_agent: DemoAgent, transactional_db: None
) -> None:
    made = trigger(prompt="x\ndemo: slow 5", timeout_seconds=10)
    run = runner.start(Occurrence.scheduled("alice", made.pk, timezone.now()))
    assert run is not None
    held = sqlite3.connect(
        connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False
    )
    held.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(13, held.execute, ["ROLLBACK"])
    release.start()
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        runner.call(run, client)
    release.join()
    held.close()
    assert run.execution.status == RunStatus.COMPLETED


@pytest.fixture
def proxied(
    runscheduler: Callable[..., SchedulerCommand],
) -> Iterator[tuple[Proxy, Callable[..., SchedulerCommand]]]:
    if connection.vendor != "dynamodb":
        pytest.skip("needs --database=dynamodb")
    endpoint = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    with Proxy(int(endpoint.rpartition(":")[2])) as proxy:
        yield (
            proxy,
            lambda **more: runscheduler(AWS_ENDPOINT_URL_DYNAMODB=proxy.url, **more),
        )


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_ends_of_runs_are_on_record_after_an_outage_of_dynamodb(
    trigger: MakeTrigger, proxied: Any, mode: str
) -> None:
    proxy, start = proxied
    command = start()
    expected = make_runs(trigger)
    wait_for(lambda: TriggerExecution.objects.count() == RUNS)
    proxy.mode = mode
    time.sleep(SECONDS)
    proxy.mode = "pass"
    wait_for(lambda: len(ended()) == RUNS, seconds=60)
    command.signal(signal.SIGTERM)
    assert ends(expected) == expected
    lines = [line for line in command.close().splitlines() if "Run " not in line]
    assert len(lines) < 50


def test_run_whose_start_was_cut_off_at_the_commit_is_begun(
    trigger: MakeTrigger, proxied: Any, demo_agent: DemoAgent
) -> None:
    proxy, start = proxied
    made = trigger()
    start()
    time.sleep(4)
    # The start is committed, and its answer is lost, at the last try too.
    proxy.mode = "mute"
    make_due(made)
    wait_for(executions)
    wait_for(lambda: demo_agent.requests, seconds=50)
    proxy.mode = "pass"
    assert wait_for(ended, seconds=50)[0].status == RunStatus.COMPLETED
