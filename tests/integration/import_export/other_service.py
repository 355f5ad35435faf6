"""The TypeScript service as the table and EventBridge see it: what its editions write and read.

Each edition creates a trigger with its schedule, records runs, and reads what we have written. They
differ in ids, in the attributes of triggers, and in the retries of schedules.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moca.ids import new_id

Item = dict[str, Any]

ACCOUNT, REGION = "123456789012", "eu-central-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:agents-trigger-executor"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/agents-scheduler"
GROUP = "default"
USER = "3b7e1a52-94c1-4c0e-8d5f-1f7a0c5e2d11"
# When a schedule's input was written. Each event of that schedule has this time.
WRITTEN = "2026-03-01T08:30:00.123Z"
SOURCE_ID = "uploads"
# Attributes that neither edition nor this application knows, in each of DynamoDB's types of JSON.
UNKNOWN: Item = {
    "legacyFlag": {"beta": True, "weight": 1, "names": ["a", "b"], "none": None},
    "ownerTeam": "data",
    "priority": 7,
    "isPinned": False,
}
# The attributes that both editions read of each trigger.
NEEDED = {"id", "userId", "name", "type", "enabled", "agentId", "prompt", "createdAt", "updatedAt"}
OPTIONAL = {
    "description": str,
    "sessionId": str,
    "modelId": str,
    "workingDirectory": str,
    "enabledTools": list,
    "scheduleConfig": dict,
    "eventConfig": dict,
    "lastExecutedAt": str,
}
# What a schedule's event needs for their functions to run the trigger.
IN_DETAIL = {"triggerId", "userId", "agentId", "prompt"}


def first_id() -> str:
    """An id of 21 characters, as triggers and runs had before both editions."""
    return f"-V1St_{uuid.uuid4().hex[:15]}"


@dataclass(frozen=True)
class Edition:
    """What one edition writes.

    Attributes:
        name: names the edition in tests.
        is_current: whether it is the one of today.
        extra: what its triggers have beside those of the other edition.
        retries: the retry policy of its schedules.
    """

    name: str
    is_current: bool
    extra: Item = field(default_factory=dict)
    retries: Item = field(default_factory=dict)

    def make_id(self) -> str:
        return new_id() if self.is_current else str(uuid.uuid4())

    def trigger(self, **attributes: Any) -> Item:
        """The row of a trigger, with everything that the edition can store in it."""
        key, kind = attributes.get("id") or self.make_id(), attributes.get("type", "schedule")
        user = attributes.get("userId", USER)
        item: Item = {
            "PK": f"TRIGGER#{user}",
            "SK": f"TRIGGER#{key}",
            "GSI1PK": f"TYPE#{kind}",
            "GSI1SK": f"USER#{user}#{key}",
            "id": key,
            "userId": user,
            "name": "Weekly digest",
            "description": "What happened this week",
            "type": kind,
            "enabled": True,
            "agentId": "digest-agent",
            "prompt": "Write the digest.",
            "sessionId": "s" * 40,
            "modelId": "global.anthropic.claude-sonnet-4-6",
            "workingDirectory": "/digest",
            "enabledTools": ["search", "mail"],
            "createdAt": WRITTEN,
            "updatedAt": "2026-03-02T09:45:00.456Z",
            "lastExecutedAt": "2026-03-02T09:00:01.789Z",
            **self.extra,
            **UNKNOWN,
            **attributes,
        }
        if kind == "event":
            config = item.setdefault("eventConfig", {"eventSourceId": SOURCE_ID})
            item["GSI2PK"] = f"EVENTSOURCE#{config['eventSourceId']}"
            item["GSI2SK"] = f"USER#{user}#TRIGGER#{key}"
        else:
            config = item.setdefault("scheduleConfig", {"expression": "cron(0 9 ? * MON *)"})
            item["scheduleConfig"] = {
                "timezone": "Asia/Tokyo",
                **config,
                "schedulerArn": f"arn:aws:scheduler:{REGION}:undefined:schedule/{GROUP}/"
                f"trigger-{key}",
                "scheduleGroupName": GROUP,
                "legacyPart": {"kept": 1},
            }
        return item

    def execution(self, trigger: Item, **attributes: Any) -> Item:
        """The record of a run, which is written when the run has been sent."""
        key = attributes.get("executionId") or new_id()
        return {
            "PK": f"TRIGGER#{trigger['id']}",
            "SK": f"EXECUTION#{key}",
            "executionId": key,
            "triggerId": trigger["id"],
            "executedAt": "2026-03-02T09:00:01.789Z",
            "sessionId": "s" * 40,
            "eventPayload": json.dumps(self.event(trigger), indent=2),
            "ttl": 4_000_000_000,
            **UNKNOWN,
            **attributes,
        }

    def event(self, trigger: Item) -> Item:
        """What a schedule sends. Nothing in it says when the run was due."""
        names = ("agentId", "prompt", "sessionId", "modelId", "workingDirectory", "enabledTools")
        named = (*names, *self.extra)
        detail = {name: trigger[name] for name in named if name in trigger}
        return {
            "version": "0",
            "id": f"trigger-{trigger['id']}",
            "detail-type": "Scheduled Event",
            "source": "agentcore.trigger",
            "time": WRITTEN,
            "region": REGION,
            "resources": [],
            "detail": {"triggerId": trigger["id"], "userId": trigger["userId"], **detail},
        }

    def schedule(self, trigger: Item) -> Item:
        """The parameters of CreateSchedule for a trigger."""
        config = trigger["scheduleConfig"]
        expression = config["expression"].strip()
        if not expression.startswith(("cron(", "rate(")):
            is_rate = expression.startswith("rate ")
            expression = f"rate({expression[5:]})" if is_rate else f"cron({expression})"
        return {
            "Name": f"trigger-{trigger['id']}",
            "GroupName": GROUP,
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": config.get("timezone") or "UTC",
            "State": "ENABLED" if trigger["enabled"] else "DISABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": FUNCTION,
                "RoleArn": ROLE,
                "Input": json.dumps(self.event(trigger)),
                **self.retries,
            },
        }


SPRING = Edition("spring", is_current=False)
TODAY = Edition(
    "today",
    is_current=True,
    extra={"reasoningEffort": "max"},
    retries={"RetryPolicy": {"MaximumRetryAttempts": 0}},
)
EDITIONS = (SPRING, TODAY)

# The rule of a source. Its function gets the event's own fields and the id of the source.
RULE = f"agents-trigger-{SOURCE_ID}"
RULE_FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources")


def rule_target(function: str) -> Item:
    """The target of a source's rule."""
    parts = {f"f{place}": f"$.{name}" for place, name in enumerate((*RULE_FIELDS, "detail"))}
    template = [f'"{path[2:]}":<{name}>' for name, path in parts.items()] + [
        f'"_eventSourceId":"{SOURCE_ID}"'
    ]
    return {
        "Id": "Target0",
        "Arn": function,
        "InputTransformer": {
            "InputPathsMap": parts,
            "InputTemplate": f"{{{','.join(template)}}}",
        },
        "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
    }


