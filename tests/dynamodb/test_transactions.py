"""Transactions: what they see, what they keep back, and what they leave."""

# What fails is the end of the block.
# ruff: noqa: PT012

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction
from django.db.models import F

from executions.models import TriggerExecution
from moca.concurrency import ConflictError
from moca.dynamodb.base import DatabaseWrapper
from tests.dynamodb.models import Note, Parcel
from triggers.models import Trigger

MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("dynamodb")


class UndoError(Exception):
    """Ends a block."""


def make(id_: str = "p1", owner: str = "ann", **fields: Any) -> Parcel:
    return Parcel.objects.create(**{"id": id_, "owner": owner, "state": "new", **fields})


def make_trigger(**fields: Any) -> Trigger:
    trigger = Trigger(
        **{
            "user_id": "ann",
            "name": "Report",
            "agent_id": "reporter",
            "prompt": "Report.",
            "schedule_config": {"expression": "rate(1 hour)"},
            **fields,
        }
    )
    trigger.save()
    return trigger


def ids(rows: Any) -> list[str]:
    return [row.pk for row in rows]


def mine() -> Any:
    return Parcel.objects.filter(owner="ann").order_by("id")


class TestReading:
    def test_a_row_made_in_the_block_is_got_by_its_key(self) -> None:
        with transaction.atomic():
            make()
            assert Parcel.objects.get(owner="ann", pk="p1").state == "new"

    def test_a_row_made_in_the_block_is_got_by_its_primary_key_alone(self) -> None:
        with transaction.atomic():
            make()
            assert Parcel.objects.get(pk="p1").state == "new"

    def test_a_row_made_in_the_block_is_got_by_its_unique_value(self) -> None:
        with transaction.atomic():
            make(code="c1")
            assert Parcel.objects.get(code="c1").pk == "p1"

    def test_a_changed_unique_value_is_not_found_any_more(self) -> None:
        make(code="c1")
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(code="c2")
            assert not Parcel.objects.filter(code="c1").exists()

    def test_a_change_is_seen_by_a_get(self) -> None:
        make()
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(weight=7)
            assert Parcel.objects.get(owner="ann", pk="p1").weight == 7

    def test_a_change_without_a_read_is_seen_by_a_get(self) -> None:
        make(weight=1)
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update_expected(weight=F("weight") + 1)
            assert Parcel.objects.get(owner="ann", pk="p1").weight == 2

    def test_a_deleted_row_is_gone(self) -> None:
        make()
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").delete()
            assert not mine().exists()

    def test_a_condition_is_looked_at_on_the_changed_row(self) -> None:
        make(weight=1)
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(weight=7)
            assert not mine().filter(weight=1)

    def test_nothing_is_in_the_table_before_the_end(self, connect: Any) -> None:
        with transaction.atomic():
            make()
            assert connect().service.get(("OWNER#ann", "PARCEL#p1")) is None


