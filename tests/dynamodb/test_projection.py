"""What a query does not ask for is not sent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from executions.models import TriggerExecution
from moca.authentication.models import Operator
from moca.dynamodb.base import DatabaseWrapper
from moca.dynamodb.queries import from_index
from triggers.models import Trigger

Rows = Callable[[], Any]


@pytest.fixture
def sent(dynamodb: DatabaseWrapper) -> Iterator[set[str]]:
    """The names of the attributes in the answers of DynamoDB."""
    names: set[str] = set()

    def note(parsed: dict[str, Any], **_: Any) -> None:
        found = [parsed.get("Item", {}), *parsed.get("Items", [])]
        for items in parsed.get("Responses", {}).values():
            found += items
        names.update(*found)

    events = dynamodb.service.raw.meta.events
    events.register("after-call.dynamodb", note)
    yield names
    events.unregister("after-call.dynamodb", note)


@pytest.fixture
def run(dynamodb: DatabaseWrapper) -> TriggerExecution:
    made: TriggerExecution = TriggerExecution.objects.create(
        id="e1",
        trigger_id="t1",
        user_id="ann",
        status="failed",
        source="event",
        started_at=datetime(2027, 1, 4, 9, tzinfo=UTC),
        output="Once",
        output_tail="upon a time",
        error="Timed out.",
        ttl=4_000_000_000,
    )
    return made


READS: dict[str, Rows] = {
    "one by its key": lambda: TriggerExecution.objects.filter(trigger_id="t1", pk="e1"),
    "many by their keys": lambda: TriggerExecution.objects.filter(
        trigger_id="t1", pk__in=["e1", "e2"]
    ),
    "a partition": lambda: TriggerExecution.objects.filter(trigger_id="t1"),
    "an index": TriggerExecution.objects.all,
    "an index, filtered": lambda: TriggerExecution.objects.filter(source="event"),
}


@pytest.mark.parametrize("name", READS)
def test_deferred_fields_are_not_sent(run: TriggerExecution, sent: set[str], name: str) -> None:
    [found] = READS[name]().defer("output", "output_tail")
    assert (found.error, sent & {"output", "outputTail", "source"}) == ("Timed out.", {"source"})


@pytest.mark.parametrize("name", READS)
def test_a_deferred_field_is_read_when_asked_for(run: TriggerExecution, name: str) -> None:
    [found] = READS[name]().defer("output_tail")
    assert found.output_tail == "upon a time"


def test_a_column_alone(run: TriggerExecution, sent: set[str]) -> None:
    assert list(TriggerExecution.objects.values_list("source", flat=True)) == ["event"]
    assert "output" not in sent


def test_rows_by_a_unique_value(dynamodb: DatabaseWrapper) -> None:
    Operator.objects.create(username="ann", subject="s1")
    found = Operator.objects.filter(username="ann").values_list("subject", flat=True)
    assert list(found) == ["s1"]


def test_a_whole_row_has_all_that_is_stored(run: TriggerExecution, sent: set[str]) -> None:
    list(TriggerExecution.objects.all())
    assert {"output", "outputTail", "errorMessage", "GSI3PK"} <= sent


@pytest.mark.parametrize(("error", "status"), [("Timed out.", "failed"), ("", "completed")])
def test_a_status_that_follows_from_what_is_deferred(
    run: TriggerExecution, dynamodb: DatabaseWrapper, error: str, status: str
) -> None:
    stored = {"executionId": {"S": "e1"}, "PK": {"S": "TRIGGER#t1"}, "SK": {"S": "EXECUTION#e1"}}
    if error:
        stored["errorMessage"] = {"S": error}
    dynamodb.service.call("put_item", TableName=dynamodb.service.table, Item=stored)
    [found] = TriggerExecution.objects.filter(trigger_id="t1").defer("error", "output")
    assert found.status == status


@pytest.mark.parametrize(("kind", "policy"), [("schedule", "skip"), ("event", "allow")])
def test_a_policy_that_follows_from_what_is_deferred(
    dynamodb: DatabaseWrapper, kind: str, policy: str
) -> None:
    stored = {"id": "t1", "type": kind, "PK": "TRIGGER#ann", "SK": "TRIGGER#t1"}
    item = {name: {"S": value} for name, value in stored.items()}
    dynamodb.service.call("put_item", TableName=dynamodb.service.table, Item=item)
    found = Trigger.objects.filter(user_id="ann").values_list("overlap_policy", flat=True)
    assert list(found) == [policy]


def test_a_transaction_writes_whole_rows_after_it_has_read_parts(run: TriggerExecution) -> None:
    with transaction.atomic():
        [part] = TriggerExecution.objects.filter(trigger_id="t1").defer("output_tail")
        part.error = "Other."
        part.save()
    stored = TriggerExecution.objects.get(trigger_id="t1", pk="e1")
    assert (stored.error, stored.output_tail) == ("Other.", "upon a time")


def test_an_index_alone_reads_no_row(run: TriggerExecution, calls: list[str]) -> None:
    newest = from_index(TriggerExecution.objects.order_by("-id"))
    found = list(newest.values_list("trigger_id", "pk")[:20])
    assert (found, set(calls)) == ([("t1", "e1")], {"Query"})


def test_an_index_alone_gives_times_that_its_keys_hold(dynamodb: DatabaseWrapper) -> None:
    until = datetime(2027, 1, 4, 9, 0, 0, 123456, tzinfo=UTC)
    values = {"user_id": "ann", "source": "event", "started_at": until, "ttl": 1}
    TriggerExecution.objects.create(id="e1", trigger_id="t1", lease_until=until, **values)
    running = TriggerExecution.objects.running().filter(lease_until__lte=until)
    found = from_index(running.order_by("lease_until")).values_list("lease_until", "status")
    assert list(found) == [(until, "running")]


def test_an_index_alone_counts_without_a_look_at_the_rows(
    run: TriggerExecution, calls: list[str]
) -> None:
    number = from_index(TriggerExecution.objects.order_by("-id"))[:100].count()
    assert (number, set(calls)) == (1, {"Query"})


def test_an_index_alone_within_a_transaction_has_its_writes(run: TriggerExecution) -> None:
    with transaction.atomic():
        run.delete()
        found = list(from_index(TriggerExecution.objects.order_by("-id")).values_list("pk"))
    assert found == []
