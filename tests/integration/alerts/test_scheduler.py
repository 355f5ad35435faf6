"""A running scheduler process delivers what its runs, and other processes, have told."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts import courier, gather
from alerts.happenings import Happening
from alerts.models import Channel
from tests.conftest import wait_for
from tests.integration.alerts.conftest import MakeRule, MakeTrigger
from tests.integration.alerts.receivers import MailServer, Receiver
from tests.integration.scheduler.conftest import make_due


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliver after a moment, instead of ten seconds."""
    monkeypatch.setattr(courier, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(gather, "SETTLE", timedelta(seconds=0.5))


def test_failed_run_is_mailed(
    scheduler: Callable,
    make_rule: MakeRule,
    make_trigger: MakeTrigger,
    mail_server: MailServer,
) -> None:
    make_rule(Happening.FAILING)
    make_due(make_trigger(prompt="demo: fail", max_retries=0))
    with scheduler():
        [mail] = wait_for(lambda: mail_server.taken)
    assert mail["Subject"] == "[Moca] Report failed"


def test_missed_runs_reach_a_webhook(
    scheduler: Callable,
    make_rule: MakeRule,
    make_trigger: MakeTrigger,
    webhook: Channel,
    receiver: Receiver,
) -> None:
    make_rule(Happening.MISSED, channel=webhook)
    trigger = make_trigger(schedule_config={"expression": "rate(1 hour)"})
    make_due(trigger, timedelta(hours=3))
    with scheduler():
        [body] = wait_for(lambda: receiver.taken)
    assert body["data"]["happenings"][0]["triggerId"] == trigger.pk
