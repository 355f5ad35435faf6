"""Every query of the application, pinned to its plan: none may become a Scan unnoticed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import NotSupportedError, models

from executions.models import QueuedRun, TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from triggers.models import IdempotencyKey, LocalSchedule, RunStatus, Trigger, TriggerCount

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
T = "01941f29-7c00-7000-8000-000000000001"

Rows = Callable[[], models.QuerySet[Any]]

TRIGGERS: dict[str, tuple[Rows, str]] = {
    "one": (
        lambda: Trigger.objects.filter(user_id="u", pk=T),
        f"GetItem TRIGGER#u / TRIGGER#{T}",
    ),
    "some of a user": (
        lambda: Trigger.objects.filter(user_id="u", pk__in=["a", "b"]),
        "BatchGetItem of 2 keys",
    ),
    "pairs": (
        lambda: Trigger.objects.filter(
            models.Q(user_id="u", pk="a") | models.Q(user_id="v", pk="b")
        ),
        "BatchGetItem of 2 keys",
    ),
    "by id alone": (
        lambda: Trigger.objects.filter(pk=T),
        f"Query index TriggersByType, type = schedule | event, id = '{T}', then BatchGetItem",
    ),
    "of a user": (
        lambda: Trigger.objects.filter(user_id="u").order_by("-pk")[:101],
        "Query table, PK = TRIGGER#u, SK begins with 'TRIGGER#', descending",
    ),
    "of a user, next page": (
        lambda: Trigger.objects.filter(user_id="u", pk__lt=T).order_by("-pk")[:101],
        f"Query table, PK = TRIGGER#u, SK from 'TRIGGER#' to 'TRIGGER#{T}', descending",
    ),
    "of a user, searched": (
        lambda: Trigger.objects.filter(user_id="u", name__icontains="x").order_by("-pk")[:101],
        "Query table, PK = TRIGGER#u, SK begins with 'TRIGGER#', descending",
    ),
    "all, newest first": (
        lambda: Trigger.objects.order_by("-pk")[:51],
        "Query index TriggersByType, type = schedule | event, descending, merged",
    ),
    "of a type": (
        lambda: Trigger.objects.filter(type="schedule").order_by("-pk")[:51],
        "Query index TriggersByType, type = schedule, descending",
    ),
    "all, a page further": (
        lambda: Trigger.objects.filter(pk__lt=T).order_by("-pk")[:51],
        "Query index TriggersByType, type = schedule | event, id from '' to",
    ),
    "of an event source": (
        lambda: Trigger.objects.filter(type="event", event_config__eventSourceId="orders"),
        "Query index GSI2, GSI2PK = EVENTSOURCE#orders",
    ),
    "count of a user": (
        lambda: TriggerCount.objects.filter(pk="u"),
        "GetItem USER#u / TRIGGERS",
    ),
    "idempotency key": (
        lambda: IdempotencyKey.objects.filter(pk="k"),
        "GetItem IDEMPOTENCY#k / IDEMPOTENCY",
    ),
    "schedule of a trigger": (
        lambda: LocalSchedule.objects.filter(pk=T),
        f"GetItem SCHEDULE#{T} / SCHEDULE",
    ),
    "schedules that are due": (
        lambda: LocalSchedule.objects.upcoming(NOW)[:50],
        "Query index GSI4, GSI4PK = DUE, GSI4SK from",
    ),
    "all schedules": (
        lambda: LocalSchedule.objects.order_by("pk"),
        "Query index GSI3, GSI3PK = SCHEDULE",
    ),
}

EXECUTIONS: dict[str, tuple[Rows, str]] = {
    "one": (
        lambda: TriggerExecution.objects.filter(trigger_id=T, pk="e"),
        f"GetItem TRIGGER#{T} / EXECUTION#e",
    ),
    "of a trigger": (
        lambda: TriggerExecution.objects.filter(trigger_id=T).order_by("-pk")[:21],
        f"Query table, PK = TRIGGER#{T}, SK begins with 'EXECUTION#', descending",
    ),
    "of a trigger, next page": (
        lambda: TriggerExecution.objects.filter(trigger_id=T, pk__lt="e").order_by("-pk")[:21],
        f"Query table, PK = TRIGGER#{T}, SK from 'EXECUTION#' to 'EXECUTION#e', descending",
    ),
    "of a user": (
        lambda: TriggerExecution.objects.of_user("u").order_by("-pk")[:21],
        "Query index GSI5, GSI5PK = USER#u, descending, then BatchGetItem",
    ),
    "of a user, next page": (
        lambda: TriggerExecution.objects.of_user("u").filter(pk__lt="e").order_by("-pk")[:21],
        "Query index GSI5, GSI5PK = USER#u, GSI5SK from '' to 'e', descending",
    ),
    "of all triggers": (
        lambda: TriggerExecution.objects.order_by("-pk")[:51],
        "Query index GSI3, GSI3PK = EXECUTION#0 | EXECUTION#1 | EXECUTION#2 | EXECUTION#3, desc",
    ),
    "overdue": (
        lambda: TriggerExecution.objects.overdue(NOW)[:1000],
        "Query index GSI4, GSI4PK = RUNNING, GSI4SK from",
    ),
    "queued": (
        lambda: QueuedRun.objects.all()[:64],
        "Query table, PK = QUEUE",
    ),
}

OPERATORS: dict[str, tuple[Rows, str]] = {
    "one": (lambda: Operator.objects.filter(pk="o"), "GetItem OPERATOR / o"),
    "by name": (
        lambda: Operator.objects.filter(username="bob"),
        "GetItem UNIQUE#authentication_operator#username#bob, then GetItem of the row",
    ),
    "by subject": (
        lambda: Operator.objects.filter(subject="s"),
        "GetItem UNIQUE#authentication_operator#subject#s, then GetItem of the row",
    ),
    "all": (lambda: Operator.objects.order_by("-pk")[:51], "Query table, PK = OPERATOR"),
    "admins": (
        lambda: Operator.objects.filter(role="admin", is_active=True)[:2],
        "Query table, PK = OPERATOR",
    ),
    "changes of an object": (
        lambda: AuditEntry.objects.filter(object_id=T).order_by("-pk")[:100],
        f"Query table, PK = AUDIT#{T}, descending",
    ),
    "latest changes": (
        lambda: AuditEntry.objects.order_by("-pk")[:30],
        "Query index GSI3, GSI3PK = AUDIT, descending",
    ),
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_plan_of_triggers(db: None, name: str) -> None:
    rows, plan = TRIGGERS[name]
    assert rows().explain().startswith(plan)


@pytest.mark.parametrize("name", EXECUTIONS)
def test_plan_of_executions(db: None, name: str) -> None:
    rows, plan = EXECUTIONS[name]
    assert rows().explain().startswith(plan)


@pytest.mark.parametrize("name", OPERATORS)
def test_plan_of_operators(db: None, name: str) -> None:
    rows, plan = OPERATORS[name]
    assert rows().explain().startswith(plan)


REFUSED: dict[str, tuple[Rows, str]] = {
    "executions of a user": (
        lambda: TriggerExecution.objects.filter(user_id="u", status=RunStatus.FAILED).order_by(
            "started_at"
        )[:5],
        "order by id",
    ),
    "triggers by name": (lambda: Trigger.objects.order_by("name")[:5], "order by id"),
    "joins": (lambda: AuditEntry.objects.filter(pk__in=Operator.objects.values("pk")), "subquery"),
    "offset": (lambda: Trigger.objects.filter(user_id="u")[10:20], "an offset"),
    "distinct": (lambda: Trigger.objects.values("user_id").distinct(), "DISTINCT"),
    "locks": (lambda: Trigger.objects.select_for_update(), "select_for_update"),
    "sums": (
        lambda: Trigger.objects.filter(user_id="u").annotate(n=models.Sum("version")),
        "GROUP BY",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_plan_is_refused_with_the_remedy(db: None, name: str) -> None:
    rows, remedy = REFUSED[name]
    with pytest.raises(NotSupportedError, match=remedy):
        rows().explain()
