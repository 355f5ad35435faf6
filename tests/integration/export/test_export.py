"""Exports of runs, by the API, from the page and by the command."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from executions import exports
from executions.api import export
from executions.models import Source, TriggerExecution
from moca.ids import new_id, uuid7
from tests.integration.api.conftest import API, STARTED
from triggers.models import RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]
MakeTrigger = Callable[..., Trigger]
ALL = "/executions/export"


@pytest.fixture
def run(make_trigger: MakeTrigger, make_execution: MakeExecution) -> Callable[..., str]:
    """Put a run of alice's trigger on record; returns its id."""
    trigger = make_trigger()

    def make(**fields: Any) -> str:
        size = len(fields.get("output", "").encode())
        return make_execution(trigger, **{"id": new_id(), "output_bytes": size, **fields}).pk

    return make


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.content
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return str(body.decode())


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def exported(api: API, query: str = "", path: str = ALL) -> list[dict[str, str]]:
    return table(text_of(api.get(f"{path}?{query}")))


def test_columns_are_those_of_the_api(alice: API, run: Callable[..., str]) -> None:
    usage = {"inputTokens": 812, "outputTokens": 64, "cost": 0.25, "currency": "EUR"}
    ended = datetime(2027, 2, 1, 9, 0, 9, 730000, UTC)
    key = run(agent_id="reporter", usage=usage, completed_at=ended, duration_ms=9318)
    (row,) = exported(alice)
    shown = alice.get("/executions").json()["executions"][0]
    shown |= {name: shown["usage"].get(name, "") for name in usage}
    expected = {name: str(shown.get(name, "")) for name in exports.COLUMNS}
    expected["triggerName"] = "Report"
    assert (row["executionId"], row) == (key, expected)


class TestTriggerName:
    @pytest.mark.parametrize("query", ["", "output=true"])
    def test_is_the_last_column(self, alice: API, run: Callable[..., str], query: str) -> None:
        run()
        assert [*exported(alice, query)[0]][-1] == "triggerName"

    def test_json_lines(self, alice: API, run: Callable[..., str]) -> None:
        run()
        line = text_of(alice.get(f"{ALL}?format=jsonl"))
        assert json.loads(line)["triggerName"] == "Report"

    def test_as_it_is_now(self, alice: API, run: Callable[..., str]) -> None:
        run()
        trigger = Trigger.objects.get()
        trigger.name = "Weekly"
        trigger.save()
        assert exported(alice)[0]["triggerName"] == "Weekly"

    def test_of_a_deleted_trigger(self, alice: API, run: Callable[..., str]) -> None:
        run()
        Trigger.objects.all().delete()
        assert exported(alice)[0]["triggerName"] == ""

    def test_of_a_trigger_that_is_anothers_by_now(
        self, alice: API, run: Callable[..., str], make_trigger: MakeTrigger
    ) -> None:
        run()
        trigger = Trigger.objects.get()
        trigger.delete()
        make_trigger(pk=trigger.pk, user_id="bob", name="Payroll of bob")
        assert exported(alice)[0]["triggerName"] == ""

    def test_is_no_formula(
        self, alice: API, make_trigger: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        make_execution(make_trigger(name="=1+1"))
        assert exported(alice)[0]["triggerName"] == "'=1+1"

    @pytest.mark.sqlite
    def test_is_not_read_for_each_run(
        self,
        alice: API,
        make_trigger: MakeTrigger,
        make_execution: MakeExecution,
        django_assert_num_queries: Any,
    ) -> None:
        for _ in range(10):
            trigger = make_trigger()
            for _ in range(5):
                make_execution(trigger, id=new_id())
        with django_assert_num_queries(2):
            assert len(exported(alice)) == 50


def test_times_are_utc(alice: API, run: Callable[..., str]) -> None:
    tokyo = datetime.fromisoformat("2027-01-04T09:00:00+09:00")
    run(started_at=tokyo)
    assert exported(alice)[0]["startedAt"] == "2027-01-04T00:00:00.000Z"


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"], ids=ascii
)
def test_no_cell_is_a_formula(alice: API, run: Callable[..., str], start: str) -> None:
    run(error=f"{start}|cmd", output=f"{start} said", status=RunStatus.FAILED)
    (row,) = exported(alice, "output=true")
    assert (row["error"], row["output"]) == (f"'{start}|cmd", f"'{start} said")


