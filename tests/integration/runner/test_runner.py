"""One occurrence, from its start to the record of its end, against the demo agent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from django.utils import timezone

from agents import AgentClient, AgentError, CachedTokens, ClientCredentials
from agents.demo import DemoAgent
from executions import runner
from executions.failures import INTERNAL_ERROR, LOST, NOT_PICKED_UP
from executions.models import QueuedRun, Source, TriggerExecution
from executions.process_lease import Load, ProcessLease
from executions.runner import Occurrence
from executions.runner.manual import run_now
from triggers.models import LocalSchedule, RunStatus, Trigger
from triggers.statistics import Statistics, Tally

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)

MakeTrigger = Callable[..., Trigger]
Fire = Callable[..., TriggerExecution]


@pytest.fixture
def client(demo_agent: DemoAgent) -> Iterator[AgentClient]:
    tokens = CachedTokens(
        ClientCredentials(domain=demo_agent.url, client_id="demo", client_secret="demo")
    )
    with AgentClient(demo_agent.url, tokens) as client:
        yield client


@pytest.fixture
def fire(client: AgentClient) -> Fire:
    """Run a trigger's occurrence to its end and read the record back."""

    def run(trigger: Trigger, due: datetime = NINE, **options: Any) -> TriggerExecution:
        started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
        assert started is not None
        runner.execute(started, client, **options)
        return TriggerExecution.objects.get(pk=started.execution.pk)

    return run


def old_prompt(make_trigger: MakeTrigger, prompt: str) -> Trigger:
    """A trigger with a prompt that was saved before such prompts were refused."""
    trigger = make_trigger(include_context=False)
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(prompt=prompt)
    return trigger


