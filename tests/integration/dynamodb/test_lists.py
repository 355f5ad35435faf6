"""What pages that show many triggers cost in read units."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from moca.dynamodb.queries import may_lag
from tests.integration.console.conftest import viewer
from tests.integration.dynamodb.conftest import Measuring
from triggers.models import Trigger

__all__ = ["viewer"]

MANY = 60


@pytest.fixture
def many(make_trigger: Callable[..., Trigger]) -> list[Trigger]:
    return [make_trigger(name=f"Trigger {number}", prompt="x" * 2000) for number in range(MANY)]


def units_of(visit: Callable[[], Any], units_read: Measuring) -> float:
    with units_read() as units:
        visit()
    return sum(units)


def test_dashboard_costs_half_a_unit_for_each_trigger(
    many: list[Trigger], viewer: Client, units_read: Measuring
) -> None:
    whole = units_of(lambda: viewer.get("/console/"), units_read)
    for trigger in many:
        trigger.delete()
    empty = units_of(lambda: viewer.get("/console/"), units_read)
    # Their keys are read from an index, half a unit for about 20.
    assert whole - empty <= MANY / 2 + MANY / 20


def test_rows_of_a_user_cost_half_as_much(many: list[Trigger], units_read: Measuring) -> None:
    rows = Trigger.objects.of_user("alice")
    exact = units_of(lambda: list(rows), units_read)
    assert units_of(lambda: list(may_lag(rows)), units_read) == exact / 2


def test_transaction_reads_rows_as_they_are(many: list[Trigger], units_read: Measuring) -> None:
    rows = Trigger.objects.named([("alice", trigger.pk) for trigger in many])
    exact = units_of(lambda: list(rows), units_read)
    with transaction.atomic():
        inside = units_of(lambda: list(may_lag(rows)), units_read)
    assert inside == exact
