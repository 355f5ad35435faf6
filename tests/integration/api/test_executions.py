"""The routes under /triggers/{id}/executions, run and replay."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from executions.dispatchers import DispatchError
from executions.dispatchers.local import LocalDispatcher
from executions.models import QueuedRun, Source, TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.api.conftest import API, STARTED
from triggers.models import Outcome, RunStatus, Trigger

MakeExecution = Callable[..., TriggerExecution]


class RefusingDispatcher(LocalDispatcher):
    def dispatch(self, execution: TriggerExecution) -> None:
        raise DispatchError("Nobody takes runs: start the scheduler.")


@pytest.fixture
def trigger(make_trigger: Callable[..., Trigger]) -> Trigger:
    return make_trigger()


@pytest.fixture
def path(trigger: Trigger) -> str:
    return f"/triggers/{trigger.pk}"


def ids(response: Any) -> list[str]:
    return [execution["executionId"] for execution in response.json()["executions"]]


class TestRun:
    def test_is_accepted(self, alice: API, path: str) -> None:
        response = alice.post(f"{path}/run")
        execution = response.json()["execution"]
        assert (response.status_code, execution["status"], execution["source"]) == (
            202,
            "running",
            "manual",
        )

    def test_is_handed_over(self, alice: API, path: str) -> None:
        execution = alice.post(f"{path}/run").json()["execution"]
        assert QueuedRun.objects.get().pk == execution["executionId"]

    def test_disabled_trigger_runs_too(self, alice: API, path: str) -> None:
        alice.post(f"{path}/disable")
        assert alice.post(f"{path}/run").status_code == 202

    def test_busy_trigger_is_a_conflict(self, alice: API, path: str) -> None:
        alice.post(f"{path}/run")
        response = alice.post(f"{path}/run")
        assert (response.status_code, response.json()["error"]) == (409, "Conflict")

    def test_nobody_to_hand_it_to(self, alice: API, path: str, settings: Any) -> None:
        settings.DISPATCHER = f"{__name__}.RefusingDispatcher"
        response = alice.post(f"{path}/run")
        assert (response.status_code, TriggerExecution.objects.count()) == (503, 0)

    def test_is_on_record(self, alice: API, path: str) -> None:
        alice.post(f"{path}/run")
        assert AuditEntry.objects.get(action="run").actor == "alice"

    def test_another_users(self, bob: API, path: str) -> None:
        assert (bob.post(f"{path}/run").status_code, QueuedRun.objects.count()) == (404, 0)


class TestList:
    @pytest.fixture
    def five(self, trigger: Trigger, make_execution: MakeExecution) -> list[str]:
        return [make_execution(trigger).pk for _ in range(5)]

    def test_is_newest_first(self, alice: API, path: str, five: list[str]) -> None:
        assert ids(alice.get(f"{path}/executions")) == five[::-1]

    def test_is_two_queries(
        self, alice: API, path: str, five: list[str], django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(2):
            alice.get(f"{path}/executions")

    def test_is_two_queries_if_all_wait_for_a_person(
        self,
        alice: API,
        trigger: Trigger,
        path: str,
        make_execution: MakeExecution,
        django_assert_num_queries: Any,
    ) -> None:
        for _ in range(3):
            make_execution(trigger, outcome="interrupted", questions=[{"id": "q", "text": "Go?"}])
        with django_assert_num_queries(2):
            alice.get(f"{path}/executions")

    def test_metadata(self, alice: API, trigger: Trigger, path: str, five: list[str]) -> None:
        metadata = alice.get(f"{path}/executions?limit=2").json()["metadata"]
        assert (metadata["triggerId"], metadata["count"]) == (trigger.pk, 2)

    def test_pages_hold_everything_once(self, alice: API, path: str, five: list[str]) -> None:
        first = alice.get(f"{path}/executions?limit=3")
        token = first.json()["nextToken"]
        second = alice.get(f"{path}/executions?limit=3&nextToken={token}")
        assert ids(first) + ids(second) == five[::-1]

    def test_twenty_without_a_limit(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        for _ in range(21):
            make_execution(trigger)
        assert len(ids(alice.get(f"{path}/executions"))) == 20

    def test_by_outcome(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        past = timezone.now() - timedelta(minutes=1)
        make_execution(trigger, id="1", outcome="success")
        make_execution(trigger, id="2", status="failed", outcome="refused")
        make_execution(trigger, id="3", status="running", lease_until=past)
        make_execution(trigger, id="4", status="running")
        # One of an earlier edition.
        make_execution(trigger, id="5", status="failed", error_code="timed_out")
        found = {each: ids(alice.get(f"{path}/executions?outcome={each}")) for each in Outcome}
        assert {each: keys for each, keys in found.items() if keys} == {
            "success": ["1"],
            "refused": ["2"],
            "lost": ["3"],
            "timed_out": ["5"],
        }

    def test_by_agent_and_outcome(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="1", agent_id="clerk", outcome="success")
        make_execution(trigger, id="2", agent_id="scribe", outcome="success")
        make_execution(trigger, id="3", agent_id="clerk", status="failed", outcome="error")
        query = "agentId=clerk&outcome=success"
        assert ids(alice.get(f"{path}/executions?{query}")) == ["1"]

    def test_wrong_outcome_names_those_there_are(self, alice: API, path: str) -> None:
        message = alice.get(f"{path}/executions?outcome=bad").json()["message"]
        assert message == f"outcome: Give one of {', '.join(Outcome.values)}."

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=101",
            "limit=x",
            "status=done",
            "outcome=done",
            "agentId=" + "x" * 201,
            "nextToken=x",
        ],
    )
    def test_wrong_parameter(self, alice: API, path: str, query: str) -> None:
        response = alice.get(f"{path}/executions?{query}")
        assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")

    def test_token_of_another_trigger_is_refused(
        self, alice: API, path: str, five: list[str], make_trigger: Callable[..., Trigger]
    ) -> None:
        token = alice.get(f"{path}/executions?limit=2").json()["nextToken"]
        other = f"/triggers/{make_trigger().pk}/executions"
        assert alice.get(f"{other}?nextToken={token}").status_code == 400

    def test_of_a_new_trigger_is_empty(self, alice: API, path: str) -> None:
        assert alice.get(f"{path}/executions").json()["executions"] == []

    def test_of_a_deleted_trigger_stays(self, alice: API, path: str, five: list[str]) -> None:
        alice("DELETE", path)
        assert ids(alice.get(f"{path}/executions")) == five[::-1]

    def test_of_a_deleted_trigger_is_its_users_own(
        self, alice: API, bob: API, path: str, five: list[str]
    ) -> None:
        alice("DELETE", path)
        assert bob.get(f"{path}/executions").status_code == 404

    def test_another_users(self, bob: API, path: str, five: list[str]) -> None:
        assert bob.get(f"{path}/executions").status_code == 404

    def test_output_is_left_out(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, output="said", output_bytes=4)
        assert "output" not in alice.get(f"{path}/executions").json()["executions"][0]

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("completed", ["completed"]),
            ("failed", ["lost", "failed"]),
            ("running", ["waiting", "running"]),
        ],
    )
    def test_by_status(
        self,
        alice: API,
        trigger: Trigger,
        path: str,
        make_execution: MakeExecution,
        status: str,
        expected: list[str],
    ) -> None:
        now, minute = timezone.now(), timedelta(minutes=1)
        make_execution(trigger, id="1", session_id="completed")
        make_execution(trigger, id="2", session_id="failed", status="failed")
        make_execution(
            trigger, id="3", session_id="running", status="running", lease_until=now + minute
        )
        make_execution(
            trigger, id="4", session_id="lost", status="running", lease_until=now - minute
        )
        make_execution(trigger, id="5", session_id="waiting", status="running")
        found = alice.get(f"{path}/executions?status={status}").json()["executions"]
        assert [execution["sessionId"] for execution in found] == expected


class TestDetail:
    def test_agent_and_outcome(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        run = make_execution(trigger, agent_id="clerk", status="failed", outcome="limited")
        shown = alice.get(f"{path}/executions/{run.pk}").json()["execution"]
        assert (shown["agentId"], shown["outcome"]) == ("clerk", "limited")

    def test_run_under_way_has_no_outcome(self, alice: API, path: str) -> None:
        assert "outcome" not in alice.post(f"{path}/run").json()["execution"]

    def test_lost_run_has_its_outcome(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        past = timezone.now() - timedelta(minutes=1)
        run = make_execution(trigger, status="running", lease_until=past)
        shown = alice.get(f"{path}/executions/{run.pk}").json()["execution"]
        assert (shown["status"], shown["outcome"]) == ("failed", "lost")

    def test_tokens_of_caches(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        usage = {"inputTokens": 9, "outputTokens": 3, "cacheReadTokens": 2, "cacheWriteTokens": 1}
        run = make_execution(trigger, usage=usage)
        assert alice.get(f"{path}/executions/{run.pk}").json()["execution"]["usage"] == usage

    def test_everything(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(
            trigger,
            id="e",
            status=RunStatus.FAILED,
            source=Source.REPLAY,
            attempt=2,
            scheduled_at=STARTED - timedelta(seconds=1),
            completed_at=STARTED + timedelta(seconds=2),
            duration_ms=2000,
            request_id="r",
            session_id="s",
            output="said",
            output_bytes=4,
            usage={"inputTokens": 1, "outputTokens": 2},
            error="broken",
            event_payload='{"id": "1"}',
            replay_of="d",
        )
        assert alice.get(f"{path}/executions/e").json()["execution"] == {
            "executionId": "e",
            "triggerId": trigger.pk,
            "userId": "alice",
            "status": "failed",
            "outcome": "error",
            "startedAt": "2027-01-04T09:00:00.000Z",
            "completedAt": "2027-01-04T09:00:02.000Z",
            "executedAt": "2027-01-04T09:00:00.000Z",
            "durationMs": 2000,
            "scheduledAt": "2027-01-04T08:59:59.000Z",
            "source": "replay",
            "attempt": 2,
            "requestId": "r",
            "sessionId": "s",
            "output": "said",
            "usage": {"inputTokens": 1, "outputTokens": 2},
            "error": "broken",
            "errorMessage": "broken",
            "eventPayload": '{"id": "1"}',
            "replayOf": "d",
        }

    DID: ClassVar = {
        "output": "said",
        "output_bytes": 4,
        "reasoning": "Hm.",
        "tools": [{"id": "t1", "name": "clock", "input": "{}", "atMs": 5}],
    }

    def test_tools_and_reasoning_stand_apart_from_the_output(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="e", **self.DID)
        shown = alice.get(f"{path}/executions/e").json()["execution"]
        assert (shown["output"], shown["reasoning"], shown["toolUses"]) == (
            "said",
            "Hm.",
            self.DID["tools"],
        )

    @pytest.mark.parametrize("listed", ["{path}/executions", "/executions"])
    def test_lists_have_neither_tools_nor_reasoning(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution, listed: str
    ) -> None:
        make_execution(trigger, **self.DID)
        (shown,) = alice.get(listed.format(path=path)).json()["executions"]
        assert not {"output", "reasoning", "toolUses"} & shown.keys()

    def test_tokens_of_the_cache_are_counted(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        usage = {"inputTokens": 9, "outputTokens": 2, "cacheReadTokens": 7}
        make_execution(trigger, id="e", usage=usage)
        assert alice.get(f"{path}/executions/e").json()["execution"]["usage"] == usage

    def test_nothing_more_than_there_is(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="e", status="running")
        assert set(alice.get(f"{path}/executions/e").json()["execution"]) == {
            "executionId", "triggerId", "userId", "status", "startedAt", "executedAt", "source",
            "attempt",
        }  # fmt: skip

    def test_is_one_query(
        self,
        alice: API,
        trigger: Trigger,
        path: str,
        make_execution: MakeExecution,
        django_assert_num_queries: Any,
    ) -> None:
        make_execution(trigger, id="e")
        with django_assert_num_queries(1):
            alice.get(f"{path}/executions/e")

    def test_lost_run_has_failed(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="e", status="running", lease_until=STARTED - timedelta(days=900))
        execution = alice.get(f"{path}/executions/e").json()["execution"]
        assert (execution["status"], execution["errorCode"]) == ("failed", "lost")

    def test_event_is_cut_to_10_kb(
        self, alice: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="e", event_payload="é" * 100_000)
        execution = alice.get(f"{path}/executions/e").json()["execution"]
        assert execution["eventPayload"] == "é" * 5120

    def test_of_another_trigger(
        self,
        alice: API,
        path: str,
        make_trigger: Callable[..., Trigger],
        make_execution: MakeExecution,
    ) -> None:
        make_execution(make_trigger(), id="e")
        assert alice.get(f"{path}/executions/e").status_code == 404

    def test_record_without_a_user_is_its_triggers(
        self, alice: API, bob: API, trigger: Trigger, path: str, make_execution: MakeExecution
    ) -> None:
        make_execution(trigger, id="e", user_id="")
        answers = [api.get(f"{path}/executions/e").status_code for api in (alice, bob)]
        assert answers == [200, 404]

    @pytest.mark.parametrize("execution_id", ["nothing", "%00", "a%2Fb", "x" * 3000])
    def test_strange_ids(self, alice: API, path: str, execution_id: str) -> None:
        assert alice.get(f"{path}/executions/{execution_id}").status_code == 404


class TestOutput:
    @pytest.fixture(autouse=True)
    def execution(self, trigger: Trigger, make_execution: MakeExecution) -> TriggerExecution:
        return make_execution(
            trigger, id="e", status="running", output="Grüße", output_bytes=len("Grüße".encode())
        )

    @pytest.mark.parametrize(
        ("query", "text"), [("", "Grüße"), ("?after=2", "üße"), ("?after=7", ""), ("?after=99", "")]
    )
    def test_text(self, alice: API, path: str, query: str, text: str) -> None:
        assert alice.get(f"{path}/executions/e/output{query}").json()["text"] == text

    def test_parts(self, alice: API, path: str) -> None:
        text = "Grüße " * 500
        size = len(text.encode())
        TriggerExecution.objects.update(status="completed", output=text, output_bytes=size)
        part: dict[str, Any] = {"next": 0, "done": False}
        said = ""
        while not part["done"]:
            query = f"after={part['next']}&limit=1001"
            part = alice.get(f"{path}/executions/e/output?{query}").json()
            assert len(part["text"].encode()) <= 1001
            said += part["text"]
        assert said == text

    @pytest.mark.parametrize("limit", ["0", "999", "1000001", "x", "-1"])
    def test_parts_of_no_size(self, alice: API, path: str, limit: str) -> None:
        response = alice.get(f"{path}/executions/e/output?limit={limit}")
        assert response.status_code == 400

    def test_where_to_go_on(self, alice: API, path: str) -> None:
        assert alice.get(f"{path}/executions/e/output").json()["next"] == 7

    def test_running(self, alice: API, path: str) -> None:
        answer = alice.get(f"{path}/executions/e/output").json()
        assert (answer["done"], answer["status"]) == (False, "running")

    def test_done(self, alice: API, path: str) -> None:
        TriggerExecution.objects.update(status="completed")
        answer = alice.get(f"{path}/executions/e/output").json()
        assert (answer["done"], answer["status"]) == (True, "completed")

    def test_lost_is_done(self, alice: API, path: str) -> None:
        TriggerExecution.objects.update(lease_until=STARTED - timedelta(days=900))
        answer = alice.get(f"{path}/executions/e/output").json()
        assert (answer["done"], answer["status"]) == (True, "failed")

    @pytest.mark.parametrize("after", ["x", "-1", "1.5", "%D9%A3", "9" * 5000])
    def test_wrong_byte(self, alice: API, path: str, after: str) -> None:
        response = alice.get(f"{path}/executions/e/output?after={after}")
        assert (response.status_code, response.json()["error"]) == (400, "Invalid Parameter")

    def test_another_users(self, bob: API, path: str) -> None:
        assert bob.get(f"{path}/executions/e/output").status_code == 404


class TestReplay:
    @pytest.fixture(autouse=True)
    def execution(self, trigger: Trigger, make_execution: MakeExecution) -> TriggerExecution:
        return make_execution(trigger, id="e", event_payload=json.dumps({"id": "event"}))

    def test_names_what_it_repeats(self, alice: API, path: str) -> None:
        response = alice.post(f"{path}/executions/e/replay")
        execution = response.json()["execution"]
        assert (response.status_code, execution["source"], execution["replayOf"]) == (
            202,
            "replay",
            "e",
        )

    def test_sends_the_same_event(self, alice: API, path: str) -> None:
        execution = alice.post(f"{path}/executions/e/replay").json()["execution"]
        assert json.loads(execution["eventPayload"]) == {"id": "event"}

    def test_busy_trigger_is_a_conflict(self, alice: API, path: str) -> None:
        alice.post(f"{path}/run")
        assert alice.post(f"{path}/executions/e/replay").status_code == 409

    def test_deleted_trigger(self, alice: API, path: str) -> None:
        alice("DELETE", path)
        assert alice.post(f"{path}/executions/e/replay").status_code == 404

    def test_another_users(self, bob: API, path: str) -> None:
        assert bob.post(f"{path}/executions/e/replay").status_code == 404