class TestSuccess:
    def test_answer_is_on_record(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        execution = fire(make_trigger(prompt="Count the sheep."))
        assert "Count the sheep." in execution.said.text

    def test_status_is_completed(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        assert fire(make_trigger()).status == RunStatus.COMPLETED

    def test_agent_is_told_what_the_trigger_says(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(make_trigger(model_id="m", working_directory="/w", reasoning_effort="high"))
        told = {"modelId": "m", "storagePath": "/w", "reasoningEffort": "high"}
        assert demo_agent.requests[-1].body.items() >= told.items()

    def test_agent_is_not_told_what_is_not_set(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(make_trigger())
        unset = {"modelId", "storagePath", "reasoningEffort"}
        assert not demo_agent.requests[-1].body.keys() & unset

    def test_usage_is_on_record(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        usage = fire(make_trigger()).usage or {}
        assert usage["inputTokens"] > 0 < usage["outputTokens"]

    def test_trigger_knows_its_last_run(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger()
        execution = fire(trigger)
        trigger.refresh_from_db()
        assert (trigger.last_executed_at, trigger.last_status) == (
            execution.started_at,
            RunStatus.COMPLETED,
        )

    def test_trigger_keeps_how_the_run_fared(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        execution = fire(make_trigger())
        noted = Statistics.read(Trigger.objects.get(pk=execution.trigger_id).statistics).runs
        assert [(run.execution_id, run.duration_ms, run.failed) for run in noted] == [
            (execution.pk, execution.duration_ms, False)
        ]

    def test_tokens_of_runs_are_added_up(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        execution = fire(make_trigger())
        noted = Statistics.read(Trigger.objects.get(pk=execution.trigger_id).statistics)
        day = Tally.total(noted.days(execution.started_at))
        assert day.tokens == sum(execution.usage.values()) > 0

    def test_running_does_not_change_the_version(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        trigger = make_trigger()
        fire(trigger)
        assert Trigger.objects.get(pk=trigger.pk).version == trigger.version

    def test_record_goes_thirty_days_after_its_start(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        execution = fire(make_trigger())
        assert execution.ttl == int((execution.started_at + timedelta(days=30)).timestamp())

    def test_agent_is_told_what_fired(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(make_trigger(name="Sheep | count"))
        assert "| Trigger | Sheep \\| count |" in demo_agent.requests[-1].body["prompt"]

    def test_context_can_be_left_out(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(make_trigger(prompt="Bare.", include_context=False))
        assert demo_agent.requests[-1].body["prompt"] == "Bare."

    def test_prompt_of_old_sends_nothing_wider(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(old_prompt(make_trigger, "Look at {{ event.detail | upper }}"))
        assert demo_agent.requests[-1].body["prompt"] == "Look at {{ event.detail | upper }}"

    def test_prompt_of_old_is_said_on_the_run(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        execution = fire(old_prompt(make_trigger, "{{ event.detail | upper }} {{ x }}"))
        assert execution.warning.startswith("The prompt has {{ event.detail | upper }} and 1 more")

    def test_prompt_that_is_understood_warns_of_nothing(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        assert fire(make_trigger(prompt="{{ event.detail }}")).warning == ""

    def test_agent_works_for_the_owner(
        self, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        fire(make_trigger(user_id="bob"))
        assert demo_agent.requests[-1].body["targetUserId"] == "bob"


class TestFailure:
    def test_agent_error_is_the_reason(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        assert "demo" in fire(make_trigger(prompt="x\ndemo: fail")).error

    def test_what_was_said_before_is_kept(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        assert fire(make_trigger(prompt="Sheep\ndemo: fail")).output_bytes > 0

    def test_reason_holds_no_nul_which_some_databases_refuse(
        self, make_trigger: MakeTrigger, fire: Fire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise AgentError(None, kind="agent", quoted="a\0b")

        monkeypatch.setattr(AgentClient, "invoke", refuse)
        execution = fire(make_trigger())
        assert (execution.error, execution.error_params) == ("ab", {"quoted": "ab"})

    def test_log_has_the_code_and_not_the_words(
        self, make_trigger: MakeTrigger, fire: Fire, caplog: pytest.LogCaptureFixture
    ) -> None:
        fire(make_trigger(prompt="x\ndemo: fail out of paper"))
        codes = {getattr(record, "errorCode", "") for record in caplog.records}
        assert ("agent_failed" in codes, "out of paper" in caplog.text) == (True, False)

    def test_failures_in_a_row_are_counted(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger(prompt="x\ndemo: fail")
        fire(trigger)
        fire(trigger, TEN)
        assert Trigger.objects.get(pk=trigger.pk).consecutive_failures == 2

    def test_success_forgives_failures(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger(prompt="x\ndemo: fail")
        fire(trigger)
        Trigger.objects.filter(pk=trigger.pk).update(prompt="x")
        fire(trigger, TEN)
        assert Trigger.objects.get(pk=trigger.pk).consecutive_failures == 0

    def test_too_many_failures_pause_the_trigger(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: fail", pause_after_failures=2)
        fire(trigger)
        fire(trigger, TEN)
        paused = Trigger.objects.get(pk=trigger.pk)
        assert (paused.enabled, paused.paused_reason[:34]) == (
            False,
            "Paused after 2 runs in a row had f",
        )

    def test_pause_stops_the_schedule(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger(prompt="x\ndemo: fail", pause_after_failures=1)
        fire(trigger)
        assert LocalSchedule.objects.get(pk=trigger.pk).next_run_at is None

    def test_out_of_time(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        execution = fire(make_trigger(prompt="x\ndemo: stall"), time_limit=0.5)
        found = (execution.error_code, execution.error_params["seconds"])
        assert found == ("sent_end_unknown", "0.5")

    def test_internal_error_is_no_secret_and_no_crash(
        self, make_trigger: MakeTrigger, fire: Fire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("executions.prompts.compose", lambda *_: 1 / 0)
        assert fire(make_trigger()).error_code == INTERNAL_ERROR.name


class TestOnce:
    def test_second_delivery_does_nothing(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger()
        fire(trigger)
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)) is None

    def test_second_delivery_of_a_run_that_never_reached_the_agent_runs(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: status 403")
        execution = fire(trigger)
        Trigger.objects.filter(pk=trigger.pk).update(prompt="x")
        assert (fire(trigger).attempt, execution.reached_agent) == (2, False)

    def test_second_delivery_records_the_agent_that_it_asks(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: status 403", agent_id="clerk")
        fire(trigger)
        Trigger.objects.filter(pk=trigger.pk).update(agent_id="other")
        assert fire(trigger).agent_id == "other"

    def test_second_delivery_of_a_run_that_reached_the_agent_does_nothing(
        self, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        trigger = make_trigger(prompt="x\ndemo: break")
        fire(trigger)
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)) is None

    def test_second_delivery_during_the_run_is_no_skip(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert Trigger.objects.get(pk=trigger.pk).skipped_runs == 0

    def test_ids_sort_by_time(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger()
        assert fire(trigger, NINE).pk < fire(trigger, TEN).pk


class TestRefusal:
    def test_overlap_is_skipped(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, TEN))
        skipped = Trigger.objects.get(pk=trigger.pk)
        assert (skipped.skipped_runs, skipped.last_skip_reason) == (
            1,
            "The run before was still going.",
        )

    def test_overlap_may_be_allowed(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(overlap_policy="allow")
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, TEN)) is not None

    def test_end_of_a_run_lets_the_next_in(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger()
        fire(trigger)
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, TEN)) is not None

    def test_disabled_trigger_does_not_run(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger(enabled=False)
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)) is None

    def test_trigger_past_its_end_does_not_run(self, make_trigger: MakeTrigger) -> None:
        config = {"expression": "rate(1 hour)", "endDate": "2027-01-04T08:59:00Z"}
        trigger = make_trigger(schedule_config=config)
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE)) is None

    def test_deleted_trigger_does_not_run(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        pk = trigger.pk
        trigger.delete()
        assert runner.start(Occurrence.scheduled("alice", pk, NINE)) is None

    def test_run_ending_after_the_delete_revives_nothing(
        self, make_trigger: MakeTrigger, client: AgentClient
    ) -> None:
        trigger = make_trigger()
        run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        Trigger.objects.get(pk=trigger.pk).delete()
        assert run is not None
        runner.execute(run, client)
        assert not Trigger.objects.exists()


class TestByHand:
    def test_disabled_trigger_runs(self, make_trigger: MakeTrigger, client: AgentClient) -> None:
        accepted = run_now(make_trigger(enabled=False), by="alice")
        run = runner.resume(accepted.trigger_id, accepted.pk)
        assert run is not None
        assert runner.execute(run, client).status == RunStatus.COMPLETED

    def test_run_is_queued(self, make_trigger: MakeTrigger) -> None:
        execution = run_now(make_trigger(), by="alice")
        assert QueuedRun.objects.get().pk == execution.pk

    def test_accepted_run_begins_once(self, make_trigger: MakeTrigger) -> None:
        execution = run_now(make_trigger(), by="alice")
        runner.resume(execution.trigger_id, execution.pk)
        assert runner.resume(execution.trigger_id, execution.pk) is None

    def test_agent_is_the_one_that_the_trigger_names_when_the_run_begins(
        self, make_trigger: MakeTrigger, client: AgentClient, demo_agent: DemoAgent
    ) -> None:
        execution = run_now(make_trigger(agent_id="clerk"), by="alice")
        Trigger.objects.filter(user_id="alice", pk=execution.trigger_id).update(agent_id="other")
        run = runner.resume(execution.trigger_id, execution.pk)
        assert run is not None
        runner.execute(run, client)
        execution.refresh_from_db()
        sent = demo_agent.requests[-1].body["agentId"]
        assert (execution.agent_id, sent) == ("other", "other")

    def test_busy_trigger_refuses(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        run_now(trigger, by="alice")
        with pytest.raises(runner.TriggerBusyError):
            run_now(trigger, by="alice")

    def test_refused_run_leaves_no_record(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        first = run_now(trigger, by="alice")
        with pytest.raises(runner.TriggerBusyError):
            run_now(trigger, by="alice")
        assert [first.pk] == list(TriggerExecution.objects.values_list("pk", flat=True))

    def test_replay_sends_the_event_again(
        self, make_trigger: MakeTrigger, fire: Fire, client: AgentClient, demo_agent: DemoAgent
    ) -> None:
        trigger = make_trigger()
        original = fire(trigger)
        replay = run_now(trigger, by="alice", replayed=original)
        run = runner.resume(trigger.pk, replay.pk)
        assert run is not None
        runner.execute(run, client)
        assert f'"id": "{original.pk}"' in demo_agent.requests[-1].body["prompt"]

    def test_replay_names_its_original(self, make_trigger: MakeTrigger, fire: Fire) -> None:
        trigger = make_trigger()
        original = fire(trigger)
        replay = run_now(trigger, by="alice", replayed=original)
        assert (replay.source, replay.replay_of) == (Source.REPLAY, original.pk)


class TestLost:
    def test_lost_run_is_closed_as_failed(self, make_trigger: MakeTrigger) -> None:
        run = runner.start(Occurrence.scheduled("alice", make_trigger().pk, NINE))
        assert run is not None
        runner.close_lost(timezone.now() + timedelta(minutes=2))
        assert TriggerExecution.objects.get(pk=run.execution.pk).error_code == LOST.name

    def test_lost_run_is_shown_as_failed_before_that(self, make_trigger: MakeTrigger) -> None:
        run = runner.start(Occurrence.scheduled("alice", make_trigger().pk, NINE))
        assert run is not None
        run.execution.close_if_lost(timezone.now() + timedelta(minutes=2))
        assert run.execution.status == RunStatus.FAILED

    def test_run_that_is_vouched_for_is_left_alone(self, make_trigger: MakeTrigger) -> None:
        lease = ProcessLease(timedelta(minutes=3), timedelta(0))
        lease.renew(Load())
        occurrence = Occurrence.scheduled("alice", make_trigger().pk, NINE)
        assert runner.start(occurrence, process_id=lease.id) is not None
        assert runner.close_lost(timezone.now() + timedelta(minutes=2)) == 0

    def test_run_of_a_process_is_lost_with_the_lease_of_the_process(
        self, make_trigger: MakeTrigger
    ) -> None:
        lease = ProcessLease(timedelta(minutes=1), timedelta(0))
        lease.renew(Load())
        occurrence = Occurrence.scheduled("alice", make_trigger().pk, NINE)
        assert runner.start(occurrence, process_id=lease.id) is not None
        assert runner.close_lost(timezone.now() + timedelta(minutes=2)) == 1

    def test_lapsed_process_does_not_hold_a_trigger(self, make_trigger: MakeTrigger) -> None:
        trigger, lease = make_trigger(), ProcessLease(timedelta(seconds=-1), timedelta(0))
        lease.renew(Load())
        runner.start(Occurrence.scheduled("alice", trigger.pk, NINE), process_id=lease.id)
        assert runner.start(Occurrence.scheduled("alice", trigger.pk, TEN)) is not None

    def test_living_process_holds_a_trigger(self, make_trigger: MakeTrigger) -> None:
        trigger, lease = make_trigger(), ProcessLease(timedelta(minutes=1), timedelta(0))
        lease.renew(Load())
        runner.start(Occurrence.scheduled("alice", trigger.pk, NINE), process_id=lease.id)
        assert runner.start(Occurrence.scheduled("alice", trigger.pk, TEN)) is None

    def test_queued_run_that_nobody_takes_is_closed(self, make_trigger: MakeTrigger) -> None:
        execution = run_now(make_trigger(), by="alice")
        runner.close_lost(timezone.now() + timedelta(hours=2))
        assert TriggerExecution.objects.get(pk=execution.pk).error_code == NOT_PICKED_UP.name

    def test_process_whose_run_was_closed_changes_nothing(
        self, make_trigger: MakeTrigger, client: AgentClient
    ) -> None:
        run = runner.start(Occurrence.scheduled("alice", make_trigger().pk, NINE))
        assert run is not None
        runner.close_lost(timezone.now() + timedelta(minutes=2))
        runner.execute(run, client)
        assert TriggerExecution.objects.get(pk=run.execution.pk).error_code == LOST.name

    def test_lost_run_lets_the_next_in(self, make_trigger: MakeTrigger) -> None:
        trigger = make_trigger()
        runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
        runner.close_lost(timezone.now() + timedelta(minutes=2))
        assert runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, TEN)) is not None


def test_long_output_keeps_head_and_tail(make_trigger: MakeTrigger, fire: Fire) -> None:
    execution = fire(make_trigger(prompt="x\ndemo: bytes 1MB"))
    kept = len(execution.output.encode()) + len(execution.output_tail.encode())
    assert kept <= 128 * 1024 < execution.output_bytes


def test_prompt_is_in_no_log_line(
    make_trigger: MakeTrigger, fire: Fire, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        fire(make_trigger(prompt="SECRET-PROMPT\ndemo: fail"))
    assert "SECRET-PROMPT" not in caplog.text
