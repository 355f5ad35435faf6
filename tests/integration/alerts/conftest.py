"""Rules of alerts, and runs that end as they shall, made with the demo agent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents import AgentClient, FixedToken
from agents.demo import DemoAgent
from alerts import channel_secrets, courier
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Happened, HappenedState, Rule
from executions import runner
from executions.models import TriggerExecution
from executions.runner import Occurrence
from tests.integration.alerts.receivers import SECRET, MailServer, Receiver
from triggers.models import Trigger

NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
MakeRule = Callable[..., Rule]
Fire = Callable[..., TriggerExecution]


@pytest.fixture
def make_rule(db: None) -> MakeRule:
    """Make a rule about some happenings; its channel is of a kind that delivers by e-mail."""

    def make(*kinds: Happening, **fields: Any) -> Rule:
        channel = fields.pop("channel", None) or Channel.objects.create(
            name="Team", kind=ChannelKind.EMAIL, recipients="team@example.com"
        )
        rule = Rule(name="Team", channel_id=channel.pk, kinds=list(kinds), **fields)
        rule.full_clean(validate_unique=False)
        rule.save()
        return rule

    return make


@pytest.fixture
def fire(demo_agent: DemoAgent) -> Iterator[Fire]:
    """Run a trigger's occurrence to its end, the n-th one at the n-th day."""
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:

        def fire(trigger: Trigger, day: int = 0) -> TriggerExecution:
            due = NINE + timedelta(days=day)
            run = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
            assert run is not None
            return runner.execute(run, client)

        yield fire


def told() -> list[str]:
    """The kinds of the happenings in the outbox, in the order of their times."""
    return [str(row.kind) for row in Happened.objects.waiting()]


def handle_all() -> None:
    """Have the happenings in the outbox count as gathered."""
    for row in list(Happened.objects.waiting()):
        Happened.objects.filter(pk=row.pk).update(state=HappenedState.DONE)


class Clock:
    """A clock that tests put ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead

    def pass_by(self, **span: float) -> None:
        """Let time pass."""
        self.ahead += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run_courier(clock: Clock) -> Callable[[], int]:
    """Deliver after the time in which messages are gathered."""

    def run() -> int:
        clock.pass_by(seconds=11)
        return courier.deliver(clock=clock)

    return run


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_URL = server.url
        yield server


@pytest.fixture
def webhook(db: None, receiver: Receiver) -> Channel:
    """A channel to the receiver of webhooks."""
    return Channel.objects.create(
        name="Hook",
        kind=ChannelKind.WEBHOOK,
        url=receiver.url,
        secrets=channel_secrets.kept(SECRET),
    )
