"""The command `cancel_run`."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from executions import runner
from executions.models import CancelRequest, TriggerExecution
from executions.runner import Occurrence
from executions.runner.manual import run_now
from triggers.models import Outcome, Trigger

MakeTrigger = Callable[..., Trigger]


def cancel_run(*ids: str) -> str:
    out = StringIO()
    call_command("cancel_run", *ids, stdout=out)
    return out.getvalue()


@pytest.fixture
def running(make_trigger: MakeTrigger) -> TriggerExecution:
    trigger = make_trigger()
    due = datetime(2027, 1, 4, 9, tzinfo=UTC)
    run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
    assert run is not None
    return run.execution


@pytest.fixture
def waiting(make_trigger: MakeTrigger) -> TriggerExecution:
    return run_now(make_trigger(name="Another"), by="olga")


def test_run_under_way_is_asked_to_end(running: TriggerExecution) -> None:
    printed = cancel_run(running.pk)
    assert (CancelRequest.objects.get().pk, "within seconds" in printed) == (running.pk, True)


def test_run_that_waits_ends(waiting: TriggerExecution) -> None:
    cancel_run(waiting.pk)
    assert TriggerExecution.objects.get(pk=waiting.pk).outcome == Outcome.CANCELLED


def test_others_are_cancelled_though_one_is_unknown(
    running: TriggerExecution, waiting: TriggerExecution
) -> None:
    with pytest.raises(CommandError, match="unknown: there is no such run"):
        cancel_run("unknown", running.pk, waiting.pk)
    assert CancelRequest.objects.count() == 1


def test_run_that_has_ended_is_refused(waiting: TriggerExecution) -> None:
    cancel_run(waiting.pk)
    with pytest.raises(CommandError, match="has ended and cannot be cancelled"):
        cancel_run(waiting.pk)
