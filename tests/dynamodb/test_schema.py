"""The table: made, brought up to date, emptied, and what cannot be done to it."""

import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import NotSupportedError, OperationalError, models

from executions.models import TriggerExecution
from moca.authentication.models import Operator
from moca.dynamodb.base import DatabaseWrapper
from moca.dynamodb.layout import indexes
from tests.dynamodb.conftest import as_default
from tests.dynamodb.models import Note, Parcel
from triggers.models import Trigger


@pytest.fixture
def fresh(connect: Callable[..., DatabaseWrapper]) -> Iterator[DatabaseWrapper]:
    """A connection to a table that is not there yet."""
    wrapper = connect(f"test-{uuid.uuid4()}")
    wrapper.ensure_connection()
    with as_default(wrapper):
        yield wrapper
    wrapper.creation._destroy_test_db(wrapper.service.table, 0)


def described(wrapper: DatabaseWrapper) -> dict[str, Any]:
    return dict(wrapper.service.raw.describe_table(TableName=wrapper.service.table)["Table"])


def index_keys(wrapper: DatabaseWrapper) -> dict[str, tuple[str, ...]]:
    return {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in described(wrapper).get("GlobalSecondaryIndexes", [])
    }


def make_table(wrapper: DatabaseWrapper, **more: Any) -> None:
    """Make a table by hand, as another program would have; `more` adds to its arguments."""
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")]
    arguments = {
        "TableName": wrapper.service.table,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": definitions,
        **more,
    }
    wrapper.service.raw.create_table(**arguments)


def with_indexes(**keys: tuple[str, str]) -> dict[str, Any]:
    """Arguments for a table with these indexes; each is its hash key and its range key."""
    names = {"PK", "SK", *(name for pair in keys.values() for name in pair)}
    return {
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": "S"} for each in sorted(names)
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for name, (hash_key, range_key) in keys.items()
        ],
    }


def all_but(name: str) -> dict[str, tuple[str, str]]:
    return {each: index.keys for each, index in indexes().items() if each != name}


def migrate() -> str:
    out = StringIO()
    call_command("migrate", stdout=out, verbosity=1, interactive=False)
    return out.getvalue()


def make(id_: str, **fields: Any) -> Parcel:
    return Parcel.objects.create(**{"id": id_, "owner": "ann", "state": "new", **fields})


