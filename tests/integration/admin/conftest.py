from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.test import Client

from executions.models import TriggerExecution
from moca.authentication.models import Operator, Role
from moca.ids import uuid7
from triggers.forms import TriggerForm
from triggers.models import RunStatus, Trigger

TRIGGERS = "/admin/triggers/trigger/"
EXECUTIONS = "/admin/executions/triggerexecution/"
OPERATORS = "/admin/authentication/operator/"


def signed_in(role: Role) -> Client:
    operator = Operator.objects.create_operator(f"{role}-operator", role=role)
    client = Client(headers={"host": "localhost"})
    client.force_login(operator)
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    return signed_in(Role.VIEWER)


@pytest.fixture
def editor(db: None) -> Client:
    return signed_in(Role.EDITOR)


@pytest.fixture
def administrator(db: None) -> Client:
    return signed_in(Role.ADMIN)


@pytest.fixture
def make_execution(db: None) -> Callable[..., TriggerExecution]:
    """Make the record of a completed run of a trigger; keyword arguments are its fields.

    Each is newer than the one before.
    """
    milliseconds = count(1_780_000_000_000)

    def make(trigger: Trigger, **fields: Any) -> TriggerExecution:
        values: dict[str, Any] = {
            "id": uuid7(next(milliseconds), bytes(10)),
            "trigger_id": trigger.pk,
            "user_id": trigger.user_id,
            "status": RunStatus.COMPLETED,
            "source": "schedule",
            "attempt": 1,
            "started_at": datetime(2026, 7, 1, 9, tzinfo=UTC),
            "ttl": 4_000_000_000,
        }
        return TriggerExecution.objects.create(**{**values, **fields})

    return make


def form_data(trigger: Trigger | None = None, **changes: Any) -> dict[str, Any]:
    """What a browser posts that opened the trigger's form, or an empty one, and made changes."""
    form = TriggerForm(instance=trigger)
    shown = {name: form[name].value() for name in form.fields}
    empty = {"name": "Report", "agent_id": "reporter", "prompt": "Report.", "user_id": "alice"}
    for name, field in form.fields.items():
        value = field.prepare_value(shown[name])
        if hasattr(value, "isoformat"):
            value = value.isoformat()
        shown[name] = "on" if value is True else value
    data = {**shown, **({} if trigger else empty), **changes}
    return {name: value for name, value in data.items() if value not in (None, False)}


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors of the form that was shown again."""
    form = response.context["adminform"].form
    return {field: list(messages) for field, messages in form.errors.items()}
