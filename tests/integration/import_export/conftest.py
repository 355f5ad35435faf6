"""Fixtures for tests of the table that is shared with the TypeScript service.

They write items in its layout, and read them from DynamoDB without our code.
"""

import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from moca.authentication.models import Role
from tests.integration.admin.conftest import signed_in
from tests.integration.api.conftest import API

Item = dict[str, Any]
ALICE = "3b7e1a52-94c1-4c0e-8d5f-1f7a0c5e2d11"


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.dynamodb)


def trigger_item(**attributes: Any) -> Item:
    """A schedule trigger in the TypeScript service's layout."""
    key = attributes.get("id") or str(uuid.uuid4())
    user = attributes.get("userId", ALICE)
    kind = attributes.get("type", "schedule")
    item = {
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
        "workingDirectory": "/work/digest",
        "enabledTools": ["search", "mail"],
        "createdAt": "2026-03-01T08:30:00.123Z",
        "updatedAt": "2026-03-02T09:45:00.456Z",
        "lastExecutedAt": "2026-03-02T09:00:01.789Z",
        "legacyFlag": {"beta": True, "weight": 1},
        **attributes,
    }
    if kind == "schedule":
        arn = f"arn:aws:scheduler:eu-central-1:123456789012:schedule/triggers/trigger-{key}"
        item.setdefault(
            "scheduleConfig",
            {
                "expression": "cron(0 9 ? * MON *)",
                "timezone": "Asia/Tokyo",
                "schedulerArn": arn,
                "scheduleGroupName": "triggers",
            },
        )
    else:
        config = item.setdefault("eventConfig", {"eventSourceId": "uploads"})
        item["GSI2PK"] = f"EVENTSOURCE#{config['eventSourceId']}"
        item["GSI2SK"] = f"USER#{user}#TRIGGER#{key}"
    return item


def execution_item(trigger: Item, **attributes: Any) -> Item:
    """The record of a run in the TypeScript service's layout."""
    key = attributes.get("executionId") or str(uuid.uuid4())
    return {
        "PK": f"TRIGGER#{trigger['id']}",
        "SK": f"EXECUTION#{key}",
        "executionId": key,
        "triggerId": trigger["id"],
        "executedAt": "2026-03-02T09:00:01.789Z",
        "requestId": "request-1",
        "sessionId": "s" * 40,
        "eventPayload": '{"source":"scheduler"}',
        "ttl": 4_000_000_000,
        **attributes,
    }


class Table:
    """The table as the TypeScript service sees it."""

    def __init__(self) -> None:
        self.name: str = connection.settings_dict["NAME"]
        self.table: Any = boto3.resource("dynamodb", region_name=settings.AWS_REGION).Table(
            self.name
        )

    def put(self, item: Item) -> Item:
        self.table.put_item(Item=item)
        return item

    def get(self, item: Item) -> Item | None:
        """The present item with the key of another; None if there is none."""
        key = {name: item[name] for name in ("PK", "SK")}
        found: Item | None = self.table.get_item(Key=key, ConsistentRead=True).get("Item")
        return found

    def query(self, index: str, partition: str) -> list[Item]:
        """The items of a partition of an index; of the table itself if `index` is empty."""
        condition = boto3.dynamodb.conditions.Key(f"{index}PK").eq(partition)
        options = {"IndexName": index} if index else {}
        found: list[Item] = self.table.query(KeyConditionExpression=condition, **options)["Items"]
        return found


@pytest.fixture
def table(db: None) -> Table:
    return Table()


@pytest.fixture
def trigger(table: Table) -> Item:
    """A schedule trigger of alice, written by the TypeScript service."""
    return table.put(trigger_item())


@pytest.fixture
def alice(db: None) -> API:
    return API(ALICE)


@pytest.fixture
def bob(db: None) -> API:
    return API("bob")


@pytest.fixture
def editor(db: None) -> Client:
    return signed_in(Role.EDITOR)


@pytest.fixture
def make_execution(table: Table) -> Callable[..., Item]:
    """Writes the record of a run into the table, as the TypeScript service does."""
    return lambda trigger, **attributes: table.put(execution_item(trigger, **attributes))
