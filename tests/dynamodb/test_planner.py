"""Plans: what is read for which query, and which queries are refused, without a network."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import NotSupportedError
from django.db.models import Count, F, Q

from executions.models import QueuedRun, TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from moca.dynamodb.base import DatabaseWrapper
from moca.dynamodb.queries import from_index
from tests.dynamodb import models
from tests.dynamodb.conftest import DEFAULTS, as_default
from tests.dynamodb.models import Note, Parcel
from triggers.models import IdempotencyKey, LocalSchedule, Trigger

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOON = "2026-05-01T12:00:00.000000Z"
LAST = r"\U0010ffff"

triggers, runs = Trigger.objects, TriggerExecution.objects
schedules, operators = LocalSchedule.objects, Operator.objects
entries, parcels, notes = AuditEntry.objects, Parcel.objects, Note.objects

THEN_READ = ", then BatchGetItem of the rows"
ALL_TRIGGERS = "Query index TriggersByType, type = schedule | event"
ALL_RUNS = "Query index GSI3, GSI3PK = EXECUTION#0 | EXECUTION#1 | EXECUTION#2 | EXECUTION#3"
ALL_PARCELS = f"Query index GSI3, GSI3PK = PARCEL#0 | PARCEL#1, merged{THEN_READ}"
OF_ANN = "Query table, PK = TRIGGER#ann, SK begins with 'TRIGGER#'"
PARCELS_OF_ANN = "Query table, PK = OWNER#ann, SK begins with 'PARCEL#'"
NOTES = "Query table, PK = TABLE#tests_dynamodb_note, SK begins with 'ROW#'"
NOTHING = "Nothing: no row can meet the conditions"


@pytest.fixture(autouse=True)
def _nowhere() -> Iterator[None]:
    """A connection that can reach nothing."""
    models.declare()
    options = {
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "eu-central-1",
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
    }
    settings = {"ENGINE": "moca.dynamodb", "NAME": "none", "OPTIONS": options}
    with as_default(DatabaseWrapper({**DEFAULTS, **settings}, "default")):
        yield


def ann(**fields: Any) -> Any:
    return triggers.filter(user_id="ann", **fields)


def of_ann(**fields: Any) -> Any:
    return parcels.filter(owner="ann", **fields)


PLANS: dict[str, tuple[Any, list[str]]] = {
    # By keys
    "the full key": (
        ann(pk="t1"),
        ["GetItem TRIGGER#ann / TRIGGER#t1", "stop after 1 rows"],
    ),
    "the full key and a condition": (
        ann(pk="t1", enabled=True),
        [
            "GetItem TRIGGER#ann / TRIGGER#t1",
            "filter in memory: enabled exact",
            "stop after 1 rows",
        ],
    ),
    "the full key of a run": (
        runs.filter(trigger_id="t1", pk="e1"),
        ["GetItem TRIGGER#t1 / EXECUTION#e1", "stop after 1 rows"],
    ),
    "a key of one field": (
        schedules.filter(pk="t1"),
        ["GetItem SCHEDULE#t1 / SCHEDULE", "stop after 1 rows"],
    ),
    "the key of a queued run": (
        QueuedRun.objects.filter(pk="r1"),
        ["GetItem QUEUE / r1", "stop after 1 rows"],
    ),
    "a key of digits": (
        IdempotencyKey.objects.filter(pk="17"),
        ["GetItem IDEMPOTENCY#17 / IDEMPOTENCY", "stop after 1 rows"],
    ),
    "the number of a model without a layout": (
        notes.filter(pk=5),
        [
            "GetItem TABLE#tests_dynamodb_note / ROW#100000000000000000005",
            "stop after 1 rows",
        ],
    ),
    "a negative number": (
        notes.filter(pk=-5),
        [
            "GetItem TABLE#tests_dynamodb_note / ROW#099999999999999999995",
            "stop after 1 rows",
        ],
    ),
    "several primary keys of a partition": (
        of_ann(pk__in=["p1", "p2"]),
        ["BatchGetItem of 2 keys"],
    ),
    "several of several partitions": (
        parcels.filter(owner__in=["ann", "bob"], pk__in=["p1", "p2", "p3"]),
        ["BatchGetItem of 6 keys"],
    ),
    "several primary keys in an order": (
        of_ann(pk__in=["p1", "p2"]).order_by("-id"),
        ["BatchGetItem of 2 keys", "sort in memory by -id"],
    ),
    "the same primary key twice": (
        of_ann(pk__in=["p1", "p1"]),
        ["GetItem OWNER#ann / PARCEL#p1", "stop after 1 rows"],
    ),
    "alternatives that each name a key": (
        parcels.filter(Q(owner="ann", pk="p1") | Q(owner="bob", pk="p2")),
        [
            "BatchGetItem of 2 keys",
            "filter in memory: ((owner exact AND id exact) OR (owner exact AND id exact))",
        ],
    ),
    "one key, in whatever order": (
        of_ann(pk="p1").order_by("weight")[:5],
        ["GetItem OWNER#ann / PARCEL#p1", "stop after 1 rows"],
    ),
    # By unique values
    "a unique value": (
        parcels.filter(code="c1"),
        [
            "GetItem UNIQUE#tests_dynamodb_parcel#code#c1, then GetItem of the row",
            "filter in memory: code exact",
        ],
    ),
    "several unique values": (
        parcels.filter(code__in=["c1", "c2"]),
        [
            "GetItem UNIQUE#tests_dynamodb_parcel#code#c1 | UNIQUE#tests_dynamodb_parcel#code#c2,"
            " then GetItem of the row",
            "filter in memory: code in",
        ],
    ),
    "a unique value beats a partition": (
        of_ann(code="c1"),
        [
            "GetItem UNIQUE#tests_dynamodb_parcel#code#c1, then GetItem of the row",
            "filter in memory: code exact AND owner exact",
        ],
    ),
    "no unique value": (
        parcels.filter(code=None),
        [ALL_PARCELS, "filter in memory: code isnull"],
    ),
    # By partition
    "a partition in the model's own order": (ann(), [f"{OF_ANN}, descending"]),
    "a partition without an order": (of_ann(), [PARCELS_OF_ANN]),
    "a page of a partition": (
        ann()[:20],
        [f"{OF_ANN}, descending", "stop after 20 rows"],
    ),
    "a page in ascending order": (
        ann().order_by("id")[:20],
        [OF_ANN, "stop after 20 rows"],
    ),
    "a page from a cursor": (
        ann(pk__lt="t9")[:20],
        [
            "Query table, PK = TRIGGER#ann, SK from 'TRIGGER#' to 'TRIGGER#t9', descending",
            "stop after 20 rows",
        ],
    ),
    "a page from a cursor upwards": (
        of_ann(pk__gt="p1").order_by("id")[:20],
        [
            f"Query table, PK = OWNER#ann, SK from 'PARCEL#p1' to 'PARCEL#{LAST}'",
            "stop after 20 rows",
        ],
    ),
    "two bounds": (
        of_ann(pk__gte="p1", pk__lte="p5"),
        ["Query table, PK = OWNER#ann, SK from 'PARCEL#p1' to 'PARCEL#p5'"],
    ),
    "the narrowest of several bounds": (
        of_ann(pk__gt="p1", pk__lt="p9").filter(pk__gt="p3", pk__lt="p5"),
        ["Query table, PK = OWNER#ann, SK from 'PARCEL#p3' to 'PARCEL#p5'"],
    ),
    "a range": (
        of_ann(pk__range=("p1", "p5")),
        [
            "Query table, PK = OWNER#ann, SK from 'PARCEL#p1' to 'PARCEL#p5'",
            "filter in memory: id range",
        ],
    ),
    "a beginning": (
        of_ann(pk__startswith="p"),
        [
            f"Query table, PK = OWNER#ann, SK from 'PARCEL#p' to 'PARCEL#p{LAST}'",
            "filter in memory: id startswith",
        ],
    ),
    "an ending is no bound": (
        of_ann(pk__endswith="1"),
        [PARCELS_OF_ANN, "filter in memory: id endswith"],
    ),
    "bounds of numbers": (
        notes.filter(pk__gte=5, pk__lt=7),
        [
            "Query table, PK = TABLE#tests_dynamodb_note, "
            "SK from 'ROW#100000000000000000005' to 'ROW#100000000000000000007'"
        ],
    ),
    "partitions in order": (
        parcels.filter(owner__in=["ann", "bob"]).order_by("-id")[:10],
        [
            "Query table, PK = OWNER#ann | OWNER#bob, SK begins with 'PARCEL#', descending, merged",
            "stop after 10 rows",
        ],
    ),
    "a condition": (
        of_ann(weight__gt=1)[:10],
        [PARCELS_OF_ANN, "filter in memory: weight gt", "stop after 10 rows"],
    ),
    "an exclusion": (
        of_ann().exclude(note="x"),
        [PARCELS_OF_ANN, "filter in memory: NOT note exact"],
    ),
    "alternatives within a partition": (
        of_ann().filter(Q(weight=1) | Q(weight=2)),
        [PARCELS_OF_ANN, "filter in memory: (weight exact OR weight exact)"],
    ),
    "fields compared with each other": (
        of_ann(weight=F("pieces") + 1),
        [PARCELS_OF_ANN, "filter in memory: weight exact"],
    ),
    "an order of another field": (
        of_ann().order_by("-weight", "id"),
        [PARCELS_OF_ANN, "sort in memory by -weight, id"],
    ),
    "an order by what has one value": (
        of_ann().order_by("owner", "-id")[:3],
        [f"{PARCELS_OF_ANN}, descending", "stop after 3 rows"],
    ),
    "no rows where a slice is empty": (of_ann()[:0], [NOTHING]),
    "the runs of a trigger": (
        runs.filter(trigger_id="t1")[:20],
        [
            "Query table, PK = TRIGGER#t1, SK begins with 'EXECUTION#', descending",
            "stop after 20 rows",
        ],
    ),
    "the runs of a trigger from a cursor": (
        runs.filter(trigger_id="t1", pk__lt="e9")[:20],
        [
            "Query table, PK = TRIGGER#t1, SK from 'EXECUTION#' to 'EXECUTION#e9', descending",
            "stop after 20 rows",
        ],
    ),
    "changes of an object": (
        entries.filter(object_id="t1")[:10],
        ["Query table, PK = AUDIT#t1, descending", "stop after 10 rows"],
    ),
    "the queue": (
        QueuedRun.objects.all()[:5],
        ["Query table, PK = QUEUE", "stop after 5 rows"],
    ),
    "all operators": (
        operators.all()[:10],
        ["Query table, PK = OPERATOR, descending", "stop after 10 rows"],
    ),
    "all rows of a model without a layout": (notes.all(), [NOTES]),
    "an offset in a model without a layout": (
        notes.all()[5:10],
        [NOTES, "skip 5 rows", "stop after 5 rows"],
    ),
    "first rows by any field of a model without a layout": (
        notes.order_by("rank")[:3],
        [NOTES, "sort in memory by rank", "stop after 3 rows"],
    ),
    "the value of a foreign key": (
        notes.filter(parcel="p1"),
        [NOTES, "filter in memory: parcel_id exact"],
    ),
    # By index
    "a trigger by its id alone": (
        triggers.filter(pk="t1"),
        [f"{ALL_TRIGGERS}, id = 't1'{THEN_READ}", "stop after 1 rows"],
    ),
    "a run by its id alone": (
        runs.filter(pk="e1"),
        [f"Query index GSI3, GSI3PK = EXECUTION#3, GSI3SK = 'e1'{THEN_READ}", "stop after 1 rows"],
    ),
    "a page of all triggers": (
        triggers.all()[:25],
        [f"{ALL_TRIGGERS}, descending, merged{THEN_READ}", "stop after 25 rows"],
    ),
    "all triggers of a type": (
        triggers.filter(type="event"),
        [f"Query index TriggersByType, type = event, descending{THEN_READ}"],
    ),
    "all triggers of a type from a cursor": (
        triggers.filter(type="event", pk__lt="t9")[:25],
        [
            f"Query index TriggersByType, type = event, id from '' to 't9', descending{THEN_READ}",
            "stop after 25 rows",
        ],
    ),
    "triggers of an event source": (
        triggers.filter(type="event", event_config__eventSourceId="s1"),
        [
            "Query index GSI2, GSI2PK = EVENTSOURCE#s1, GSI2SK begins with 'USER#'" + THEN_READ,
            "filter in memory: event_config.eventSourceId exact",
            "sort in memory by -id",
        ],
    ),
    "a search through all triggers": (
        triggers.search("x")[:5],
        [
            f"{ALL_TRIGGERS}, descending, merged{THEN_READ}",
            "filter in memory: (name icontains OR description icontains)",
            "stop after 5 rows",
        ],
    ),
    "a page of all runs": (
        runs.all()[:20],
        [f"{ALL_RUNS}, descending, merged{THEN_READ}", "stop after 20 rows"],
    ),
    "a page of all runs from a cursor": (
        runs.filter(pk__lt="e5")[:20],
        [
            f"{ALL_RUNS}, GSI3SK from '' to 'e5', descending, merged{THEN_READ}",
            "stop after 20 rows",
        ],
    ),
    "overdue runs": (
        runs.overdue(NOW)[:10],
        [
            f"Query index GSI4, GSI4PK = RUNNING, GSI4SK from '' to '{NOON}'{THEN_READ}",
            "stop after 10 rows",
        ],
    ),
    "an index of few rows beats one that has the order": (
        runs.filter(status="running", lease_until__lt=NOW),
        [
            f"Query index GSI4, GSI4PK = RUNNING, GSI4SK from '' to '{NOON}'{THEN_READ}",
            "sort in memory by -id",
        ],
    ),
    "running runs, some of which stand in no sparse index": (
        runs.running()[:5],
        [
            f"{ALL_RUNS}, descending, merged{THEN_READ}",
            "filter in memory: status exact",
            "stop after 5 rows",
        ],
    ),
    "due schedules": (
        schedules.filter(due_at__lte=NOW).order_by("due_at")[:10],
        [
            f"Query index GSI4, GSI4PK = DUE, GSI4SK from '' to '{NOON}'{THEN_READ}",
            "stop after 10 rows",
        ],
    ),
    "the latest due first": (
        parcels.filter(state="sent", due__gt=NOW).order_by("-due")[:2],
        [
            f"Query index GSI4, GSI4PK = DUE, GSI4SK from '{NOON}' to '{LAST}', "
            f"descending{THEN_READ}",
            "stop after 2 rows",
        ],
    ),
    "what is not null, by an exclusion": (
        parcels.filter(state="sent").exclude(due=None),
        [f"Query index GSI4, GSI4PK = DUE{THEN_READ}", "filter in memory: NOT due isnull"],
    ),
    "rows that a sparse index may lack": (
        parcels.filter(due__lte=NOW),
        [ALL_PARCELS, "filter in memory: due lte"],
    ),
    "one value by a list of one": (
        parcels.filter(state__in=["sent"], due__isnull=False),
        [f"Query index GSI4, GSI4PK = DUE{THEN_READ}", "filter in memory: due isnull"],
    ),
    "alternatives of partitions": (
        parcels.filter(owner="ann") | parcels.filter(owner="bob"),
        [ALL_PARCELS, "filter in memory: (owner exact OR owner exact)"],
    ),
    "an alternative that names no key": (
        parcels.filter(Q(owner="ann", pk="p1") | Q(weight=2)),
        [ALL_PARCELS, "filter in memory: ((owner exact AND id exact) OR weight exact)"],
    ),
    "a partition that is excluded": (
        parcels.exclude(owner="ann"),
        [ALL_PARCELS, "filter in memory: NOT owner exact"],
    ),
    "more partitions than are worth it": (
        parcels.filter(owner__in=[f"u{number}" for number in range(101)]),
        [ALL_PARCELS, "filter in memory: owner in"],
    ),
    "all changes": (
        entries.all()[:10],
        [f"Query index GSI3, GSI3PK = AUDIT, descending{THEN_READ}", "stop after 10 rows"],
    ),
    # An index alone
    "the newest runs as their index has them": (
        from_index(runs.order_by("-id")).values_list("trigger_id", "pk")[:20],
        [f"{ALL_RUNS}, descending, merged, keys only", "stop after 20 rows"],
    ),
    "the running runs as their index has them": (
        from_index(
            runs.running().filter(lease_until__isnull=False).order_by("-lease_until")
        ).values_list("pk", "lease_until"),
        [
            "Query index GSI4, GSI4PK = RUNNING, descending, keys only",
            "filter in memory: lease_until isnull",
        ],
    ),
    "the owner of a trigger as an index has it": (
        from_index(triggers.filter(pk="t1")).values_list("user_id"),
        [f"{ALL_TRIGGERS}, id = 't1', keys only", "stop after 1 rows"],
    ),
    # Nothing
    "none": (parcels.none(), [NOTHING]),
    "an empty list": (parcels.filter(owner__in=[]), [NOTHING]),
    "two values at once": (of_ann().filter(owner="bob"), [NOTHING]),
    "lists with nothing in common": (
        of_ann(pk__in=["p1"]).filter(pk__in=["p2"]),
        [NOTHING],
    ),
    "bounds that exclude each other": (of_ann(pk__gt="p5", pk__lt="p1"), [NOTHING]),
}

A_SCAN = "would need a Scan of the whole DynamoDB table"
REFUSED: dict[str, tuple[Any, str]] = {
    "all rows of what has no index": (
        IdempotencyKey.objects.all(),
        f"triggers_idempotencykey {A_SCAN}. Filter by id.",
    ),
    "a field that is no key": (IdempotencyKey.objects.filter(ttl__lt=5), "Filter by id."),
    "first rows by another field": (
        of_ann().order_by("weight")[:3],
        "Its first rows by weight are known only when all are read: order by id, or take all.",
    ),
    "first rows of all by another field": (
        runs.order_by("-started_at")[:20],
        "Its first rows by started_at are known only when all are read: order by id",
    ),
    "first rows by a text that something follows": (
        triggers.order_by("user_id", "id")[:3],
        "order by id, or take all",
    ),
    "first rows by the key and another field": (
        of_ann().order_by("-id", "note")[:3],
        "Its first rows by id, note are known only when all are read",
    ),
    "first rows by an index with ties": (
        parcels.filter(state="sent", due__isnull=False).order_by("due", "id")[:2],
        "order by due or id",
    ),
    "an offset": (parcels.all()[5:10], "an offset: page by a filter on the primary key"),
    "more keys than are worth it": (
        of_ann(pk__in=[f"p{number}" for number in range(1001)]),
        "It names more than 1000 keys: ask for fewer at a time.",
    ),
    "a field that the keys of an index lack": (
        from_index(runs.order_by("-id")).values_list("pk", "error"),
        "The keys of the index GSI3 of executions_triggerexecution do not hold error",
    ),
    "a filter on what the keys of an index lack": (
        from_index(runs.filter(source="event")).values_list("pk"),
        "do not hold source",
    ),
    "an index alone, of rows that the table lists": (
        from_index(runs.filter(trigger_id="t1")).values_list("pk"),
        "No index of executions_triggerexecution has these rows",
    ),
    "distinct": (parcels.distinct(), "does not support DISTINCT"),
    "a lock": (parcels.select_for_update(), "does not support select_for_update"),
    "groups": (parcels.values("owner").annotate(n=Count("id")), "does not support GROUP BY"),
    "an order by a computed value": (
        parcels.order_by(F("weight") + 1),
        "CombinedExpression: order by a field of the model itself",
    ),
    "nulls last": (
        parcels.order_by(F("pieces").asc(nulls_last=True)),
        "does not support nulls_first and nulls_last",
    ),
    "a random order": (parcels.order_by("?"), "does not support Random"),
    "a subquery": (
        parcels.filter(weight__in=parcels.values("weight")),
        "a subquery: read the values first",
    ),
    "a part of a date": (parcels.filter(due__year=2026), "does not support YearExact"),
    "a join in a condition": (
        notes.filter(parcel__owner="ann"),
        "joins: tests_dynamodb_parcel would be joined to tests_dynamodb_note",
    ),
    "a join in an order": (notes.order_by("parcel__owner"), "does not support"),
    "select_related": (notes.select_related("parcel"), "does not support"),
    "a union": (of_ann().union(of_ann()), "does not support UNION"),
    "extra": (parcels.extra(where=["1 = 1"]), "does not support ExtraWhere"),
    "dates": (parcels.dates("due", "day"), "the truncation of dates"),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_is(name: str) -> None:
    rows, lines = PLANS[name]
    assert rows.all().explain().split("\n") == lines


@pytest.mark.parametrize("name", REFUSED)
def test_refused_is(name: str) -> None:
    rows, message = REFUSED[name]
    with pytest.raises(NotSupportedError) as caught:
        rows.all().explain()
    assert message in str(caught.value)