class TestLists:
    def test_a_new_row_stands_at_its_place(self) -> None:
        make("p1")
        make("p3")
        with transaction.atomic():
            make("p2")
            assert ids(mine()) == ["p1", "p2", "p3"]

    def test_a_new_row_stands_at_its_place_in_descending_order(self) -> None:
        make("p1")
        make("p3")
        with transaction.atomic():
            make("p2")
            assert ids(mine().order_by("-id")) == ["p3", "p2", "p1"]

    def test_a_slice_is_filled_past_deleted_rows(self) -> None:
        for number in range(5):
            make(f"p{number}")
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk__in=["p0", "p1"]).delete()
            assert ids(mine()[:2]) == ["p2", "p3"]

    def test_a_new_row_pushes_another_out_of_a_slice(self) -> None:
        make("p2")
        make("p3")
        with transaction.atomic():
            make("p1")
            assert ids(mine()[:2]) == ["p1", "p2"]

    def test_a_new_row_is_within_a_range(self) -> None:
        make("p1")
        with transaction.atomic():
            make("p5")
            assert ids(mine().filter(pk__gt="p1", pk__lte="p5")) == ["p5"]

    def test_a_new_row_is_in_an_index_of_several_partitions(self) -> None:
        make("p1")
        make("p4", owner="bob")
        with transaction.atomic():
            make("p2", owner="bob")
            make("p3")
            assert ids(Parcel.objects.order_by("-id")[:3]) == ["p4", "p3", "p2"]

    def test_partitions_of_several_owners_are_merged_with_new_rows(self) -> None:
        make("p1")
        make("p3", owner="bob")
        with transaction.atomic():
            make("p2", owner="bob")
            found = Parcel.objects.filter(owner__in=["ann", "bob"]).order_by("id")
            assert ids(found) == ["p1", "p2", "p3"]

    def test_a_row_that_a_change_puts_into_an_index_is_found_there(self, now: Any) -> None:
        make()
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(state="sent", due=now)
            assert ids(Parcel.objects.filter(state="sent", due__lte=now)) == ["p1"]

    def test_a_row_that_an_unread_change_puts_into_an_index_is_found_there(self, now: Any) -> None:
        make()
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update_expected(state="sent", due=now)
            assert ids(Parcel.objects.filter(state="sent", due__lte=now)) == ["p1"]

    def test_a_row_that_a_change_takes_out_of_an_index_is_not_found_there(self, now: Any) -> None:
        make(state="sent", due=now)
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(state="new")
            assert not Parcel.objects.filter(state="sent", due__lte=now)

    def test_rows_are_counted_with_those_of_the_block(self) -> None:
        make("p1")
        with transaction.atomic():
            make("p2")
            assert mine().count() == 2

    def test_rows_of_models_without_a_layout_are_listed(self) -> None:
        Note.objects.create(text="a", rank=2)
        with transaction.atomic():
            Note.objects.create(text="b", rank=1)
            assert [note.text for note in Note.objects.order_by("rank")] == ["b", "a"]


class TestSavepoints:
    def test_what_follows_a_savepoint_is_undone(self) -> None:
        with transaction.atomic():
            make("p1")
            with pytest.raises(UndoError), transaction.atomic():
                make("p2")
                raise UndoError
        assert ids(mine()) == ["p1"]

    def test_what_comes_after_an_undone_savepoint_is_kept(self) -> None:
        with transaction.atomic():
            with pytest.raises(UndoError), transaction.atomic():
                make("p1", weight=1)
                raise UndoError
            make("p1", weight=2)
        assert mine().get().weight == 2

    def test_a_row_that_an_undone_savepoint_made_is_not_there_by_its_primary_key(self) -> None:
        with transaction.atomic():
            with pytest.raises(UndoError), transaction.atomic():
                make()
                raise UndoError
            assert not Parcel.objects.filter(pk="p1").exists()

    def test_a_row_that_an_undone_savepoint_moved_is_found_by_its_primary_key(self) -> None:
        make()
        with transaction.atomic():
            parcel = Parcel.objects.get(pk="p1")
            with pytest.raises(UndoError), transaction.atomic():
                parcel.owner = "bob"
                parcel.save()
                raise UndoError
            assert Parcel.objects.get(pk="p1").owner == "ann"

    def test_a_deletion_is_undone(self) -> None:
        make()
        with transaction.atomic(), pytest.raises(UndoError), transaction.atomic():
            mine().delete()
            raise UndoError
        assert ids(mine()) == ["p1"]

    def test_a_savepoint_within_a_savepoint_is_undone_alone(self) -> None:
        with transaction.atomic(), transaction.atomic():
            make("p1")
            with pytest.raises(UndoError), transaction.atomic():
                make("p2")
                raise UndoError
            make("p3")
        assert ids(mine()) == ["p1", "p3"]

    def test_an_outer_savepoint_undoes_the_inner_ones(self) -> None:
        with transaction.atomic():
            with pytest.raises(UndoError), transaction.atomic():
                with transaction.atomic():
                    make("p1")
                raise UndoError
            make("p2")
        assert ids(mine()) == ["p2"]

    def test_a_block_that_fails_leaves_nothing(self) -> None:
        with pytest.raises(UndoError), transaction.atomic():
            make()
            raise UndoError
        assert not mine().exists()


