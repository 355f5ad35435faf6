"""Runs by hand where a Lambda function runs triggers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from executions import runner
from executions.dispatchers import get_dispatcher
from executions.models import TriggerExecution
from moca.aws import clients as aws
from tests.integration.api.conftest import API
from triggers.models import RunStatus

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:moca-handler"


class Function:
    """Stands in for Lambda's address: keeps what is sent, and answers as told."""

    def __init__(self) -> None:
        self.status = 202
        self.requests: list[Any] = []

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        raw = type("Raw", (), {"stream": lambda self, **_: iter([b"{}"])})()
        return AWSResponse(request.url, self.status, {}, raw)


@pytest.fixture
def function(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings.AWS_REGION, settings.TRIGGER_LAMBDA_ARN = "eu-central-1", ARN
    settings.DISPATCHER = "executions.dispatchers.aws_lambda.LambdaDispatcher"
    aws.client.cache_clear()
    function = Function()
    aws.client("lambda").meta.events.register_first("before-send.lambda.Invoke", function.answer)
    yield function
    aws.client.cache_clear()
    get_dispatcher.cache_clear()


@pytest.fixture
def alice(transactional_db: None) -> API:
    return API("alice")


Run = Callable[[], Any]


@pytest.fixture
def run(alice: API, function: Function) -> Run:
    """Run a trigger now, by the API."""
    trigger = alice.create()
    return lambda: alice.post(f"/triggers/{trigger['id']}/run")


def test_function_is_told_which_run(run: Run, function: Function) -> None:
    execution = run().json()["execution"]
    sent = json.loads(function.requests[0].body)["detail"]
    assert sent["executionId"] == execution["executionId"]


def test_function_is_not_waited_for(run: Run, function: Function) -> None:
    run()
    assert function.requests[0].headers["X-Amz-Invocation-Type"] == b"Event"


def test_refusal_is_told(run: Run, function: Function) -> None:
    function.status = 403
    assert run().status_code == 503


def test_run_that_nobody_will_run_is_closed(run: Run, function: Function) -> None:
    function.status = 403
    run()
    assert [row.status for row in TriggerExecution.objects.all()] == [RunStatus.FAILED]


def test_trigger_is_free_again_after_a_refusal(run: Run, function: Function) -> None:
    function.status = 403
    run()
    function.status = 202
    assert run().status_code == 202


def test_run_that_has_begun_though_the_answer_was_lost_goes_on(
    run: Run, function: Function
) -> None:
    answer = function.answer

    def begin(request: Any, **options: Any) -> AWSResponse:
        sent = json.loads(request.body)["detail"]
        runner.resume(sent["triggerId"], sent["executionId"])
        return answer(request, **options)

    function.status = 403
    aws.client("lambda").meta.events.register_first("before-send.lambda.Invoke", begin)
    answered = run()
    (record,) = TriggerExecution.objects.all()
    assert (answered.status_code, record.status) == (202, RunStatus.RUNNING)
