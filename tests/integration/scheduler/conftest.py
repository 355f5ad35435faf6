"""Triggers that are due, and real scheduler processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from agents.demo import DemoAgent
from executions.models import TriggerExecution
from tests.conftest import database_url
from triggers.models import LocalSchedule, RunStatus, Trigger

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


def executions(**fields: Any) -> list[TriggerExecution]:
    return list(TriggerExecution.objects.filter(**fields))


def ended() -> list[TriggerExecution]:
    return list(TriggerExecution.objects.exclude(status=RunStatus.RUNNING))


def make_due(trigger: Trigger, ago: timedelta = timedelta(0)) -> None:
    """Set the trigger's schedule back, as if it were due by now."""
    due = timezone.now() - ago
    LocalSchedule.objects.filter(pk=trigger.pk).update(next_run_at=due, due_at=due)


@pytest.fixture
def trigger(transactional_db: None) -> Callable[..., Trigger]:
    def make(**fields: Any) -> Trigger:
        config = {"expression": fields.pop("expression", "cron(0 9 * * ? *)")}
        values = {"user_id": "alice", "name": "Report", "agent_id": "a", "prompt": "Report."}
        made = Trigger(schedule_config=config, **{**values, **fields})
        made.save()
        return made

    return make


class SchedulerCommand:
    """`manage.py runscheduler` as a process of its own, on the test's database."""

    output: str | None = None

    def __init__(self, agent: DemoAgent, **environment: str) -> None:
        self.process = subprocess.Popen(
            [*MANAGE, "runscheduler"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "moca.scheduler_settings",
                "DATABASE_URL": database_url(),
                "DEMO_AGENT_PORT": agent.url.rpartition(":")[2],
                **environment,
            },
        )

    def signal(self, number: signal.Signals) -> int:
        """Send the signal and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def close(self) -> str:
        if self.output is None:
            if self.process.poll() is None:
                self.process.kill()
            self.output, _ = self.process.communicate()
        return self.output


@pytest.fixture
def runscheduler(
    demo_agent: DemoAgent, transactional_db: None
) -> Iterator[Callable[..., SchedulerCommand]]:
    started: list[SchedulerCommand] = []

    def start(**environment: str) -> SchedulerCommand:
        started.append(SchedulerCommand(demo_agent, **environment))
        return started[-1]

    yield start
    for command in started:
        command.close()
