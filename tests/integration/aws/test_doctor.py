"""`manage.py doctor`: each verdict, with what is wrong put right by its own advice."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.demo import DemoAgent
from events.models import ReceivedEvent
from moca.aws import clients as aws
from triggers.models import LocalSchedule, Trigger
from triggers.schedulers import get_scheduler

REGION, ACCOUNT = "eu-central-1", "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:moca-handler"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:moca-dlq"

MakeTrigger = Callable[..., Trigger]


def findings(**options: Any) -> dict[str, tuple[str, str]]:
    """The verdict on each thing, with what is said of it; the worst where there are several."""
    out = StringIO()
    with suppress(CommandError):
        call_command("doctor", "--format=json", stdout=out, **options)
    found: dict[str, tuple[str, str]] = {}
    for each in json.loads(out.getvalue()):
        if found.get(each["subject"], ("ok", ""))[0] != "fail":
            found[each["subject"]] = (each["verdict"], f"{each['text']} {each['fix']}")
    return found


@pytest.fixture
def well(db: None, settings: Any, demo_agent: DemoAgent) -> DemoAgent:
    """An installation on one machine, which lacks nothing."""
    settings.AGENT_API_URL = settings.COGNITO_DOMAIN = demo_agent.url
    settings.AGENT_AUTH = "cognito"
    settings.COGNITO_CLIENT_ID = settings.COGNITO_CLIENT_SECRET = "demo"
    return demo_agent


@pytest.fixture
def on_aws(well: DemoAgent, moto: None, settings: Any) -> Iterator[None]:
    """An installation that has a schedule group and a queue."""
    settings.TRIGGER_LAMBDA_ARN, settings.SCHEDULE_DLQ_ARN = FUNCTION, QUEUE
    settings.SCHEDULER_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/moca-scheduler"
    settings.SCHEDULE_GROUP_NAME = "moca"
    settings.SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
    aws.client("scheduler").create_schedule_group(Name="moca")
    aws.client("sqs").create_queue(QueueName="moca-dlq")
    yield
    get_scheduler.cache_clear()


def make_function(seconds: int) -> None:
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]
    aws.client("lambda").create_function(
        FunctionName="moca-handler",
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="executions.lambda_handler.handler",
        Timeout=seconds,
        Code={"ZipFile": b"zip"},
    )


class TestOneMachine:
    def test_all_is_well(self, well: DemoAgent) -> None:
        assert {verdict for verdict, _ in findings().values()} == {"ok"}

    def test_text_says_so(self, well: DemoAgent, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("doctor")
        assert "ok    agent" in capsys.readouterr().out

    def test_nothing_runs_without_being_asked_for(self, well: DemoAgent) -> None:
        findings()
        assert list(well.requests) == []

    def test_agent_is_invoked_where_asked_for(self, well: DemoAgent) -> None:
        assert "The agent said:" in findings(invoke=True)["invocation"][1]

    def test_refused_client_is_told(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_CLIENT_SECRET = "another"
        assert findings()["token"] == (
            "fail",
            "the token endpoint refused the client's credentials (invalid_client): check "
            "COGNITO_CLIENT_ID and COGNITO_CLIENT_SECRET ",
        )

    def test_secrets_are_not_shown(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_CLIENT_SECRET = "another-secret"
        assert "another-secret" not in json.dumps(findings())

    def test_agent_out_of_reach_is_told(self, well: DemoAgent, settings: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            settings.AGENT_API_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert "check AGENT_API_URL" in findings()["agent"][1]

    def test_failure_of_one_stops_no_other(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_CLIENT_SECRET = "another"
        assert findings()["agent"][0] == "ok"

    def test_schedule_that_nobody_fires_is_told(
        self, well: DemoAgent, make_trigger: MakeTrigger
    ) -> None:
        trigger = make_trigger()
        waiting = LocalSchedule.objects.filter(pk=trigger.pk)
        waiting.update(due_at=timezone.now() - timedelta(minutes=5))
        assert "Start the scheduler process" in findings()["scheduler"][1]

    def test_event_that_nobody_takes_is_told(self, well: DemoAgent) -> None:
        ago = timezone.now() - timedelta(minutes=5)
        ReceivedEvent.objects.create(
            id="e", source_id="shop", signature="s", received_at=ago, envelope="{}", ttl=4 * 10**9
        )
        assert "Start the scheduler process" in findings()["events"][1]

    def test_keys_out_of_reach_are_told(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_USER_POOL_ID = "eu-west-1_AbC123xyz"
        settings.COGNITO_JWKS_URL = "http://127.0.0.1:9/jwks.json"
        assert "cannot be fetched" in findings()["user pool"][1]

    def test_tokens_of_any_app_client_are_told(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_USER_POOL_ID = "eu-west-1_AbC123xyz"
        with suppress(CommandError):
            call_command("doctor", stdout=(out := StringIO()))
        assert "COGNITO_APP_CLIENT_IDS" in out.getvalue()

    def test_exit_code_says_that_something_failed(self, well: DemoAgent, settings: Any) -> None:
        settings.COGNITO_CLIENT_SECRET = "another"
        with pytest.raises(CommandError, match="1 of"):
            call_command("doctor")


class TestOnAWS:
    def test_schedules_are_listed(self, on_aws: None) -> None:
        assert findings()["scheduler"][0] == "ok"

    def test_missing_group_is_told(self, on_aws: None, settings: Any) -> None:
        settings.SCHEDULE_GROUP_NAME = "none"
        assert "SCHEDULE_GROUP_NAME" in findings()["scheduler"][1]

    def test_missing_event_bus_is_told(self, on_aws: None, settings: Any) -> None:
        settings.EVENT_BUS_NAME = "nowhere"
        assert "no event bus nowhere" in findings()["events"][1]

    def test_missing_function_is_told(self, on_aws: None) -> None:
        assert "zappa deploy handler" in findings()["handler"][1]

    def test_function_is_ready(self, on_aws: None) -> None:
        make_function(1800)
        assert findings()["handler"][0] == "ok"

    def test_short_time_limit_is_told(self, on_aws: None) -> None:
        make_function(900)
        assert findings()["handler"][0] == "warn"

    def test_empty_queue_is_well(self, on_aws: None) -> None:
        assert findings()["dead letters"][0] == "ok"

    def test_dead_letters_are_told(self, on_aws: None) -> None:
        url = aws.client("sqs").get_queue_url(QueueName="moca-dlq")["QueueUrl"]
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
        assert "1 events could not be delivered" in findings()["dead letters"][1]

    def test_missing_queue_is_told(self, on_aws: None, settings: Any) -> None:
        settings.SCHEDULE_DLQ_ARN = f"{QUEUE}-none"
        assert findings()["dead letters"][0] == "fail"

    def test_malformed_queue_is_told_once(self, on_aws: None, settings: Any) -> None:
        settings.SCHEDULE_DLQ_ARN = "queue"
        assert "dead letters" not in findings()

    def test_missing_agents_table_is_told(self, on_aws: None, settings: Any) -> None:
        settings.AGENTS_TABLE_NAME = "nobodys"
        assert findings()["agents table"][0] == "fail"

    def test_missing_permission_is_named(self, on_aws: None) -> None:
        aws.client("lambda").meta.events.register_first(
            "before-send.lambda.GetFunctionConfiguration", refusal
        )
        assert "Allow GetFunctionConfiguration" in findings()["handler"][1]


def refusal(**_: Any) -> Any:
    from botocore.awsrequest import AWSResponse

    raw = type("Raw", (), {"stream": lambda self, **_: iter([b'{"Message": "no"}'])})()
    return AWSResponse("", 403, {"x-amzn-ErrorType": "AccessDeniedException"}, raw)
