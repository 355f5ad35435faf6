"""What goes wrong at the service, on the way to it, and in what others wrote there."""

# What fails is the end of the block.
# ruff: noqa: PT012

import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from executions.models import QueuedRun, TriggerExecution
from moca.conflicts import ConflictError
from moca.dynamodb.base import DatabaseWrapper
from moca.versioning import StaleVersionError
from tests.dynamodb.conftest import as_default
from tests.dynamodb.faults import answer, cancelled, fault, lost_answer, refusal, times
from tests.dynamodb.models import Note, Parcel
from triggers.models import Trigger

THROTTLED = "ProvisionedThroughputExceededException"
KEY = {"owner": "ann", "pk": "p1"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat at once; how long it waits is its own affair."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


def make(id_: str = "p1", **fields: Any) -> Parcel:
    return Parcel.objects.create(**{"id": id_, "owner": "ann", "state": "new", **fields})


def make_trigger(**fields: Any) -> Trigger:
    values = {"user_id": "ann", "name": "Report", "agent_id": "a", "prompt": "Report."}
    schedule = {"schedule_config": {"expression": "rate(1 hour)"}}
    trigger = Trigger(**{**values, **schedule, **fields})
    trigger.save()
    return trigger


def put(dynamodb: DatabaseWrapper, **attributes: Any) -> None:
    """Write an item as another program would."""
    dynamodb.service.raw.put_item(TableName=dynamodb.service.table, Item=attributes)


def mine() -> Any:
    return Parcel.objects.filter(owner="ann").order_by("id")


class TestThrottling:
    def test_a_read_that_is_throttled_twice_succeeds(self, dynamodb: DatabaseWrapper) -> None:
        make()
        with fault(dynamodb, times(2, "GetItem")(lambda send: refusal(THROTTLED))):
            assert Parcel.objects.get(**KEY).state == "new"

    def test_a_write_that_is_throttled_twice_succeeds(self, dynamodb: DatabaseWrapper) -> None:
        with fault(dynamodb, times(2, "PutItem")(lambda send: refusal(THROTTLED))):
            make()
        assert mine().count() == 1

    def test_throttling_without_end_is_said(self, dynamodb: DatabaseWrapper) -> None:
        with (
            fault(dynamodb, times(99, "GetItem")(lambda send: refusal(THROTTLED))),
            pytest.raises(OperationalError, match="throttling: try again"),
        ):
            Parcel.objects.get(**KEY)

    def test_throttling_without_end_is_given_up(self, dynamodb: DatabaseWrapper) -> None:
        with fault(dynamodb, times(99, "GetItem")(lambda send: refusal(THROTTLED))) as sent:
            with pytest.raises(OperationalError):
                Parcel.objects.get(**KEY)
            assert len(sent) == 5

    def test_a_transaction_throttled_once_succeeds(self, dynamodb: DatabaseWrapper) -> None:
        refused = times(1, "TransactWriteItems")
        with (
            fault(dynamodb, refused(lambda send: cancelled("None", "ThrottlingError"))),
            transaction.atomic(),
        ):
            make("p1")
            make("p2")
        assert mine().count() == 2

    def test_rows_that_a_batch_left_out_are_asked_for_again(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        make("p1")
        make("p2")

        def halve(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            ((table, request),) = body.get("RequestItems", {"": {"Keys": []}}).items()
            if operation != "BatchGetItem" or len(request["Keys"]) < 2:
                return None
            first, *others = request["Keys"]
            item = {**first, "id": {"S": "p1"}, "owner": {"S": "ann"}, "state": {"S": "new"}}
            left = {table: {**request, "Keys": others}}
            return answer({"Responses": {table: [item]}, "UnprocessedKeys": left})

        with fault(dynamodb, halve):
            found = Parcel.objects.filter(owner="ann", pk__in=["p1", "p2"])
            assert [parcel.pk for parcel in found] == ["p1", "p2"]

    def test_a_batch_of_which_nothing_is_ever_read_is_an_error(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        def refuse_all(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            return answer({"Responses": {}, "UnprocessedKeys": body["RequestItems"]})

        with fault(dynamodb, refuse_all), pytest.raises(OperationalError, match="throttling"):
            list(Parcel.objects.filter(owner="ann", pk__in=["p1", "p2"]))

    def test_a_server_error_is_passed_over(self, dynamodb: DatabaseWrapper) -> None:
        with fault(
            dynamodb, times(2, "PutItem")(lambda send: refusal("InternalServerError", status=500))
        ):
            make()
        assert mine().count() == 1

    def test_server_errors_without_end_are_operational(self, dynamodb: DatabaseWrapper) -> None:
        broken = times(99, "GetItem")(lambda send: refusal("InternalServerError", status=500))
        with fault(dynamodb, broken), pytest.raises(OperationalError, match="InternalServerError"):
            Parcel.objects.get(**KEY)


class TestContention:
    def test_a_transaction_cancelled_by_another_is_repeated(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        refused = times(2, "TransactWriteItems")
        with (
            fault(dynamodb, refused(lambda send: cancelled("TransactionConflict", "None"))),
            transaction.atomic(),
        ):
            make("p1")
            make("p2")
        assert mine().count() == 2

    def test_one_that_is_cancelled_for_ever_is_a_conflict(self, dynamodb: DatabaseWrapper) -> None:
        refused = times(99, "TransactWriteItems")
        with (
            fault(dynamodb, refused(lambda send: cancelled("TransactionConflict", "None"))),
            pytest.raises(ConflictError, match="Others keep writing"),
            transaction.atomic(),
        ):
            make("p1")
            make("p2")

    def test_a_row_held_for_ever_is_not_taken_for_no_row(self, dynamodb: DatabaseWrapper) -> None:
        make()
        held = times(99, "UpdateItem")(lambda send: refusal("TransactionConflictException"))
        with fault(dynamodb, held), pytest.raises(ConflictError):
            Parcel.objects.filter(**KEY).update(weight=2)

    def test_of_two_savers_one_hears_of_the_other(self, dynamodb: DatabaseWrapper) -> None:
        trigger = make_trigger()
        first, second = (Trigger.objects.get(user_id="ann", pk=trigger.pk) for _ in range(2))
        first.name, second.name = "First", "Second"
        first.save()
        with pytest.raises(StaleVersionError):
            second.save()

    def test_what_the_first_of_two_savers_wrote_stays(self, dynamodb: DatabaseWrapper) -> None:
        trigger = make_trigger()
        first, second = (Trigger.objects.get(user_id="ann", pk=trigger.pk) for _ in range(2))
        first.name, second.name = "First", "Second"
        first.save()
        with pytest.raises(StaleVersionError):
            second.save()
        assert Trigger.objects.get(user_id="ann", pk=trigger.pk).name == "First"

    def test_of_eight_inserts_of_one_key_one_wins_each_time(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        wins = in_threads(connect, 8, lambda number: [won(f"p{turn}") for turn in range(60)])
        assert [sum(turn) for turn in zip(*wins, strict=True)] == [1] * 60

    def test_of_counts_by_eight_none_is_lost(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        make()

        def count(number: int) -> list[int]:
            row = Parcel.objects.filter(**KEY)
            return [row.update(weight=F("weight") + 1) for _ in range(10)]

        in_threads(connect, 8, count)
        assert Parcel.objects.get(**KEY).weight == 80

    def test_of_read_and_written_counts_by_four_none_is_lost(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        make()

        def count(number: int) -> list[int]:
            return [counted() for _ in range(5)]

        in_threads(connect, 4, count)
        assert Parcel.objects.get(**KEY).weight == 20

    def test_of_eight_takers_of_a_queued_run_one_has_it(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        QueuedRun.objects.create(id="r1")
        assert in_threads(connect, 8, lambda number: took("r1")).count(True) == 1

    def test_of_eight_takers_of_a_unique_value_one_has_it(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        wins = in_threads(connect, 8, lambda number: won(f"p{number}", code="c1"))
        assert sum(wins) == 1


def won(id_: str, **fields: Any) -> bool:
    try:
        make(id_, **fields)
    except IntegrityError:
        return False
    return True


def took(id_: str) -> bool:
    try:
        return bool(QueuedRun.objects.filter(pk=id_).delete()[0])
    except ConflictError:
        return False


def counted() -> int:
    """Add one by a read and a write of the same block, however often it takes."""
    for attempt in range(100):
        try:
            with transaction.atomic():
                parcel = Parcel.objects.get(**KEY)
                updated = Parcel.objects.filter(**KEY, weight=parcel.weight)
                updated.update(weight=parcel.weight + 1)
        except ConflictError:
            continue
        return attempt
    raise AssertionError("never")


def in_threads(
    connect: Callable[..., DatabaseWrapper], count: int, work: Callable[[int], Any]
) -> list[Any]:
    """Do something in threads that begin together, each with a connection; gives what they gave."""
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        with as_default(connect()):
            start.wait()
            try:
                results[number] = work(number)
            except Exception as error:  # noqa: BLE001  (shown by the assertion)
                results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestLostAnswers:
    """The service did it, and the answer to the first try was lost."""

    def test_an_insert_is_not_taken_for_a_duplicate(self, dynamodb: DatabaseWrapper) -> None:
        with fault(dynamodb, times(1, "PutItem")(lost_answer)):
            make(weight=3, note="a")
        assert mine().count() == 1

    def test_an_insert_of_numbers_is_not_taken_for_a_duplicate(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        usage = {"cost": 1e-07, "tokens": 10**20}
        with fault(dynamodb, times(1, "PutItem")(lost_answer)):
            execution = TriggerExecution(
                id="e1",
                trigger_id="t1",
                user_id="ann",
                source="manual",
                started_at=timezone.now(),
                usage=usage,
                ttl=1,
            )
            execution.save(force_insert=True)
        assert TriggerExecution.objects.get(trigger_id="t1", pk="e1").usage == usage

    def test_an_insert_of_what_another_inserted_is_a_duplicate(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        make(weight=1)
        with (
            fault(dynamodb, times(1, "PutItem")(lost_answer)),
            pytest.raises(IntegrityError),
        ):
            make(weight=2)

    def test_a_change_is_counted(self, dynamodb: DatabaseWrapper) -> None:
        make(weight=1)
        with fault(dynamodb, times(1, "UpdateItem")(lost_answer)):
            assert Parcel.objects.filter(**KEY, weight=1).update(weight=2) == 1

    def test_a_deletion_is_counted(self, dynamodb: DatabaseWrapper) -> None:
        make()
        with fault(dynamodb, times(1, "DeleteItem")(lost_answer)):
            assert Parcel.objects.filter(**KEY).delete()[0] == 1

    def test_a_save_is_not_stale(self, dynamodb: DatabaseWrapper) -> None:
        trigger = make_trigger()
        trigger = Trigger.objects.get(user_id="ann", pk=trigger.pk)
        trigger.description = "changed"
        with fault(dynamodb, times(1, "UpdateItem", "TransactWriteItems")(lost_answer)):
            trigger.save()
        assert Trigger.objects.get(user_id="ann", pk=trigger.pk).description == "changed"

    def test_a_transaction_is_made_once(self, dynamodb: DatabaseWrapper) -> None:
        make(weight=1)
        with (
            fault(dynamodb, times(1, "TransactWriteItems")(lost_answer)),
            transaction.atomic(),
        ):
            make("p2")
            Parcel.objects.filter(**KEY).update_expected(weight=F("weight") + 1)
        assert Parcel.objects.get(**KEY).weight == 2


class TestOutOfReach:
    def test_a_missing_table_names_migrate(self, connect: Callable[..., DatabaseWrapper]) -> None:
        with (
            as_default(connect("none")),
            pytest.raises(OperationalError, match="run manage"),
        ):
            make()

    def test_a_missing_table_names_itself(self, connect: Callable[..., DatabaseWrapper]) -> None:
        with (
            as_default(connect("none")),
            pytest.raises(OperationalError, match="table none is missing"),
        ):
            list(mine())

    @pytest.mark.parametrize(
        "code", ["UnrecognizedClientException", "ExpiredTokenException", "AccessDeniedException"]
    )
    def test_refused_credentials_are_named(self, dynamodb: DatabaseWrapper, code: str) -> None:
        refused = times(9, "GetItem")(lambda send: refusal(code))
        with fault(dynamodb, refused), pytest.raises(OperationalError, match="our credentials"):
            Parcel.objects.get(**KEY)

    def test_wrong_keys_are_named(
        self, connect: Callable[..., DatabaseWrapper], dynamodb: DatabaseWrapper
    ) -> None:
        wrapper = connect(aws_access_key_id="no-such-key!")
        with as_default(wrapper), pytest.raises(OperationalError, match="check the keys"):
            Parcel.objects.get(**KEY)

    def test_no_credentials_are_named(
        self, connect: Callable[..., DatabaseWrapper], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        wrapper = connect(aws_access_key_id=None, aws_secret_access_key=None)
        with as_default(wrapper), pytest.raises(OperationalError, match="no credentials"):
            Parcel.objects.get(**KEY)

    def test_nobody_at_the_address_is_operational(
        self, connect: Callable[..., DatabaseWrapper]
    ) -> None:
        wrapper = connect(endpoint_url="http://127.0.0.1:9")
        with as_default(wrapper), pytest.raises(OperationalError, match="cannot be reached"):
            Parcel.objects.get(**KEY)

    def test_a_connection_cut_for_ever_is_operational(self, dynamodb: DatabaseWrapper) -> None:
        with (
            fault(dynamodb, times(99, "GetItem")(cut)),
            pytest.raises(OperationalError, match="cannot be reached"),
        ):
            Parcel.objects.get(**KEY)

    def test_an_answer_that_is_no_json_is_operational(self, dynamodb: DatabaseWrapper) -> None:
        def garble(send: Callable[[], Any]) -> Any:
            response = answer({})
            response._content = b"<html>502 Bad Gateway</html>"
            response.status_code = 502
            return response

        with fault(dynamodb, times(99, "GetItem")(garble)), pytest.raises(OperationalError):
            Parcel.objects.get(**KEY)


def cut(send: Callable[[], Any]) -> Any:
    raise ConnectionClosedError(endpoint_url="http://fault")


class TestPages:
    @pytest.fixture
    def large(self, dynamodb: DatabaseWrapper) -> None:
        """Ten rows of 300 KB, of which a page holds three."""
        text = "x" * 300_000
        for number in range(10):
            put(
                dynamodb,
                PK={"S": "OWNER#ann"},
                SK={"S": f"PARCEL#p{number}"},
                id={"S": f"p{number}"},
                owner={"S": "ann"},
                state={"S": "new"},
                weight={"N": str(number)},
                padding={"S": text},
                GSI3PK={"S": "PARCEL#0"},
                GSI3SK={"S": f"p{number}"},
            )

    @pytest.mark.usefixtures("large")
    def test_a_list_goes_on_past_a_page(self) -> None:
        assert [parcel.weight for parcel in mine()] == list(range(10))

    @pytest.mark.usefixtures("large")
    def test_a_count_goes_on_past_a_page(self) -> None:
        assert mine().count() == 10

    @pytest.mark.usefixtures("large")
    def test_a_slice_is_filled_across_pages(self) -> None:
        assert [parcel.pk for parcel in mine().order_by("-id")[:5]] == [
            f"p{number}" for number in (9, 8, 7, 6, 5)
        ]

    @pytest.mark.usefixtures("large")
    def test_what_meets_a_condition_is_found_on_a_later_page(self) -> None:
        assert mine().filter(weight=8).get().pk == "p8"

    @pytest.mark.usefixtures("large")
    def test_rows_of_an_index_are_read_back_across_answers(self) -> None:
        assert len(Parcel.objects.order_by("id")) == 10

    @pytest.mark.usefixtures("large")
    def test_many_keys_are_got_across_answers(self) -> None:
        found = Parcel.objects.filter(owner="ann", pk__in=[f"p{number}" for number in range(10)])
        assert len(found) == 10

    @pytest.mark.usefixtures("large")
    def test_a_cut_after_the_first_page_is_an_error_and_not_half_a_list(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        def cut_later(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            return cut(send) if "ExclusiveStartKey" in body else None

        with fault(dynamodb, cut_later), pytest.raises(OperationalError, match="cannot be reached"):
            list(mine())

    @pytest.mark.usefixtures("large")
    def test_a_queryset_keeps_no_half_of_a_list(self, dynamodb: DatabaseWrapper) -> None:
        def cut_later(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            return cut(send) if "ExclusiveStartKey" in body else None

        rows = mine()
        with fault(dynamodb, cut_later), pytest.raises(OperationalError):
            len(rows)
        assert len(rows) == 10

    def test_an_empty_page_is_not_the_end(self, dynamodb: DatabaseWrapper) -> None:
        make()

        def empty(send: Callable[[], Any]) -> Any:
            key = {"PK": {"S": "OWNER#ann"}, "SK": {"S": "PARCEL#p0"}}
            return answer({"Items": [], "Count": 0, "LastEvaluatedKey": key})

        with fault(dynamodb, times(1, "Query")(empty)):
            assert [parcel.pk for parcel in mine()] == ["p1"]

    def test_an_empty_page_is_not_the_end_of_a_count(self, dynamodb: DatabaseWrapper) -> None:
        make()

        def empty(send: Callable[[], Any]) -> Any:
            key = {"PK": {"S": "OWNER#ann"}, "SK": {"S": "PARCEL#p0"}}
            return answer({"Count": 0, "LastEvaluatedKey": key})

        with fault(dynamodb, times(1, "Query")(empty)):
            assert mine().count() == 1

    def test_a_row_gone_from_the_table_and_not_yet_from_an_index_is_left_out(
        self, dynamodb: DatabaseWrapper
    ) -> None:
        make("p1")
        make("p2")

        def stale(operation: str, body: Any, send: Callable[[], Any]) -> Any:
            if body.get("IndexName") != "GSI3":
                return None
            keys = [
                {
                    "PK": {"S": "OWNER#ann"},
                    "SK": {"S": f"PARCEL#{id_}"},
                    "GSI3PK": body["ExpressionAttributeValues"][":p"],
                    "GSI3SK": {"S": id_},
                }
                for id_ in ("p0", "p1")
            ]
            return answer({"Items": keys, "Count": 2})

        with fault(dynamodb, stale):
            assert [parcel.pk for parcel in Parcel.objects.order_by("id")] == ["p1"]


class TestSize:
    def test_a_row_too_large_says_so(self, dynamodb: DatabaseWrapper) -> None:
        with pytest.raises(DataError, match="400 KB"):
            Note.objects.create(text="x" * 410_000)

    def test_a_row_too_large_in_a_transaction_says_so(self, dynamodb: DatabaseWrapper) -> None:
        with pytest.raises(DataError, match="400 KB"), transaction.atomic():
            Note.objects.create(text="a")
            Note.objects.create(text="x" * 410_000)

    def test_a_row_that_a_change_makes_too_large_says_so(self, dynamodb: DatabaseWrapper) -> None:
        make()
        with pytest.raises(DataError, match="400 KB"):
            Parcel.objects.filter(**KEY).update(note="x" * 410_000)

    def test_a_key_too_long_is_not_called_a_large_row(self, dynamodb: DatabaseWrapper) -> None:
        with pytest.raises(DataError, match=r"(?i)key") as caught:
            QueuedRun.objects.create(id="x" * 1_100)
        assert "400 KB" not in str(caught.value)

    def test_a_transaction_too_large_is_data_error(self, dynamodb: DatabaseWrapper) -> None:
        with pytest.raises(DataError), transaction.atomic():
            for _ in range(15):
                Note.objects.create(text="x" * 350_000)


MALFORMED = [
    {"enabled": {"S": "yes"}},
    {"enabled": {"N": "1"}},
    {"createdAt": {"S": "yesterday"}},
    {"createdAt": {"N": "1767225600"}},
    {"createdAt": {"BOOL": True}},
    {"createdAt": {"M": {}}},
    {"updatedAt": {"S": ""}},
    {"scheduleConfig": {"S": "rate(1 hour)"}},
    {"scheduleConfig": {"B": b"x"}},
    {"eventConfig": {"BS": [b"x"]}},
    {"enabledTools": {"S": "{"}},
    {"timeoutSeconds": {"S": "long"}},
    {"timeoutSeconds": {"L": []}},
    {"version": {"NULL": True}},
    {"name": {"L": [{"S": "Report"}]}},
    {"prompt": {"M": {"text": {"S": "Report."}}}},
    {"tags": {"S": "a, b"}},
    {"lastExecutedAt": {"S": "2026-13-01T00:00:00Z"}},
]
# Nothing of the wrong type, and yet nothing that fires by itself.
ODD = [
    {"scheduleConfig": {"L": []}},
    {"scheduleConfig": {"N": "5"}},
    {"scheduleConfig": {"M": {"expression": {"N": "5"}}}},
    {"scheduleConfig": {"M": {"expression": {"S": "every day"}}}},
    {"scheduleConfig": {"M": {}}},
    {"scheduleConfig": {"BOOL": True}},
    {"scheduleConfig": {"NULL": True}},
]
LENIENT = [
    {"createdAt": {"S": "2026-01-01"}},
    {"createdAt": {"S": "2026-01-01T00:00:00"}},
    {"runningUntil": {"S": "2026-01-01T00:00:00"}},
    {"name": {"NULL": True}},
    {"tags": {"NULL": True}},
    {"tags": {"SS": ["a", "b"]}},
    {"unknown": {"B": b"x"}},
]


def put_trigger(dynamodb: DatabaseWrapper, attributes: dict[str, Any]) -> None:
    base = {
        "PK": {"S": "TRIGGER#ann"},
        "SK": {"S": "TRIGGER#t1"},
        "id": {"S": "t1"},
        "userId": {"S": "ann"},
        "name": {"S": "Report"},
        "type": {"S": "schedule"},
        "enabled": {"BOOL": True},
        "agentId": {"S": "reporter"},
        "prompt": {"S": "Report."},
        "scheduleConfig": {"M": {"expression": {"S": "rate(1 hour)"}}},
        "createdAt": {"S": "2026-01-01T00:00:00.000Z"},
        "updatedAt": {"S": "2026-01-01T00:00:00.000Z"},
        "GSI1PK": {"S": "TYPE#schedule"},
        "GSI1SK": {"S": "USER#ann#t1"},
    }
    put(dynamodb, **base | attributes)


def named(attributes: dict[str, Any]) -> str:
    ((name, value),) = attributes.items()
    return f"{name}={value}"


class TestItemsOfOthers:
    @pytest.mark.parametrize("attributes", [*MALFORMED, *ODD, *LENIENT], ids=named)
    def test_a_list_shows_it(self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]) -> None:
        put_trigger(dynamodb, attributes)
        assert [trigger.pk for trigger in Trigger.objects.filter(user_id="ann")] == ["t1"]

    @pytest.mark.parametrize("attributes", [*MALFORMED, *ODD, *LENIENT], ids=named)
    def test_the_list_of_all_shows_it(
        self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]
    ) -> None:
        put_trigger(dynamodb, attributes)
        assert [trigger.pk for trigger in Trigger.objects.order_by("-pk")[:5]] == ["t1"]

    @pytest.mark.parametrize("attributes", MALFORMED, ids=named)
    def test_it_does_not_fire(self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]) -> None:
        put_trigger(dynamodb, attributes)
        assert not Trigger.objects.get(user_id="ann", pk="t1").enabled

    @pytest.mark.parametrize("attributes", MALFORMED, ids=named)
    def test_it_says_what_is_wrong(
        self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]
    ) -> None:
        put_trigger(dynamodb, attributes)
        assert Trigger.objects.get(user_id="ann", pk="t1").sync_error_code == "unreadable"

    @pytest.mark.parametrize("attributes", [*MALFORMED, *ODD], ids=named)
    def test_it_has_no_next_run_or_may_not_fire(
        self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]
    ) -> None:
        put_trigger(dynamodb, attributes)
        trigger = Trigger.objects.get(user_id="ann", pk="t1")
        assert not (trigger.enabled and trigger.next_runs(timezone.now()))

    @pytest.mark.parametrize("attributes", [*MALFORMED, *ODD, *LENIENT], ids=named)
    def test_its_pages_can_ask_it_anything(
        self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]
    ) -> None:
        put_trigger(dynamodb, attributes)
        trigger = Trigger.objects.get(user_id="ann", pk="t1")
        moment = timezone.now()
        said = (
            trigger.schedule_description,
            trigger.is_held(moment),
            trigger.created_at < moment,
            str(trigger),
        )
        assert len(said) == 4

    @pytest.mark.parametrize("attributes", [*MALFORMED, *ODD, *LENIENT], ids=named)
    def test_it_can_be_validated(
        self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]
    ) -> None:
        put_trigger(dynamodb, attributes)
        trigger = Trigger.objects.get(user_id="ann", pk="t1")
        with suppress(ValidationError):
            trigger.full_clean(validate_unique=False)

    @pytest.mark.parametrize("attributes", MALFORMED, ids=named)
    def test_it_can_be_deleted(self, dynamodb: DatabaseWrapper, attributes: dict[str, Any]) -> None:
        put_trigger(dynamodb, attributes)
        Trigger.objects.get(user_id="ann", pk="t1").delete()
        assert not Trigger.objects.filter(user_id="ann").exists()

    def test_one_with_its_key_alone_is_never_due(self, dynamodb: DatabaseWrapper) -> None:
        put(dynamodb, PK={"S": "TRIGGER#ann"}, SK={"S": "TRIGGER#t1"})
        assert not Trigger.objects.get(user_id="ann", pk="t1").next_runs(timezone.now())

    def test_one_with_its_key_alone_is_listed(self, dynamodb: DatabaseWrapper) -> None:
        put(dynamodb, PK={"S": "TRIGGER#ann"}, SK={"S": "TRIGGER#t1"})
        assert [trigger.pk for trigger in Trigger.objects.filter(user_id="ann")] == ["t1"]

    def test_one_with_its_key_alone_is_got(self, dynamodb: DatabaseWrapper) -> None:
        put(dynamodb, PK={"S": "TRIGGER#ann"}, SK={"S": "TRIGGER#t1"})
        assert Trigger.objects.get(user_id="ann", pk="t1").user_id == "ann"

    def test_an_item_of_an_unknown_kind_is_no_row(self, dynamodb: DatabaseWrapper) -> None:
        put(dynamodb, PK={"S": "TRIGGER#ann"}, SK={"S": "COMMENT#1"}, text={"S": "hello"})
        assert not Trigger.objects.filter(user_id="ann").exists()

    def test_an_attribute_of_theirs_survives_a_save(self, dynamodb: DatabaseWrapper) -> None:
        put_trigger(dynamodb, {"theirs": {"S": "kept"}})
        trigger = Trigger.objects.get(user_id="ann", pk="t1")
        trigger.name = "Other"
        trigger.save()
        item = dynamodb.service.get(("TRIGGER#ann", "TRIGGER#t1"))
        assert item is not None
        assert item["theirs"] == {"S": "kept"}