def test_json_lines_have_texts_as_they_are(alice: API, run: Callable[..., str]) -> None:
    run(output="=1+1\n注文 \u2028 end")
    lines = text_of(alice.get(f"{ALL}?format=jsonl&output=true")).split("\n")
    assert (json.loads(lines[0])["output"], lines[1:]) == ("=1+1\n注文 \u2028 end", [""])


def test_outputs_are_left_out_unless_asked_for(alice: API, run: Callable[..., str]) -> None:
    run(output="secret words")
    assert "secret words" not in text_of(alice.get(ALL))


def test_others_runs_are_left_out(alice: API, bob: API, run: Callable[..., str]) -> None:
    run()
    assert (len(exported(alice)), exported(bob)) == (1, [])


def test_export_of_one_trigger(
    alice: API, bob: API, run: Callable[..., str], make_trigger: MakeTrigger
) -> None:
    other = make_trigger(name="Other")
    run()
    wanted = run(trigger_id=other.pk)
    path = f"/triggers/{other.pk}/executions/export"
    rows = exported(alice, path=path)
    assert ([row["executionId"] for row in rows], bob.get(path).status_code) == ([wanted], 404)


def test_filters_hold(alice: API, run: Callable[..., str]) -> None:
    run()
    run(status=RunStatus.FAILED, outcome="timed_out", agent_id="b")
    wanted = run(status=RunStatus.FAILED, outcome="timed_out", agent_id="a", output="12 orders")
    rows = exported(alice, "status=failed&outcome=timed_out&agentId=a&search=orders")
    assert [row["executionId"] for row in rows] == [wanted]


