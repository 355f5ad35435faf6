"""Schedules that we make fire when we say they do, and the event runs their trigger once.

roto-aws stands for the service. It delivers to SQS in place of a function.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from executions import lambda_handler
from executions.models import TriggerExecution
from moca.aws import clients as aws
from moca.times import parse_iso
from tests.deployment.emulators import REGION, Roto
from tests.integration.handler.test_handler import Context
from triggers.models import Trigger
from triggers.schedulers import get_scheduler

WAIT_SECONDS = 140

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def queue(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Take the events that schedules have put into the queue."""
    with Roto(tmp_path) as roto:
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, roto.environment[name])
        sqs = roto.client("sqs")
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        roto.client("scheduler").create_schedule_group(Name="moca")
        role = roto.client("iam").create_role(
            RoleName="scheduler",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "scheduler.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        )["Role"]["Arn"]
        settings.AWS_REGION = REGION
        settings.TRIGGER_LAMBDA_ARN = arn["Attributes"]["QueueArn"]
        settings.SCHEDULER_ROLE_ARN, settings.SCHEDULE_GROUP_NAME = role, "moca"
        settings.SCHEDULER = "triggers.schedulers.eventbridge.EventBridgeScheduler"
        aws.client.cache_clear()

        def take() -> list[dict[str, Any]]:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

        yield take
        aws.client.cache_clear()
        get_scheduler.cache_clear()


def expressions(now: datetime) -> dict[str, dict[str, str]]:
    """Schedules that fire within two minutes, at times that their zones decide."""
    soon = (now + timedelta(seconds=65)).replace(second=0, microsecond=0)
    in_india = soon.astimezone(ZoneInfo("Asia/Kolkata"))
    in_new_york = (now + timedelta(seconds=70)).astimezone(ZoneInfo("America/New_York"))
    return {
        "cron": {
            "expression": f"cron({in_india.minute} {in_india.hour} * * ? *)",
            "timezone": "Asia/Kolkata",
        },
        "rate": {"expression": "rate(1 minute)", "timezone": "UTC"},
        "at": {
            "expression": f"at({in_new_york:%Y-%m-%dT%H:%M:%S})",
            "timezone": "America/New_York",
        },
    }


def test_schedules_fire_when_we_say(
    queue: Callable[[], list[dict[str, Any]]],
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    triggers = {
        name: make_trigger(name=name, schedule_config=config)
        for name, config in expressions(now).items()
    }
    each_minute = {"expression": "cron(* * * * ? *)", "timezone": "UTC"}
    disabled = make_trigger(name="disabled", schedule_config=each_minute)
    disabled.enabled = False
    disabled.save()
    make_trigger(name="deleted", schedule_config=each_minute).delete()
    said = {name: trigger.next_runs(now, 1)[0] for name, trigger in triggers.items()}

    ids = {trigger.pk: name for name, trigger in triggers.items()}
    events: dict[str, dict[str, Any]] = {}
    strangers = []
    end = time.monotonic() + WAIT_SECONDS
    while len(events) < len(triggers) and time.monotonic() < end:
        for event in queue():
            name = ids.get(event["detail"]["triggerId"])
            if name is None:
                strangers.append(event)
            else:
                events.setdefault(name, event)

    fired = {name: parse_iso(event["time"]) for name, event in events.items()}
    assert (fired, strangers) == (said, [])
    assert {event["detail"]["attempt"] for event in events.values()} == {"1"}
    assert all(event["id"] and "<" not in event["id"] for event in events.values())

    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        event = events["cron"]
        outcomes = [lambda_handler.handler(event, Context(str(n)))["status"] for n in range(2)]
    runs = TriggerExecution.objects.filter(trigger_id=triggers["cron"].pk)
    assert (outcomes, [run.scheduled_at for run in runs]) == (
        ["completed", "skipped"],
        [fired["cron"].astimezone(UTC)],
    )