class TestMigrate:
    def test_the_table_is_made(self, fresh: DatabaseWrapper) -> None:
        migrate()
        assert described(fresh)["TableStatus"] == "ACTIVE"

    def test_all_indexes_are_made(self, fresh: DatabaseWrapper) -> None:
        migrate()
        assert index_keys(fresh) == {name: index.keys for name, index in indexes().items()}

    def test_it_is_paid_by_request(self, fresh: DatabaseWrapper) -> None:
        migrate()
        assert described(fresh)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    def test_rows_expire_by_their_ttl(self, fresh: DatabaseWrapper) -> None:
        migrate()
        found = fresh.service.raw.describe_time_to_live(TableName=fresh.service.table)
        assert found["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "ttl",
        }

    def test_the_second_time_there_is_nothing_to_do(self, fresh: DatabaseWrapper) -> None:
        migrate()
        assert "No migrations to apply" in migrate()

    def test_the_second_time_the_table_stays_as_it_is(self, fresh: DatabaseWrapper) -> None:
        migrate()
        before = described(fresh)
        migrate()
        assert described(fresh)["GlobalSecondaryIndexes"] == before["GlobalSecondaryIndexes"]

    def test_rows_outlive_it(self, fresh: DatabaseWrapper) -> None:
        migrate()
        make("p1")
        migrate()
        assert Parcel.objects.get(owner="ann", pk="p1").pk == "p1"

    def test_the_models_are_entered(self, fresh: DatabaseWrapper) -> None:
        migrate()
        names = fresh.introspection.table_names()
        assert {Trigger._meta.db_table, TriggerExecution._meta.db_table} <= set(names)

    def test_an_index_that_is_missing_is_added(self, fresh: DatabaseWrapper) -> None:
        make_table(fresh, **with_indexes(**all_but("GSI1")))
        fresh.creation.ensure_table()
        assert index_keys(fresh) == {name: index.keys for name, index in indexes().items()}

    def test_rows_that_were_there_stand_in_an_index_that_is_added(
        self, fresh: DatabaseWrapper
    ) -> None:
        make_table(fresh, **with_indexes(**all_but("GSI3")))
        make("p1")
        fresh.creation.ensure_table()
        assert [parcel.pk for parcel in Parcel.objects.all()] == ["p1"]

    def test_an_index_of_another_program_stays(self, fresh: DatabaseWrapper) -> None:
        make_table(fresh, **with_indexes(**all_but(""), Theirs=("theirs", "SK")))
        fresh.creation.ensure_table()
        assert index_keys(fresh)["Theirs"] == ("theirs", "SK")

    def test_an_index_with_other_keys_is_refused(self, fresh: DatabaseWrapper) -> None:
        make_table(fresh, **with_indexes(GSI1=("other", "GSI1SK")))
        with pytest.raises(OperationalError, match="delete that index, and run migrate again"):
            fresh.creation.ensure_table()

    def test_a_table_with_other_keys_is_refused(self, fresh: DatabaseWrapper) -> None:
        make_table(
            fresh,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        with pytest.raises(OperationalError, match="PK and SK"):
            fresh.creation.ensure_table()

    def test_nobody_at_the_address_is_operational(
        self, connect: Callable[..., DatabaseWrapper], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrapper = connect(endpoint_url="http://127.0.0.1:9")
        with pytest.raises(OperationalError, match="cannot be reached"):
            wrapper.creation.ensure_table()


class TestChanges:
    """What the schema editor does to a table that has rows."""

    @staticmethod
    def field(name: str, field: models.Field) -> models.Field:
        field.set_attributes_from_name(name)
        field.model = Parcel
        return field

    def test_a_new_field_needs_nothing(self, dynamodb: DatabaseWrapper) -> None:
        with dynamodb.schema_editor() as editor:
            assert editor.add_field(Parcel, self.field("new", models.IntegerField())) is None

    def test_a_new_unique_field_is_refused(self, dynamodb: DatabaseWrapper) -> None:
        field = self.field("new", models.IntegerField(unique=True))
        with dynamodb.schema_editor() as editor, pytest.raises(NotSupportedError, match="new rule"):
            editor.add_field(Parcel, field)

    def test_a_new_name_is_refused(self, dynamodb: DatabaseWrapper) -> None:
        old, new = (self.field(name, models.IntegerField()) for name in ("old", "new"))
        with dynamodb.schema_editor() as editor, pytest.raises(NotSupportedError, match="its name"):
            editor.alter_field(Parcel, old, new)

    def test_sql_is_refused(self, dynamodb: DatabaseWrapper) -> None:
        with dynamodb.schema_editor() as editor, pytest.raises(NotSupportedError, match="SQL"):
            editor.execute("DROP TABLE x")

    def test_a_cursor_refuses_sql(self, dynamodb: DatabaseWrapper) -> None:
        with dynamodb.cursor() as cursor, pytest.raises(NotSupportedError, match="use the ORM"):
            cursor.execute("SELECT 1")

    def test_a_deleted_model_takes_its_rows_along(self, dynamodb: DatabaseWrapper) -> None:
        Note.objects.create(text="a")
        with dynamodb.schema_editor() as editor:
            editor.delete_model(Note)
        assert not Note.objects.exists()

    def test_a_deleted_model_leaves_the_rows_of_others(self, dynamodb: DatabaseWrapper) -> None:
        make("p1")
        with dynamodb.schema_editor() as editor:
            editor.delete_model(Note)
        assert Parcel.objects.filter(owner="ann").exists()

    def test_a_deleted_model_frees_its_unique_values(self, dynamodb: DatabaseWrapper) -> None:
        make("p1", code="c1")
        with dynamodb.schema_editor() as editor:
            editor.delete_model(Parcel)
        assert make("p2", code="c1").pk == "p2"


class TestIntrospection:
    def test_inspectdb_says_why_it_cannot(self, dynamodb: DatabaseWrapper) -> None:
        with dynamodb.schema_editor() as editor:
            editor.create_model(Note)
        out = StringIO()
        call_command("inspectdb", stdout=out)
        assert "no columns to look at" in out.getvalue()

    def test_a_table_that_is_missing_has_no_models(self, fresh: DatabaseWrapper) -> None:
        assert fresh.introspection.table_names() == []

    def test_a_shell_is_refused_with_what_to_use(self, dynamodb: DatabaseWrapper) -> None:
        with pytest.raises((NotSupportedError, CommandError), match="aws dynamodb"):
            call_command("dbshell")


class TestFlush:
    def test_rows_are_gone(self, fresh: DatabaseWrapper) -> None:
        migrate()
        Trigger(user_id="ann", name="a", agent_id="a", prompt="a", type="event").save()
        call_command("flush", interactive=False, verbosity=0)
        assert not Trigger.objects.exists()

    def test_unique_values_are_free(self, fresh: DatabaseWrapper) -> None:
        migrate()
        Operator.objects.create_operator("ann", password="a good password")
        call_command("flush", interactive=False, verbosity=0)
        assert Operator.objects.create_operator("ann", password="a good password").pk

    def test_migrations_stay_on_record(self, fresh: DatabaseWrapper) -> None:
        migrate()
        call_command("flush", interactive=False, verbosity=0)
        assert "No migrations to apply" in migrate()

    def test_items_of_other_programs_stay(self, fresh: DatabaseWrapper) -> None:
        migrate()
        item = {"PK": {"S": "COMMENT#1"}, "SK": {"S": "COMMENT#1"}}
        fresh.service.raw.put_item(TableName=fresh.service.table, Item=item)
        call_command("flush", interactive=False, verbosity=0)
        assert fresh.service.get(("COMMENT#1", "COMMENT#1")) is not None