def rule_event(**parts: Any) -> Item:
    """What that rule sends."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2026-03-02T09:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {"object": {"key": "report.pdf"}},
        "_eventSourceId": SOURCE_ID,
        **parts,
    }


def read_trigger(item: Item) -> Item:
    """A trigger as both editions read a row of ours.

    Raises:
        AssertionError: it lacks an attribute, or has one of another type or key.
    """
    assert item.keys() >= NEEDED, NEEDED - item.keys()
    assert item["PK"] == f"TRIGGER#{item['userId']}"
    assert item["SK"] == f"TRIGGER#{item['id']}"
    assert item["GSI1PK"] == f"TYPE#{item['type']}"
    assert item["GSI1SK"] == f"USER#{item['userId']}#{item['id']}"
    source = (item.get("eventConfig") or {}).get("eventSourceId")
    listens = item["type"] == "event" and source
    wanted = f"EVENTSOURCE#{source}" if listens else None
    assert item.get("GSI2PK") == wanted
    assert item.get("GSI2SK") == (
        f"USER#{item['userId']}#TRIGGER#{item['id']}" if listens else None
    )
    assert isinstance(item["enabled"], bool)
    for name, kind in OPTIONAL.items():
        assert isinstance(item.get(name, kind()), kind), name
    for name in {"createdAt", "updatedAt", "lastExecutedAt"} & item.keys():
        assert_time(item[name])
    return {name: item[name] for name in [*NEEDED, *OPTIONAL] if name in item}


def read_execution(item: Item) -> Item:
    """A run as both editions read a record of ours. It has failed if it has an `errorMessage`."""
    assert item["PK"] == f"TRIGGER#{item['triggerId']}"
    assert item["SK"] == f"EXECUTION#{item['executionId']}"
    assert_time(item["executedAt"])
    assert item["ttl"] == int(item["ttl"])
    for name in ("sessionId", "eventPayload", "errorMessage"):
        assert isinstance(item.get(name, ""), str), name
    names: Sequence[str] = ("executionId", "executedAt", "sessionId", "errorMessage")
    return {name: item[name] for name in names if name in item}


def read_event(event: Item) -> Item:
    """The task in a schedule's event of ours, as both editions' functions read it."""
    assert event["detail-type"] == "Scheduled Event"
    detail: Item = event["detail"]
    assert all(detail.get(name) for name in IN_DETAIL), detail.keys()
    return detail


def assert_time(text: str) -> None:
    """Check that JavaScript reads a text as a time in UTC."""
    assert text[10] == "T"
    assert text.endswith("Z")
