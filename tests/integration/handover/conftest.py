"""Runs that the function on AWS hands over, and workers that read on, with the demo agent."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions import lambda_handler, worker
from executions.lambda_handler import handler
from executions.models import RunWorker, TriggerExecution
from executions.worker import RunWorkerProcess
from tests.conftest import database_url
from tests.integration.handler.test_handler import Context, event_of, runs_of
from triggers.models import Trigger

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]

MakeTrigger = Callable[..., Trigger]
Worker = Callable[..., AbstractContextManager[RunWorkerProcess]]


@pytest.fixture
def clients(
    demo_agent: DemoAgent, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[Callable[[str], AgentClient]]:
    """Make the client of a protocol, and have the function call the agent by it."""
    made: list[AgentClient] = []

    def make(protocol: str = "a2a") -> AgentClient:
        settings.AGENT_PROTOCOL = protocol
        token = FixedToken(demo_agent.issue_token())
        made.append(AgentClient(demo_agent.url, token, protocol=PROTOCOLS[protocol]))
        monkeypatch.setattr(lambda_handler, "_client", made[-1])
        return made[-1]

    yield make
    for client in made:
        client.close()


def beat() -> None:
    """Say that a worker is alive, as one does by its heartbeat."""
    RunWorker.objects.replace(RunWorker(pk="w", seen_at=timezone.now()))


def invoke(trigger: Trigger, seconds: float = 11) -> TriggerExecution:
    """Invoke the function with little time left, and read the run's record back."""
    handler(event_of(trigger), Context(seconds=seconds))
    return runs_of(trigger)[-1]


def read(execution: TriggerExecution) -> TriggerExecution:
    found: TriggerExecution = TriggerExecution.objects.get(
        trigger_id=execution.trigger_id, pk=execution.pk
    )
    return found


@pytest.fixture
def work(
    clients: Callable[..., AgentClient],
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Worker:
    """Run a worker in a thread of this process inside `with work():`."""
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.2)
    monkeypatch.setattr("agents.resumption.FIRST_PAUSE", 0.2)
    monkeypatch.setattr("agents.resumption.LONGEST_PAUSE", 0.4)

    @contextmanager
    def running(client: AgentClient | None = None) -> Iterator[RunWorkerProcess]:
        process = RunWorkerProcess(client or clients())

        def run() -> None:
            process.run()
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield process
        finally:
            process.stop()
            thread.join(30)

    return running


class WorkerCommand:
    """`manage.py runworker` as a process of its own, on the test's database."""

    def __init__(self, agent: DemoAgent) -> None:
        self.process = subprocess.Popen(
            [*MANAGE, "runworker"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "moca.settings",
                "DATABASE_URL": database_url(),
                "DEMO_AGENT_PORT": agent.url.rpartition(":")[2],
                "AGENT_PROTOCOL": "a2a",
            },
        )

    def signal(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


@pytest.fixture
def runworker(
    demo_agent: DemoAgent, transactional_db: None
) -> Iterator[Callable[[], WorkerCommand]]:
    started: list[WorkerCommand] = []

    def start() -> WorkerCommand:
        started.append(WorkerCommand(demo_agent))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()
