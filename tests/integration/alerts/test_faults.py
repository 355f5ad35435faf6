"""Whatever befalls a channel or a process: each happening is delivered or shown as undelivered."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as conf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import channel_secrets, channels, courier
from alerts.channels import webhook as webhook_module
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Delivery, DeliveryState
from alerts.outbox import tell
from tests.examples import examples
from tests.integration.alerts.conftest import Clock, MakeRule, MakeTrigger
from tests.integration.alerts.receivers import SECRET, Receiver

# 25 scripts of 20 faults each; fewer on the emulator, which takes ten times as long.
SCRIPTS = 25 if conf.TEST_DATABASE == "sqlite" else 3
FAULTS_OF_A_SCRIPT = 20
CLOSED_PORT = "http://127.0.0.1:9/alerts"
FAULTS = [
    "none",
    "refused",
    "slow",
    "down",
    "closed",
    "redirect",
    "gone",
    "dies before it sends",
    "dies after it has sent",
    "dies while it gathers",
]
STATUSES: dict[str, int | None] = {"down": 503, "closed": None, "redirect": 302, "gone": 410}


class Died(BaseException):
    """The process has died."""


class World:
    """An installation with one rule, whose channel and processes meet faults."""

    def __init__(self, rule: Any, channel: Channel, trigger: Any, receiver: Receiver) -> None:
        self.rule, self.channel, self.trigger = rule, channel, trigger
        self.receiver, self.clock = receiver, Clock()
        self.told = 0

    def meet(self, fault: str, patch: pytest.MonkeyPatch) -> None:
        """Have something happen, and a process deliver while the fault is on."""
        if tell(Happening.LATE, trigger=self.trigger, params={"minutes": 5}, at=self.clock()):
            self.told += 1
        self.clock.pass_by(seconds=11)
        row = Channel.objects.filter(pk=self.channel.pk)
        row.update(enabled=True, url=CLOSED_PORT if fault == "refused" else self.receiver.url)
        self.receiver.answer = lambda: STATUSES.get(fault, 204)
        self.receiver.delay = 0.15 if fault == "slow" else 0.0
        with patch.context() as patches, suppress(Died):
            self._patch(fault, patches)
            courier.deliver(clock=self.clock)
        self.clock.pass_by(minutes=20)

    def _patch(self, fault: str, patch: pytest.MonkeyPatch) -> None:
        send = channels.send
        if fault == "dies before it sends":
            patch.setattr(channels, "send", _dies)
        elif fault == "dies after it has sent":
            patch.setattr(channels, "send", lambda *message: (send(*message), _dies()))
        elif fault == "dies while it gathers":
            patch.setattr(courier, "make_deliveries", _dies)

    def deliveries(self) -> Iterator[Delivery]:
        rows = Delivery.objects.order_by("id")
        return (row for row in list(rows) if row.rule_id == self.rule.pk)


def _dies(*_: Any) -> None:
    raise Died


@pytest.fixture
def make_world(
    make_rule: MakeRule, make_trigger: MakeTrigger, receiver: Receiver
) -> Callable[[], World]:
    def make() -> World:
        channel = Channel.objects.create(
            name="Hook",
            kind=ChannelKind.WEBHOOK,
            url=receiver.url,
            secrets=channel_secrets.kept(SECRET),
        )
        rule = make_rule(Happening.LATE, channel=channel, pause_minutes=30)
        return World(rule, channel, make_trigger(), receiver)

    return make


@given(
    faults=st.lists(
        st.sampled_from(FAULTS), min_size=FAULTS_OF_A_SCRIPT, max_size=FAULTS_OF_A_SCRIPT
    )
)
@settings(
    max_examples=examples(SCRIPTS),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_happening_is_lost(
    make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    world = make_world()
    monkeypatch.setattr(webhook_module, "SECONDS", 0.1)
    for fault in faults:
        world.meet(fault, monkeypatch)
    received = world.receiver
    received.answer, received.delay = lambda: 204, 0.0
    Channel.objects.filter(pk=world.channel.pk).update(url=received.url, enabled=True)
    for _ in range(12):
        world.clock.pass_by(hours=4)
        courier.deliver(clock=world.clock)
    rows = list(world.deliveries())
    sent = {row.pk for row in rows if row.state == DeliveryState.SENT}
    taken = {body["data"]["id"] for body in received.taken}
    counted = sum(row.number for row in rows)
    open_rows = [row.pk for row in rows if row.state == DeliveryState.WAITING]
    assert (counted, open_rows, sent - taken) == (world.told, [], set())


def test_pauses_between_tries_last_a_day(
    make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.meet("down", monkeypatch)
    first = world.clock()
    while next(world.deliveries()).state == DeliveryState.WAITING:
        world.clock.pass_by(minutes=10)
        courier.deliver(clock=world.clock)
    assert timedelta(hours=18) < world.clock() - first < timedelta(hours=25)