class TestUniqueValues:
    def test_a_taken_value_is_refused(self) -> None:
        make("p1", code="c1")
        with pytest.raises(IntegrityError, match="code#c1"):
            make("p2", code="c1")

    def test_a_refused_row_is_not_there(self) -> None:
        make("p1", code="c1")
        with pytest.raises(IntegrityError):
            make("p2", code="c1")
        assert ids(mine()) == ["p1"]

    def test_a_value_taken_in_the_same_block_is_refused_at_once(self) -> None:
        with transaction.atomic():
            make("p1", code="c1")
            with pytest.raises(IntegrityError), transaction.atomic():
                make("p2", code="c1")

    def test_a_value_given_up_in_the_block_can_be_taken_there(self) -> None:
        make("p1", code="c1")
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(code="c2")
            make("p2", code="c1")
        assert Parcel.objects.get(code="c1").pk == "p2"

    def test_a_value_of_a_row_deleted_in_the_block_can_be_taken_there(self) -> None:
        make("p1", code="c1")
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").delete()
            make("p2", code="c1")
        assert Parcel.objects.get(code="c1").pk == "p2"

    def test_a_value_of_a_deleted_row_is_free(self) -> None:
        make("p1", code="c1").delete()
        assert make("p2", code="c1").pk == "p2"

    def test_a_value_given_up_and_taken_back_stays_taken(self) -> None:
        make("p1", code="c1")
        with transaction.atomic():
            row = Parcel.objects.filter(owner="ann", pk="p1")
            row.update(code="c2")
            row.update(code="c1")
        with pytest.raises(IntegrityError):
            make("p2", code="c1")

    def test_a_change_to_a_taken_value_is_refused(self) -> None:
        make("p1", code="c1")
        make("p2", code="c2")
        with pytest.raises(IntegrityError):
            Parcel.objects.filter(owner="ann", pk="p2").update(code="c1")

    def test_no_value_is_unique_to_nobody(self) -> None:
        make("p1")
        make("p2")
        assert mine().count() == 2

    def test_two_rows_cannot_swap_their_values_and_leave_one_unguarded(self) -> None:
        make("p1", code="c1")
        make("p2", code="c2")
        with pytest.raises(IntegrityError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(code="c2")
            Parcel.objects.filter(owner="ann", pk="p2").update(code="c1")

    def test_a_row_made_and_deleted_in_a_block_does_not_free_the_value_of_another(self) -> None:
        make("p1", code="c1")
        with pytest.raises(IntegrityError), transaction.atomic():
            make("p2", code="c1").delete()
        with pytest.raises(IntegrityError):
            make("p3", code="c1")

    def test_a_value_that_another_changed_meanwhile_is_not_freed(self, other: Any) -> None:
        make("p1", code="c1")
        with pytest.raises(ConflictError), transaction.atomic():
            row = Parcel.objects.get(owner="ann", pk="p1")
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(code="c2")
                make("p2", code="c1")
            Parcel.objects.filter(owner="ann", pk=row.pk).update(code="c3")

    def test_a_row_deleted_meanwhile_with_another_value_does_not_free_one(self, other: Any) -> None:
        make("p1", code="c1")
        with pytest.raises(ConflictError), transaction.atomic():
            row = Parcel.objects.get(owner="ann", pk="p1")
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(code="c2")
                make("p2", code="c1")
            row.delete()

    def test_a_unique_value_goes_with_a_row_that_moves(self) -> None:
        make("p1", code="c1")
        Parcel.objects.filter(owner="ann", pk="p1").update(owner="bob")
        assert Parcel.objects.get(code="c1").owner == "bob"


class TestKeyChange:
    def test_the_row_stands_under_the_new_key_alone(self, dynamodb: DatabaseWrapper) -> None:
        trigger = make_trigger()
        Trigger.objects.filter(user_id="ann", pk=trigger.pk).update(user_id="bob")
        keys = [
            dynamodb.service.get((f"TRIGGER#{user}", f"TRIGGER#{trigger.pk}")) is not None
            for user in ("ann", "bob")
        ]
        assert keys == [False, True]

    def test_attributes_of_other_programs_move_along(self, dynamodb: DatabaseWrapper) -> None:
        trigger = make_trigger()
        dynamodb.service.call(
            "update_item",
            TableName=dynamodb.service.table,
            Key={"PK": {"S": "TRIGGER#ann"}, "SK": {"S": f"TRIGGER#{trigger.pk}"}},
            UpdateExpression="SET theirs = :v",
            ExpressionAttributeValues={":v": {"S": "kept"}},
        )
        trigger = Trigger.objects.get(user_id="ann", pk=trigger.pk)
        trigger.user_id = "bob"
        trigger.save()
        item = dynamodb.service.get(("TRIGGER#bob", f"TRIGGER#{trigger.pk}"))
        assert item is not None
        assert item["theirs"] == {"S": "kept"}

    def test_the_row_is_found_in_the_block_under_its_new_key(self) -> None:
        make()
        with transaction.atomic():
            parcel = Parcel.objects.get(pk="p1")
            parcel.owner = "bob"
            parcel.save()
            assert Parcel.objects.get(pk="p1").owner == "bob"

    def test_a_row_that_another_changed_meanwhile_does_not_lose_that(self, other: Any) -> None:
        make()
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(owner="bob")
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(weight=7)


class TestUpdateExpected:
    def test_a_row_in_the_state_is_changed(self) -> None:
        make(weight=1)
        Parcel.objects.filter(owner="ann", pk="p1", weight=1).update_expected(weight=2)
        assert mine().get().weight == 2

    def test_a_row_in_another_state_is_a_conflict(self) -> None:
        make(weight=5)
        with pytest.raises(ConflictError):
            Parcel.objects.filter(owner="ann", pk="p1", weight=1).update_expected(weight=2)

    def test_a_conflict_shows_at_the_end_of_the_block(self) -> None:
        make(weight=5)
        block = transaction.atomic()
        with block:
            Parcel.objects.filter(owner="ann", pk="p1", weight=1).update_expected(weight=2)
            reached = True
            transaction.set_rollback(True)
        assert reached

    def test_nothing_of_a_block_with_a_conflict_is_written(self) -> None:
        make(weight=5)
        with pytest.raises(ConflictError), transaction.atomic():
            make("p2")
            Parcel.objects.filter(owner="ann", pk="p1", weight=1).update_expected(weight=2)
        assert ids(mine()) == ["p1"]

    def test_no_row_is_a_conflict(self) -> None:
        with pytest.raises(ConflictError):
            Parcel.objects.filter(owner="ann", pk="p1").update_expected(weight=2)

    def test_a_missing_row_is_inserted(self) -> None:
        new = Parcel(id="p1", owner="ann", state="new", weight=1)
        row = Parcel.objects.filter(owner="ann", pk="p1")
        row.update_expected(missing=new, weight=F("weight") + 1)
        assert mine().get().weight == 1

    def test_a_row_that_is_there_is_changed_instead_of_inserted(self) -> None:
        make(weight=4, note="mine")
        new = Parcel(id="p1", owner="ann", state="new", weight=1)
        row = Parcel.objects.filter(owner="ann", pk="p1", weight__lt=5)
        row.update_expected(missing=new, weight=F("weight") + 1)
        assert mine().values_list("weight", "note").get() == (5, "mine")

    def test_a_row_that_fails_the_condition_is_neither_inserted_nor_changed(self) -> None:
        make(weight=5)
        new = Parcel(id="p1", owner="ann", state="new", weight=1)
        row = Parcel.objects.filter(owner="ann", pk="p1", weight__lt=5)
        with pytest.raises(ConflictError):
            row.update_expected(missing=new, weight=F("weight") + 1)

    def test_an_inserted_row_stands_in_its_indexes(self) -> None:
        new = Parcel(id="p1", owner="ann", state="new")
        Parcel.objects.filter(owner="ann", pk="p1").update_expected(missing=new, weight=1)
        assert ids(Parcel.objects.order_by("id")[:5]) == ["p1"]

    def test_a_state_that_a_later_change_looked_past_is_a_conflict_still(self) -> None:
        make(weight=5)
        row = Parcel.objects.filter(owner="ann", pk="p1")
        with pytest.raises(ConflictError), transaction.atomic():
            row.filter(weight=1).update_expected(note="expected")
            row.update(pieces=3)

    def test_a_state_on_which_a_deletion_follows_is_a_conflict_still(self) -> None:
        make(weight=5)
        row = Parcel.objects.filter(owner="ann", pk="p1")
        with pytest.raises(ConflictError), transaction.atomic():
            row.filter(weight=1).update_expected(note="expected")
            row.delete()

    def test_a_later_change_in_the_block_adds_to_it(self) -> None:
        make(weight=1)
        row = Parcel.objects.filter(owner="ann", pk="p1")
        with transaction.atomic():
            row.filter(weight=1).update_expected(weight=F("weight") + 1)
            row.update(weight=F("weight") + 1)
        assert mine().get().weight == 3

    def test_a_row_made_in_the_block_is_as_expected(self) -> None:
        with transaction.atomic():
            make(weight=1)
            Parcel.objects.filter(owner="ann", pk="p1", weight=1).update_expected(weight=2)
        assert mine().get().weight == 2


class TestConflicts:
    def test_a_row_read_and_deleted_by_another_is_a_conflict(self, other: Any) -> None:
        make()
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(weight=2)
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").delete()

    def test_a_row_is_not_brought_back_by_a_change(self, other: Any) -> None:
        make()
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(weight=2)
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").delete()
        assert not mine().exists()

    def test_a_condition_that_another_made_false_is_a_conflict(self, other: Any) -> None:
        make(weight=1)
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1", weight=1).update(note="a")
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(weight=9)

    def test_a_change_of_another_field_is_none(self, other: Any) -> None:
        make()
        with transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(note="a")
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(weight=9)
        assert mine().values_list("note", "weight").get() == ("a", 9)

    def test_a_counter_that_another_moved_is_a_conflict(self, other: Any) -> None:
        make(weight=1)
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(weight=F("weight") + 1)
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(weight=9)

    def test_an_index_keeps_no_row_that_another_took_out(self, other: Any, now: Any) -> None:
        make(state="sent", due=now)
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").update(due=now.replace(year=2030))
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").update(state="new")

    def test_a_duplicate_shows_at_the_end_of_the_block(self) -> None:
        make()
        with pytest.raises(IntegrityError), transaction.atomic():
            make()

    def test_a_deletion_by_another_shows_when_deleting(self, other: Any) -> None:
        make()
        with pytest.raises(ConflictError), transaction.atomic():
            Parcel.objects.filter(owner="ann", pk="p1").delete()
            with other():
                Parcel.objects.filter(owner="ann", pk="p1").delete()

    def test_more_writes_than_a_transaction_takes_are_refused(self) -> None:
        with pytest.raises(DataError, match="101 items"), transaction.atomic():
            Parcel.objects.bulk_create(
                Parcel(id=f"p{number}", owner="ann", state="new") for number in range(101)
            )

    def test_as_many_writes_as_a_transaction_takes_are_made(self) -> None:
        Parcel.objects.bulk_create(
            Parcel(id=f"p{number}", owner="ann", state="new") for number in range(100)
        )
        assert mine().count() == 100


class TestCalls:
    def test_a_row_is_made_by_one_call(self, calls: list[str]) -> None:
        make()
        assert calls == ["PutItem"]

    def test_a_row_is_got_by_one_call(self, calls: list[str]) -> None:
        make()
        calls.clear()
        Parcel.objects.get(owner="ann", pk="p1")
        assert calls == ["GetItem"]

    def test_an_empty_block_calls_nothing(self, calls: list[str]) -> None:
        with transaction.atomic():
            pass
        assert calls == []

    def test_a_change_on_plain_conditions_is_one_call(self, calls: list[str]) -> None:
        make(weight=1)
        calls.clear()
        Parcel.objects.filter(owner="ann", pk="p1", weight=1).update(weight=2)
        assert calls == ["UpdateItem"]

    def test_the_count_of_such_a_change_is_exact(self) -> None:
        make(weight=1)
        row = Parcel.objects.filter(owner="ann", pk="p1", weight=1)
        assert [row.update(weight=2), row.update(weight=3)] == [1, 0]

    def test_a_save_in_a_block_that_read_the_row_costs_the_commit(self, calls: list[str]) -> None:
        make()
        calls.clear()
        with transaction.atomic():
            parcel = Parcel.objects.get(owner="ann", pk="p1")
            parcel.weight = 3
            parcel.save()
        assert calls == ["GetItem", "UpdateItem"]

    def test_a_row_read_by_a_list_is_saved_by_one_call(self, calls: list[str]) -> None:
        make()
        calls.clear()
        with transaction.atomic():
            for parcel in mine():
                parcel.weight = 3
                parcel.save()
        assert calls == ["Query", "UpdateItem"]

    def test_two_rows_are_written_by_one_call(self, calls: list[str]) -> None:
        with transaction.atomic():
            make("p1")
            make("p2")
        assert calls == ["TransactWriteItems"]

    def test_a_save_that_changes_nothing_writes_nothing(self, calls: list[str]) -> None:
        parcel = make()
        calls.clear()
        with transaction.atomic():
            Parcel.objects.get(owner="ann", pk="p1")
            parcel.save()
        assert calls == ["GetItem"]

    def test_a_page_is_one_query(self, calls: list[str]) -> None:
        make()
        calls.clear()
        list(mine()[:20])
        assert calls == ["Query"]

    def test_an_unread_change_and_an_insert_are_one_call(self, calls: list[str]) -> None:
        make()
        calls.clear()
        with transaction.atomic():
            make("p2")
            Parcel.objects.filter(owner="ann", pk="p1").update_expected(weight=F("weight") + 1)
        assert calls == ["TransactWriteItems"]

    def test_the_query_log_names_calls_without_values(self, dynamodb: DatabaseWrapper) -> None:
        dynamodb.force_debug_cursor = True
        make(note="secret")
        assert [entry["sql"] for entry in dynamodb.queries_log] == ["PutItem"]


class TestInsertAndDeleteOfOneRow:
    """What a block inserts and deletes again had to be possible to insert."""

    def test_a_row_that_is_there_cannot_be_inserted_and_deleted(self) -> None:
        make(weight=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            make(weight=2)
            Parcel.objects.filter(pk="p1").delete()
        assert Parcel.objects.get(pk="p1").weight == 1

    def test_nothing_else_of_the_block_is_written(self) -> None:
        execution("e1").save(force_insert=True)
        execution("e2").save(force_insert=True)
        with pytest.raises(IntegrityError), transaction.atomic():
            execution("e1").save(force_insert=True)
            TriggerExecution.objects.filter(trigger_id="t1").delete()
        assert TriggerExecution.objects.filter(trigger_id="t1").count() == 2

    def test_a_row_that_is_there_cannot_be_inserted_and_discarded(self) -> None:
        Note.objects.create(id=1, text="before")
        with pytest.raises(IntegrityError), transaction.atomic():
            Note.objects.create(id=1, text="after")
            Note.objects.filter(id=1).discard()
        assert Note.objects.get(id=1).text == "before"

    def test_a_taken_value_cannot_be_used_for_a_moment(self) -> None:
        make("p1", code="c1")
        with pytest.raises(IntegrityError), transaction.atomic():
            make("p2", code="c1")
            Parcel.objects.filter(pk="p2").update(code="c2")
        assert ids(mine()) == ["p1"]

    def test_a_row_that_is_there_cannot_be_inserted_and_moved_away(self) -> None:
        make(weight=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            make(weight=2)
            Parcel.objects.filter(pk="p1").update(owner="bob")
        assert [(p.owner, p.weight) for p in Parcel.objects.all()] == [("ann", 1)]

    def test_an_expected_update_that_was_not_possible_is_found_in_spite_of_a_discard(self) -> None:
        Note.objects.create(id=1, text="n", rank=1)
        with pytest.raises(ConflictError), transaction.atomic():
            Note.objects.filter(id=1, rank=5).update_expected(text="m")
            Note.objects.filter(id=1).discard()
        assert Note.objects.filter(id=1).exists()

    def test_a_new_row_is_inserted_and_deleted(self) -> None:
        with transaction.atomic():
            make().delete()
        assert ids(mine()) == []

    def test_a_new_row_is_inserted_deleted_and_inserted(self) -> None:
        with transaction.atomic():
            make(code="c1", weight=1).delete()
            make(code="c1", weight=2)
        assert mine().get().weight == 2


def execution(id_: str) -> TriggerExecution:
    return TriggerExecution(
        id=id_, trigger_id="t1", user_id="ann", status="completed", started_at=MOMENT, ttl=2**31
    )
