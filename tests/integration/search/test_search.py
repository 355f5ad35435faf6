"""Searching what agents have said, by the API, on the page and by the command."""

import re
import time
from collections.abc import Callable
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executions import search
from executions.models import TriggerExecution
from moca.ids import new_id
from tests.examples import examples
from tests.integration.api.conftest import API
from triggers.models import RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]
MakeTrigger = Callable[..., Trigger]
INDEXED = "executions_said"


@pytest.fixture
def say(make_trigger: MakeTrigger, make_execution: MakeExecution) -> Callable[..., str]:
    """Put a run of alice on record that has said a text; returns its id."""
    trigger = make_trigger()

    def make(text: str, **fields: Any) -> str:
        values = {"id": new_id(), "output": text, "output_bytes": len(text.encode())}
        return make_execution(trigger, **{**values, **fields}).pk

    return make


def found(api: API, query: str, more: str = "") -> list[str]:
    answer = api.get(f"/executions?search={quote(query)}{more}")
    assert answer.status_code == 200, answer.content
    return [each["executionId"] for each in answer.json()["executions"]]


class TestAPI:
    def test_finds_what_was_said(self, alice: API, say: Callable[..., str]) -> None:
        say("All is quiet.")
        wanted = say("Yesterday 12 orders came in.")
        assert found(alice, "orders") == [wanted]

    @pytest.mark.parametrize("query", ["ORDERS", "12 yesterday", '"orders came in"'])
    def test_words_may_be_written_otherwise(
        self, alice: API, say: Callable[..., str], query: str
    ) -> None:
        wanted = say("Yesterday 12 orders came in.")
        assert found(alice, query) == [wanted]

    def test_all_words_have_to_be_there(self, alice: API, say: Callable[..., str]) -> None:
        say("Yesterday 12 orders came in.")
        assert found(alice, "orders invoices") == []

    @pytest.mark.parametrize(
        "query", ["注文", "東京", "件の注文", "レポート", "ﾚﾎﾟｰﾄ", "「注文」"], ids=str
    )
    def test_japanese_of_two_characters_is_found(
        self, alice: API, say: Callable[..., str], query: str
    ) -> None:
        say("昨日は静かでした。")
        wanted = say("東京で12件の注文がありました。レポートを送ります。")
        assert found(alice, query) == [wanted]

    def test_others_runs_are_not_found(self, alice: API, bob: API, say: Callable[..., str]) -> None:
        say("Yesterday 12 orders came in.")
        assert (found(bob, "orders"), len(found(alice, "orders"))) == ([], 1)

    def test_other_filters_hold_too(self, alice: API, say: Callable[..., str]) -> None:
        say("12 orders")
        wanted = say("13 orders", status=RunStatus.FAILED)
        assert found(alice, "orders", "&status=failed") == [wanted]

    def test_search_of_one_trigger(
        self, alice: API, say: Callable[..., str], make_trigger: MakeTrigger
    ) -> None:
        say("12 orders")
        other = make_trigger(name="Other")
        wanted = say("13 orders", trigger_id=other.pk)
        answer = alice.get(f"/triggers/{other.pk}/executions?search=orders").json()
        assert [each["executionId"] for each in answer["executions"]] == [wanted]

    def test_pages_hold_everything_once(self, alice: API, say: Callable[..., str]) -> None:
        made = [say(f"{number} orders") for number in range(5)]
        first = alice.get("/executions?search=orders&limit=3").json()
        rest = alice.get(f"/executions?search=orders&limit=3&nextToken={first['nextToken']}").json()
        both = [*first["executions"], *rest["executions"]]
        assert [each["executionId"] for each in both] == made[::-1]

    def test_run_that_is_corrected_is_found_by_its_new_output(
        self, alice: API, say: Callable[..., str]
    ) -> None:
        wanted = say("12 orders")
        found(alice, "orders")
        run = TriggerExecution.objects.get(pk=wanted)
        TriggerExecution.objects.keyed(run.trigger_id, wanted).update(output="13 invoices")
        assert (found(alice, "orders"), found(alice, "invoices")) == ([], [wanted])

    def test_run_under_way_is_not_found(self, alice: API, say: Callable[..., str]) -> None:
        say("12 orders", status=RunStatus.RUNNING, outcome="")
        assert found(alice, "orders") == []


ODD = [
    *('"', '""', '"a', "'", "*", "^", "a*b", "-a", "(", ")", "a AND", "NOT", "OR OR", "NEAR(a b)"),
    *("said:x", "{a b}:c", "a + b", "%", "_", "\\", "--", "; DROP TABLE x", "\u200b", "é", "😀"),
    *("…", "a" * 200, " ".join("a" * 90), "。", "ー", "\ufffd", "\u202e", "a\tb\nc"),
]


@pytest.mark.parametrize("query", ODD, ids=ascii)
def test_odd_input_is_no_error(alice: API, say: Callable[..., str], query: str) -> None:
    say("Some words (of an agent) NOT a* \"quoted\" AND 'so' on: ünï 注文")
    assert isinstance(found(alice, query), list)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_a_query(db: None, query: str) -> None:
    terms = search.terms_of(query)
    rows = TriggerExecution.objects.all()
    if search.has_index():
        rows = search.narrow(rows, terms)
    assert [run for run in rows if not search.has_said(run, terms)] == []


