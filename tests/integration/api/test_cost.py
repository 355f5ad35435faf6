"""What a request works out once, and when it does so again."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from moca.authentication import tokens
from tests.integration.api.conftest import API, VALID
from triggers import validation
from triggers.models import Trigger
from triggers.validation import read_schedule

MINUTES = count()
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
DAILY = {"expression": "cron(0 9 * * ? *)"}


@pytest.fixture
def fresh() -> dict[str, Any]:
    """A schedule that this process has never read."""
    return {"expression": f"cron({next(MINUTES)} 3 ? * TUE-WED 2088)"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each expression was parsed."""
    counted: Counter[str] = Counter()

    def counting(text: str, *zone: Any) -> Any:
        counted[text] += 1
        return parse(text, *zone)

    parse: Callable[..., Any] = validation.parse
    monkeypatch.setattr(validation, "parse", counting)
    return counted


class TestSchedule:
    def test_create_parses_it_once(
        self, alice: API, fresh: dict[str, Any], read: Counter[str]
    ) -> None:
        alice.create(scheduleConfig=fresh)
        assert read[fresh["expression"]] == 1

    def test_change_parses_it_once(
        self, alice: API, fresh: dict[str, Any], read: Counter[str]
    ) -> None:
        path = f"/triggers/{alice.create()['id']}"
        alice.patch(path, {"scheduleConfig": fresh})
        assert read[fresh["expression"]] == 1

    def test_triggers_that_share_it_have_it_parsed_once(
        self, alice: API, fresh: dict[str, Any], read: Counter[str]
    ) -> None:
        for _ in range(3):
            alice.create(scheduleConfig=fresh)
        alice.get("/triggers")
        assert read[fresh["expression"]] == 1

    def test_true_is_no_window_though_one_is(self) -> None:
        window = {**DAILY, "flexibleTimeWindowMinutes": 1}
        assert read_schedule(window)[0]
        assert read_schedule({**window, "flexibleTimeWindowMinutes": True})[0] is None

    @pytest.mark.parametrize("passed", [timedelta(0), timedelta(hours=23), timedelta(days=1)])
    def test_next_runs_move_on(self, passed: timedelta) -> None:
        schedule, _ = read_schedule({**DAILY, "endDate": "2027-01-07T00:00:00Z"})
        assert schedule
        schedule.next_runs(NINE, 3, anchor=None)
        expected = [NINE + timedelta(days=days) for days in (1, 2) if timedelta(days=days) > passed]
        assert schedule.next_runs(NINE + passed, 3, anchor=None) == expected

    def test_next_runs_of_an_earlier_moment(self) -> None:
        schedule, _ = read_schedule(DAILY)
        assert schedule
        schedule.next_runs(NINE + timedelta(days=5), 1, anchor=None)
        assert schedule.next_runs(NINE, 1, anchor=None) == [NINE + timedelta(days=1)]

    def test_a_rate_counts_from_each_triggers_own_creation(self) -> None:
        schedule, _ = read_schedule({"expression": "rate(1 hour)"})
        assert schedule
        anchors = [NINE + timedelta(minutes=minutes) for minutes in (10, 20)]
        runs = [schedule.next_runs(NINE, 1, anchor=anchor)[0] for anchor in anchors]
        assert runs == [anchor + timedelta(hours=1) for anchor in anchors]


class TestToken:
    def test_signature_is_checked_once(self, alice: API, monkeypatch: pytest.MonkeyPatch) -> None:
        alice.get("/triggers")
        monkeypatch.setattr(tokens.jwt, "decode", None)
        assert alice.get("/triggers").status_code == 200

    def test_it_expires_though_it_was_good(
        self, alice: API, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice.get("/triggers")
        monkeypatch.setattr(tokens, "LEEWAY", timedelta(hours=-2))
        assert alice.get("/triggers").json()["code"] == "INVALID_JWT"

    def test_its_key_goes_though_it_was_good(
        self, alice: API, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alice.get("/triggers")
        monkeypatch.setattr(tokens, "local_public_key", lambda: None)
        assert alice.get("/triggers").json()["code"] == "INVALID_JWT"


@pytest.mark.sqlite
class TestStatements:
    @pytest.fixture
    def of_create(self, alice: API) -> list[str]:
        """The statements of a user's second create, without those of its token."""
        alice.create()
        with CaptureQueriesContext(connection) as made:
            alice.post("/triggers", VALID)
        return [query["sql"] for query in made]

    def test_a_create_has_no_savepoint(self, of_create: list[str]) -> None:
        # The test's own transaction makes one of the request's.
        assert sum(sql.startswith("SAVEPOINT") for sql in of_create) == 1

    def test_a_create_writes_four_rows(self, of_create: list[str]) -> None:
        written = [sql.split()[0] for sql in of_create if "SAVEPOINT" not in sql]
        # The trigger, its user's count, its schedule and its audit entry.
        assert written == ["INSERT", "UPDATE", "INSERT", "INSERT"]

    def test_a_change_has_no_savepoint(self, alice: API) -> None:
        path = f"/triggers/{alice.create()['id']}"
        with CaptureQueriesContext(connection) as made:
            alice.patch(path, {"prompt": "Another."})
        assert sum(query["sql"].startswith("SAVEPOINT") for query in made) == 1


class TestColumns:
    @pytest.fixture
    def compiled(self, monkeypatch: pytest.MonkeyPatch) -> Counter[type]:
        """How often all columns of each model were compiled."""
        counted: Counter[type] = Counter()

        def counting(compiler: Any, *args: Any, **options: Any) -> Any:
            counted[compiler.query.model] += 1
            return find(compiler, *args, **options)

        find = SQLCompiler.get_default_columns
        monkeypatch.setattr(SQLCompiler, "get_default_columns", counting)
        connections["default"].__dict__.pop("_known_columns", None)
        return counted

    def test_are_compiled_once_for_all_requests(self, alice: API, compiled: Counter[type]) -> None:
        path = f"/triggers/{alice.create()['id']}"
        for _ in range(3):
            alice.get(path)
            alice.get("/triggers")
        assert compiled[Trigger] == 1

    def test_other_selections_have_their_own(self, alice: API) -> None:
        rows = Trigger.objects.of_user(alice.user_id).order_by("pk")
        made = [alice.create()["id"] for _ in range(2)]
        list(rows)
        found = [
            [row.pk for row in rows.only("name")],
            list(rows.values_list("pk", flat=True)),
            [row["id"] for row in rows.values()],
        ]
        assert found == [made] * 3
