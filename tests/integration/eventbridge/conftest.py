"""EventBridge Scheduler as moto imitates it: it keeps schedules, and checks and fires none."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from moca import aws
from triggers.schedulers import get_scheduler

LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:moca-handler"
ROLE = "arn:aws:iam::123456789012:role/moca-scheduler"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:moca-dlq"
GROUP = "moca"

Failing = Callable[..., AbstractContextManager[list[str]]]


@pytest.fixture
def eventbridge(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Any]:
    """A client of the service, which the application uses too."""
    if settings.TEST_DATABASE == "moto":
        pytest.skip("moto imitates DynamoDB for the whole run")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings.AWS_REGION = "eu-central-1"
    settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULER_ROLE_ARN = LAMBDA, ROLE
    settings.SCHEDULE_DLQ_ARN, settings.SCHEDULE_GROUP_NAME = QUEUE, GROUP
    settings.SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
    # Retries wait for nobody here.
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
    """Have calls of an operation fail, by `with failing("UpdateSchedule", code) as calls:`."""

    @contextmanager
    def failing(operation: str, code: str, status: int = 400) -> Iterator[list[str]]:
        calls: list[str] = []

        def answer(**_: Any) -> AWSResponse:
            calls.append(operation)
            body = f'{{"Message": "as told", "code": "{code}"}}'.encode()
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