@pytest.mark.parametrize("query", ["%00", "x" * 201])
def test_query_that_is_none_is_refused(alice: API, query: str) -> None:
    assert alice.get(f"/executions?search={query}").status_code == 400


class TestPage:
    def test_shows_what_was_found(self, viewer: Client, say: Callable[..., str]) -> None:
        say("First <b>nothing</b>. " * 20 + "Then <i>12 orders</i> came in.")
        page = viewer.get("/console/runs?search=orders").content.decode()
        (shown,) = re.findall(r'class="said">(.*?)</td>', page)
        assert "&lt;i&gt;12 <mark>orders</mark>&lt;/i&gt; came in." in shown

    def test_field_says_what_it_searches(self, viewer: Client) -> None:
        assert ">What the agent said</span>" in viewer.get("/console/runs").content.decode()

    def test_leaves_out_what_was_not_found(self, viewer: Client, say: Callable[..., str]) -> None:
        say("All is quiet.")
        assert "No run matches." in viewer.get("/console/runs?search=orders").content.decode()

    def test_page_of_a_trigger_has_the_search(
        self, viewer: Client, say: Callable[..., str]
    ) -> None:
        say("All is quiet.")
        run = TriggerExecution.objects.get(pk=say("12 orders"))
        page = viewer.get(f"/console/triggers/{run.trigger_id}?search=orders").content.decode()
        assert re.findall(r'class="said"><span>(.*?)</span></td>', page) == [
            "12 <mark>orders</mark>"
        ]

    @pytest.mark.parametrize("query", [*ODD, "%00"], ids=ascii)
    def test_odd_input_is_no_error(
        self, viewer: Client, say: Callable[..., str], query: str
    ) -> None:
        say("Some words")
        assert viewer.get(f"/console/runs?search={quote(query)}").status_code == 200

    @pytest.mark.dynamodb
    def test_bound_of_a_search_without_an_index_is_shown(
        self, viewer: Client, say: Callable[..., str]
    ) -> None:
        say("12 orders")
        page = viewer.get("/console/runs?search=orders").content.decode()
        assert "only the newest 500 runs are searched" in page


def test_command_exports_what_was_found(say: Callable[..., str]) -> None:
    say("All is quiet.")
    wanted, out = say("12 orders"), StringIO()
    call_command("export_runs", "--search", "orders", "--format", "jsonl", stdout=out)
    assert [wanted in line for line in out.getvalue().splitlines()] == [True]


@pytest.mark.sqlite
class TestIndex:
    def test_is_made_by_the_scheduler(
        self,
        scheduler: Callable,
        make_trigger: MakeTrigger,
        monkeypatch: pytest.MonkeyPatch,
        transactional_db: None,
    ) -> None:
        from executions import watch
        from executions.runner.manual import run_now
        from tests.conftest import wait_for

        monkeypatch.setattr(watch, "TURN_SECONDS", 0.1)
        with scheduler():
            run_now(make_trigger(prompt="demo: echo"), by="alice")
            assert wait_for(lambda: indexed() == 1)

    def test_expired_run_leaves_it(self, alice: API, say: Callable[..., str]) -> None:
        say("12 orders")
        found(alice, "orders")
        TriggerExecution.objects.all().delete()
        assert (indexed(), rows()) == (0, 0)

    def test_earlier_runs_are_indexed_in_steps(
        self, alice: API, say: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = [say(f"{number} orders") for number in range(7)]
        forget_all()
        monkeypatch.setattr(search, "NOTED_AT_ONCE", 3)
        monkeypatch.setattr(search, "AT_ONCE", 2)
        # Each step may be the last of a process. The next one goes on from there.
        for _ in range(20):
            search.index_some(0.001)
        assert found(alice, "orders") == made[::-1]

    def test_migration_that_makes_the_table_anew_keeps_it(
        self, alice: API, say: Callable[..., str]
    ) -> None:
        with connection.cursor() as cursor:
            for name in ("insert", "update", "delete"):
                cursor.execute(f"DROP TRIGGER executions_said_{name}")
        search.install()
        wanted = say("12 orders")
        assert found(alice, "orders") == [wanted]

    def test_pass_keeps_to_its_time(self, say: Callable[..., str]) -> None:
        for number in range(60):
            say(f"{number} orders " * 2000)
        began = time.monotonic()
        search.index_some(0.05)
        assert time.monotonic() - began < 2

    def test_database_without_one_is_searched_run_by_run(
        self, alice: API, say: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search, "has_index", lambda: False)
        say("All is quiet.")
        wanted = say("東京で12件の注文がありました。")
        assert (found(alice, "注文"), found(alice, "注文 静か")) == ([wanted], [])


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "query",
    ["order", "rders", '"12 order"', "came-in", "「注文」", "文注", "ORDERS in", "12_orders"],
)
def test_search_without_an_index_finds_the_same(
    alice: API, say: Callable[..., str], monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    say("12 orders came in; 注文が12件。")
    by_index = found(alice, query)
    monkeypatch.setattr(search, "has_index", lambda: False)
    assert found(alice, query) == by_index


def indexed() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM executions_said")
        return cursor.fetchone()[0]


def rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM executions_saidrow")
        return cursor.fetchone()[0]


def forget_all() -> None:
    """As if the runs were from before the index was made."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM executions_said")
        cursor.execute("DELETE FROM executions_saidrow")
        cursor.execute("UPDATE executions_saidstate SET noted_until = ''")