def test_span_holds(alice: API, run: Callable[..., str]) -> None:
    keys = [
        run(id=uuid7(round((STARTED + timedelta(hours=n)).timestamp() * 1000), bytes(10)))
        for n in range(3)
    ]
    since, until = (f"{STARTED + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in (1, 2))
    rows = exported(alice, f"since={since}&until={until}")
    assert [row["executionId"] for row in rows] == [keys[1]]


@pytest.mark.parametrize("query", ["format=xml", "limit=0", "limit=10001", "output=maybe", "x=1"])
def test_wrong_parameter_is_named(alice: API, query: str) -> None:
    answer = alice.get(f"{ALL}?{query}")
    assert (answer.status_code, query.partition("=")[0] in answer.json()["message"]) == (400, True)


def parts(api: API, query: str) -> Iterator[str]:
    token = ""
    for _ in range(20):
        answer = api.get(f"{ALL}?{query}&nextToken={token}")
        yield text_of(answer)
        token = answer.headers.get(export.NEXT, "")
        if not token:
            return


def test_parts_make_the_whole(alice: API, run: Callable[..., str]) -> None:
    made = [run() for _ in range(7)]
    found = list(parts(alice, "limit=3"))
    rows = table("".join(found))
    assert ([row["executionId"] for row in rows], len(found)) == (made[::-1], 3)


def test_lambda_gets_parts_below_its_limit(
    alice: API, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_BYTES", 10_000)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "moca-triggers-web")
    for _ in range(7):
        run(output="x" * 4000)
    found = list(parts(alice, "format=jsonl&output=true"))
    sizes = [len(part) for part in found]
    assert (max(sizes) <= 10_000, sum(part.count("\n") for part in found)) == (True, 7)


def test_part_without_matches_has_an_end(
    alice: API, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = run(agent_id="a")
    for _ in range(9):
        run(agent_id="b")
    monkeypatch.setattr(export, "MOST_LOOKED_AT", 3)
    found = list(parts(alice, "limit=5&agentId=a"))
    rows = table("".join(found))
    assert ([row["executionId"] for row in rows], len(found) > 1) == ([wanted], True)


def test_token_of_another_export_is_refused(alice: API, run: Callable[..., str]) -> None:
    run(), run()
    token = alice.get(f"{ALL}?limit=1").headers[export.NEXT]
    assert alice.get(f"{ALL}?limit=1&status=failed&nextToken={token}").status_code == 400


@pytest.mark.sqlite
def test_memory_does_not_grow_with_the_number_of_runs(
    alice: API, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()

    def add(number: int) -> None:
        TriggerExecution.objects.bulk_create(
            [
                TriggerExecution(
                    id=new_id(),
                    trigger_id=trigger.pk,
                    user_id="alice",
                    status=RunStatus.COMPLETED,
                    source=Source.SCHEDULE,
                    started_at=STARTED,
                    error="x" * 200,
                    ttl=1,
                )
                for _ in range(number)
            ],
            batch_size=500,
        )

    def peak() -> int:
        tracemalloc.start()
        try:
            answer = alice.client.get(ALL, headers={"Authorization": f"Bearer {alice.token}"})
            size = sum(map(len, answer.streaming_content))
            assert size > 200
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    add(1000)
    peak()
    before = peak()
    add(5000)
    assert peak() < 1.3 * before


class TestPage:
    def test_list_links_to_its_export(self, viewer: Client, run: Callable[..., str]) -> None:
        run(status=RunStatus.FAILED)
        page = viewer.get("/console/runs?status=failed").content.decode()
        assert "/console/runs/export?status=failed&amp;format=csv" in page

    def test_page_of_a_trigger_exports_its_runs(
        self, viewer: Client, run: Callable[..., str], make_trigger: MakeTrigger
    ) -> None:
        other = make_trigger(name="Other")
        wanted = run(trigger_id=other.pk)
        run()
        page = viewer.get(f"/console/triggers/{other.pk}").content.decode()
        query = f"trigger={other.pk}&format=csv"
        assert f"/console/runs/export?{query.replace('&', '&amp;')}" in page
        rows = table(text_of(viewer.get(f"/console/runs/export?{query}")).removeprefix("\ufeff"))
        assert [row["executionId"] for row in rows] == [wanted]

    def test_filters_hold(self, viewer: Client, run: Callable[..., str]) -> None:
        run()
        wanted = run(status=RunStatus.FAILED, output="12 orders")
        query = "status=failed&search=orders&format=jsonl&output=1"
        (line,) = text_of(viewer.get(f"/console/runs/export?{query}")).splitlines()
        found = json.loads(line)
        assert (found["executionId"], found["output"]) == (wanted, "12 orders")

    def test_spreadsheets_read_it_as_utf_8(self, viewer: Client, run: Callable[..., str]) -> None:
        run()
        answer = viewer.get("/console/runs/export")
        assert (text_of(answer)[0], ".csv" in answer["Content-Disposition"]) == ("\ufeff", True)

    def test_other_formats_are_refused(self, viewer: Client) -> None:
        assert viewer.get("/console/runs/export?format=xml").status_code == 400

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("status=done", "status: "),
            ("since=year", "Give one of hour, day, week."),
            (f"agent={'x' * 201}", "agent: "),
        ],
    )
    def test_invalid_filters_are_refused(self, viewer: Client, query: str, said: str) -> None:
        answer = viewer.get(f"/console/runs/export?{query}")
        assert (answer.status_code, said in answer.content.decode()) == (400, True)

    def test_refusal_is_plain_text(self, viewer: Client) -> None:
        answer = viewer.get("/console/runs/export?status=<b>")
        assert answer["Content-Type"] == "text/plain; charset=utf-8"

    def test_nobody_exports_without_signing_in(self, db: None) -> None:
        assert Client().get("/console/runs/export").status_code == 302

    def test_what_is_too_large_for_lambda_is_told(
        self, viewer: Client, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from console import run_export

        monkeypatch.setattr(run_export, "MOST_BYTES", 100)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "moca-triggers-web")
        run()
        page = viewer.get("/console/runs/export", follow=True).content.decode()
        assert "choose a shorter time, or use the API" in page


class TestCommand:
    def test_writes_a_file(self, run: Callable[..., str], tmp_path: Path) -> None:
        wanted, path = run(output="Hello"), tmp_path / "runs.jsonl"
        call_command("export_runs", "--with-output", "--output", str(path))
        found = json.loads(path.read_text())
        assert (found["executionId"], found["output"]) == (wanted, "Hello")

    def test_takes_the_runs_of_a_user(self, run: Callable[..., str]) -> None:
        run(user_id="bob")
        wanted, out = run(), StringIO()
        call_command("export_runs", "--user", "alice", stdout=out)
        assert [row["executionId"] for row in table(out.getvalue())] == [wanted]

    def test_wrong_time_is_named(self, db: None) -> None:
        with pytest.raises(CommandError, match="yesterday"):
            call_command("export_runs", "--since", "yesterday")

    def test_file_that_cannot_be_written_is_named(
        self, run: Callable[..., str], tmp_path: Path
    ) -> None:
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("export_runs", "--output", str(tmp_path / "no" / "runs.csv"))
