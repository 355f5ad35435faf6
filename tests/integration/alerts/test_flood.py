"""A flood is one message that says how many, however many processes tell and deliver it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from alerts import courier
from alerts.happenings import Happening
from alerts.models import Channel, Delivery, Happened, HappenedState
from alerts.outbox import tell
from tests.integration.alerts.conftest import Clock, MakeRule, MakeTrigger
from tests.integration.alerts.receivers import Receiver

FLOOD = 10_000


@pytest.mark.sqlite
def test_ten_thousand_failures_in_a_minute_are_one_message(
    make_rule: MakeRule,
    webhook: Channel,
    receiver: Receiver,
    make_trigger: MakeTrigger,
    clock: Clock,
) -> None:
    rule = make_rule(Happening.FAILED, channel=webhook)
    triggers = [make_trigger(name=f"T{number}") for number in range(20)]
    began = timezone.now()
    for minute in range(2):
        rows = [
            Happened(
                id=f"{minute}-{number}",
                kind=Happening.FAILED,
                trigger_id=triggers[number % 20].pk,
                trigger_name=triggers[number % 20].name,
                at=began + timedelta(seconds=minute * 30 + 30 * number / (FLOOD / 2)),
                rules=[rule.pk],
                state=HappenedState.WAITING,
                ttl=9_999_999_999,
            )
            for number in range(FLOOD // 2)
        ]
        Happened.objects.bulk_create(rows, batch_size=500)
        # A process delivers while the flood goes on.
        clock.ahead = timedelta(seconds=30 * (minute + 1))
        courier.deliver(clock=clock)
    for _ in range(10):
        clock.pass_by(seconds=5)
        courier.deliver(clock=clock)
    numbers = [body["data"]["number"] for body in receiver.taken]
    assert (numbers, "10,000" in receiver.taken[0]["data"]["subject"]) == ([FLOOD], True)


@pytest.mark.django_db(transaction=True)
def test_processes_at_once_count_each_happening_once(
    make_rule: MakeRule,
    webhook: Channel,
    receiver: Receiver,
    make_trigger: MakeTrigger,
    clock: Clock,
) -> None:
    make_rule(Happening.LATE, channel=webhook, pause_minutes=0)
    trigger = make_trigger()
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            ready.wait()
            for each in range(10):
                with transaction.atomic():
                    tell(Happening.LATE, trigger=trigger, key=f"{number} {each}")
                courier.deliver(clock=clock)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    clock.pass_by(minutes=2)
    for _ in range(3):
        courier.deliver(clock=clock)
        clock.pass_by(minutes=10)
    counted = sum(row.number for row in Delivery.objects.order_by("id"))
    assert (counted, sum(body["data"]["number"] for body in receiver.taken)) == (40, 40)


def test_happenings_that_many_rules_want_are_told_by_each(
    make_rule: MakeRule,
    webhook: Channel,
    receiver: Receiver,
    make_trigger: MakeTrigger,
    clock: Clock,
) -> None:
    trigger = make_trigger()
    rules = {make_rule(Happening.LATE, channel=webhook).pk for _ in range(120)}
    for _ in range(3):
        tell(Happening.LATE, trigger=trigger, params={"minutes": 5})
    clock.pass_by(seconds=11)
    courier.deliver(clock=clock)
    told = [(row.rule_id, row.number) for row in Delivery.objects.all()]
    assert (len(told), set(told)) == (120, {(rule, 3) for rule in rules})
