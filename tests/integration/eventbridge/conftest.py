"""Fixtures for tests against moto's EventBridge Scheduler.

moto stores schedules. It neither validates nor fires them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from moca.aws import clients as aws
from moca.concurrency import ConflictError
from moca.reconcile import atomic
from triggers.schedulers import get_scheduler

LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:moca-handler"
ROLE = "arn:aws:iam::123456789012:role/moca-scheduler"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:moca-dlq"
GROUP = "moca"

Failing = Callable[..., AbstractContextManager[list[str]]]


@pytest.fixture
def eventbridge(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Any]:
    """The client of the service that the application uses."""
    if settings.TEST_DATABASE == "moto":
        pytest.skip("moto imitates DynamoDB for the whole run")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings.AWS_REGION = "eu-central-1"
    settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULER_ROLE_ARN = LAMBDA, ROLE
    settings.SCHEDULE_DLQ_ARN, settings.SCHEDULE_GROUP_NAME = QUEUE, GROUP
    settings.SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
    # Retries do not wait.
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
    aws.client.cache_clear()
    with mock_aws():
        service = aws.client("scheduler")
        service.create_schedule_group(Name=GROUP)
        yield service
    aws.client.cache_clear()
    get_scheduler.cache_clear()


@pytest.fixture
def failing(eventbridge: Any) -> Failing:
    """Lets calls of an operation fail: `with failing("UpdateSchedule", code) as calls:`."""

    @contextmanager
    def failing(operation: str, code: str, status: int = 400) -> Iterator[list[str]]:
        calls: list[str] = []

        def answer(**_: Any) -> AWSResponse:
            calls.append(operation)
            body = f'{{"Message": "The service says no.", "code": "{code}"}}'.encode()
            headers = {"x-amzn-ErrorType": code, "content-type": "application/json"}
            raw = type("Raw", (), {"stream": lambda self, **_: iter([body])})()
            return AWSResponse("", status, headers, raw)

        name = f"before-send.scheduler.{operation}"
        eventbridge.meta.events.register_first(name, answer)
        try:
            yield calls
        finally:
            eventbridge.meta.events.unregister(name, answer)

    return failing


def schedule_names(service: Any) -> list[str]:
    return [each["Name"] for each in service.list_schedules(GroupName=GROUP)["Schedules"]]


def roll_back_after(change: Callable[[], Any]) -> None:
    """Make a change in a transaction whose commit fails."""

    def change_and_fail() -> None:
        with atomic():
            change()
            raise ConflictError

    with pytest.raises(ConflictError):
        change_and_fail()
