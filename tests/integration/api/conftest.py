"""The API as alice, bob and charlie call it, with real tokens of the local issuer.

Each answer is held against the API's description.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from executions.models import Source, TriggerExecution, expiry
from moca.authentication.access import role_of_token
from moca.authentication.tokens import TokenError, issue, user_of
from tests.integration.api import description
from triggers.models import RunStatus, Trigger

DAILY = {"expression": "cron(0 9 * * ? *)"}
VALID: dict[str, Any] = {
    "name": "Report",
    "type": "schedule",
    "agentId": "reporter",
    "prompt": "Report.",
    "scheduleConfig": DAILY,
}
STARTED = datetime(2027, 1, 4, 9, tzinfo=UTC)


class API:
    """The API as one caller sees it; without a user id, as somebody who is not signed in."""

    def __init__(self, user_id: str = "") -> None:
        self.user_id = user_id
        self.client = Client(raise_request_exception=False)
        self.token = ""
        if user_id:
            self.token = issue(user_id, lasting=timedelta(hours=1), now=datetime.now(UTC))
            # As if the process knew the caller, whom it looks up every few seconds.
            with suppress(TokenError):
                role_of_token(user_of(self.token))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, its body as JSON; header names with `_` for `-`."""
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        data = b"" if body is None else json.dumps(body).encode()
        return self.raw(method, path, data, **headers)

    def raw(
        self, method: str, path: str, data: bytes, kind: str = "application/json", **headers: str
    ) -> Any:
        """Send a request with this very body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.generic(method, path, data, kind if data else "", headers=named)
        description.check(method, path, response)
        return response

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create a trigger and return it as it was answered."""
        response = self.post("/triggers", {**VALID, **fields})
        assert response.status_code == 201, response.content
        trigger: dict[str, Any] = response.json()["trigger"]
        return trigger


@pytest.fixture
def alice(db: None) -> API:
    return API("alice")


@pytest.fixture
def bob(db: None) -> API:
    return API("bob")


@pytest.fixture
def charlie(db: None) -> API:
    return API("charlie")


@pytest.fixture
def nobody(db: None) -> API:
    return API()


@pytest.fixture
def make_execution(db: None) -> Callable[..., TriggerExecution]:
    """Put an execution of a trigger on record; keyword arguments are its fields."""
    numbers = iter(range(1, 1000))

    def make(trigger: Trigger, **fields: Any) -> TriggerExecution:
        values: dict[str, Any] = {
            "id": f"execution-{next(numbers):03}",
            "trigger_id": trigger.pk,
            "user_id": trigger.user_id,
            "status": RunStatus.COMPLETED,
            "source": Source.SCHEDULE,
            "attempt": 1,
            "started_at": STARTED,
            "ttl": expiry(STARTED),
        }
        return TriggerExecution.objects.create(**{**values, **fields})

    return make
