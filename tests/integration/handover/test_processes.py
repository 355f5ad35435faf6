"""Workers as processes of their own, which are killed while they read."""

import signal
from collections.abc import Callable

import pytest

from agents import AgentClient
from executions.models import RunWorker
from tests.conftest import wait_for
from tests.integration.handover.conftest import MakeTrigger, WorkerCommand, invoke, read
from triggers.models import Outcome, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)

Clients = Callable[..., AgentClient]
Start = Callable[[], WorkerCommand]


def test_run_of_a_killed_worker_is_resumed(
    clients: Clients,
    make_trigger: MakeTrigger,
    runworker: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lease of the killed worker has to end first, which takes a minute."""
    first = runworker()
    clients()
    wait_for(RunWorker.objects.exists)
    execution = invoke(make_trigger(prompt="Count.\ndemo: background 5", timeout_seconds=3600))
    wait_for(lambda: read(execution).attempt == 2)
    first.signal(signal.SIGKILL)
    runworker()
    wait_for(lambda: read(execution).status != RunStatus.RUNNING, 120)
    assert (read(execution).outcome, read(execution).attempt) == (Outcome.SUCCESS, 3)


def test_worker_that_is_asked_to_stop_ends_well(runworker: Start) -> None:
    worker = runworker()
    wait_for(RunWorker.objects.exists)
    assert worker.signal(signal.SIGTERM) == 0


def test_worker_that_was_asked_to_stop_is_no_longer_alive(runworker: Start) -> None:
    worker = runworker()
    wait_for(RunWorker.objects.exists)
    worker.signal(signal.SIGTERM)
    assert not RunWorker.objects.exists()
