from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client

from executions.models import TriggerExecution
from moca.authentication.models import Operator, Role
from moca.concurrency import ConflictError
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


def address(execution: TriggerExecution) -> str:
    """Where the pages of an execution are, without what follows."""
    return f"{EXECUTIONS}{quote(f'{execution.trigger_id}:{execution.pk}')}"


@contextmanager
def overtaken(statement: str, key: str, times: int = 1000) -> Iterator[None]:
    """Have SQLite refuse a write, as where somebody else changed the row meanwhile.

    Args:
        statement: how the write begins.
        key: a value in it.
        times: how often the write is refused; after that, it is done.
    """
    left = count(times, -1)

    def refuse(execute: Any, sql: str, params: Any, *args: Any) -> Any:
        if sql.startswith(statement) and key in (params or ()) and next(left) > 0:
            raise ConflictError("TransactionCanceledException")
        return execute(sql, params, *args)

    with connection.execute_wrapper(refuse):
        yield


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
