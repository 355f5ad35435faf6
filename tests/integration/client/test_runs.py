"""`run`, `runs`, `logs`, `cancel` and `replay`, with a scheduler and the demo agent."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from executions.models import TriggerExecution
from tests.conftest import wait_for
from tests.integration.client.conftest import CommandLine, code_and_error
from triggers.models import RunStatus, Trigger

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def running(moca: CommandLine, scheduler: Callable[..., Any]) -> Iterator[CommandLine]:
    """The command line, while a scheduler runs what is asked for."""
    with scheduler():
        wait_for(lambda: moca("list").returncode == 0)
        yield moca


def test_run_only_starts_it(running: CommandLine, make_trigger: MakeTrigger) -> None:
    done = running("run", make_trigger().pk, "--json")
    assert json.loads(done.stdout)["status"] == RunStatus.RUNNING


def test_follow_prints_what_the_agent_says(running: CommandLine, make_trigger: MakeTrigger) -> None:
    done = running("run", make_trigger(prompt="Count the orders.").pk, "--follow")
    assert (done.returncode, "You asked me: Count the orders." in done.stdout) == (0, True)


def test_follow_prints_it_while_it_is_said(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=600)
    with running.start("run", trigger.pk, "--follow") as process:
        first = process.stdout.readline() if process.stdout else ""
        is_under_way = TriggerExecution.objects.get().status == RunStatus.RUNNING
        running("cancel", trigger.pk)
        process.communicate(timeout=60)
    assert (first[:5], is_under_way, process.returncode) == ("Hello", True, 1)


def test_follow_fails_if_the_run_fails(running: CommandLine, make_trigger: MakeTrigger) -> None:
    done = running("run", make_trigger(prompt="Count.\ndemo: fail no tools").pk, "-f")
    code, error = code_and_error(done)
    assert (code, "error after" in error, "no tools" in error) == (1, True, True)


def test_follow_fails_if_the_run_waits_for_a_person(
    running: CommandLine, make_trigger: MakeTrigger
) -> None:
    done = running("run", make_trigger(prompt="Count.\ndemo: ask Really?").pk, "-f")
    code, error = code_and_error(done)
    assert (code, "interrupted" in error, "Really?" in error) == (1, True, True)


def test_follow_in_json_ends_with_the_run(running: CommandLine, make_trigger: MakeTrigger) -> None:
    done = running("run", make_trigger().pk, "--follow", "--json")
    assert json.loads(done.stdout)["outcome"] == "success"


def test_follow_ends_in_time(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=600)
    code, error = code_and_error(running("run", trigger.pk, "--follow", "--within", "0.5"))
    running("cancel", trigger.pk)
    assert (code, error.endswith("It goes on: follow it again, or cancel it.")) == (1, True)


def test_ctrl_c_leaves_the_run_alone(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=600)
    with running.start("run", trigger.pk, "--follow") as process:
        if process.stdout:
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    run = TriggerExecution.objects.get()
    running("cancel", trigger.pk)
    assert (
        process.returncode,
        run.status,
        f"moca-triggers cancel {trigger.pk} {run.pk}" in error,
    ) == (
        130,
        RunStatus.RUNNING,
        True,
    )


def test_logs_follows_the_run_under_way(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: slow 2")
    running("run", trigger.pk)
    done = running("logs", "-f", trigger.pk)
    assert (done.returncode, done.stdout[:5]) == (0, "Hello")


def test_logs_prints_an_older_run(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="First.")
    running("run", trigger.pk, "-f")
    first = TriggerExecution.objects.get()
    Trigger.objects.filter(pk=trigger.pk).update(prompt="Second.")
    running("run", trigger.pk, "-f")
    assert "You asked me: First." in running("logs", trigger.pk, first.pk).stdout


def test_runs_lists_how_each_ended(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    running("run", trigger.pk, "-f")
    row = running("runs", trigger.pk).stdout.splitlines()[1].split()
    assert (row[1], row[-1]) == ("manual", "success")


def test_replay_runs_it_again(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    running("run", trigger.pk, "-f")
    first = TriggerExecution.objects.get()
    running("replay", trigger.pk)
    assert TriggerExecution.objects.exclude(pk=first.pk).get().replay_of == first.pk


def test_cancel_ends_the_run(running: CommandLine, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=600)
    running("run", trigger.pk)
    running("cancel", trigger.pk)
    ended = wait_for(lambda: TriggerExecution.objects.exclude(outcome="").first())
    assert ended.outcome == "cancelled"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("cancel", "Error: 'Report' has no run under way."),
        ("logs", "Error: 'Report' has no run yet."),
        ("replay", "Error: 'Report' has no run yet."),
    ],
)
def test_a_trigger_without_runs(
    moca: CommandLine, make_trigger: MakeTrigger, command: str, error: str
) -> None:
    assert code_and_error(moca(command, make_trigger().pk)) == (4, error)


def test_a_run_that_would_overlap_is_refused(
    running: CommandLine, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger(prompt="Count.\ndemo: stall", timeout_seconds=600)
    running("run", trigger.pk)
    code, error = code_and_error(running("run", trigger.pk))
    running("cancel", trigger.pk)
    assert (code, error[:6]) == (4, "Error:")
