"""Hostile receivers, addresses and texts: what they cannot do to alerts."""

import io
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from alerts import channel_secrets, channels, courier
from alerts.channels import ChannelError
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Delivery, DeliveryState
from alerts.outbox import tell
from alerts.services import test as send_test
from tests.integration.admin.conftest import administrator
from tests.integration.alerts.conftest import MakeRule, MakeTrigger
from tests.integration.alerts.receivers import SECRET, Chat, Receiver, dripping

__all__ = ["administrator"]

Run = Callable[[], int]
TOKEN = "abcdefghijklmnopqrst1234"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def apprise_channel(url: str) -> Channel:
    kept = channel_secrets.kept(url)
    return Channel.objects.create(name="Chat", kind=ChannelKind.APPRISE, secrets=kept)


def webhook_to(url: str) -> Channel:
    kept = channel_secrets.kept(SECRET)
    return Channel.objects.create(name="Hook", kind=ChannelKind.WEBHOOK, url=url, secrets=kept)


@pytest.mark.parametrize("kind", [ChannelKind.WEBHOOK, ChannelKind.APPRISE])
def test_answer_that_drips_ends_at_the_limit(
    db: None, monkeypatch: pytest.MonkeyPatch, kind: ChannelKind
) -> None:
    monkeypatch.setitem(channels.SECONDS, kind, 0.5)
    with dripping() as host:
        is_hook = kind == ChannelKind.WEBHOOK
        channel = (
            webhook_to(f"http://{host}/") if is_hook else apprise_channel(f"mmost://{host}/{TOKEN}")
        )
        began = time.monotonic()
        with pytest.raises(ChannelError, match="did not answer within"):
            send_test(channel)
        assert time.monotonic() - began < 5


def test_channel_that_drips_keeps_few_threads(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(channels.SECONDS, ChannelKind.WEBHOOK, 0.1)
    before = set(threading.enumerate())
    with dripping() as host:
        channel = webhook_to(f"http://{host}/")
        for _ in range(6):
            with pytest.raises(ChannelError):
                send_test(channel)
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert names.count("alert-send") <= channels.LEFT_ALONE


def test_channel_with_many_messages_leaves_turns_to_others(
    make_rule: MakeRule, receiver: Receiver, make_trigger: MakeTrigger
) -> None:
    busy, other = webhook_to(f"{receiver.url}/busy"), webhook_to(receiver.url)
    now = timezone.now()
    for channel, number in ((busy, 250), (other, 1)):
        for _ in range(number):
            Delivery.objects.create(
                channel_id=channel.pk, rule_name=channel.pk, number=1, ttl=2**40, next_at=now
            )
            now += timezone.timedelta(microseconds=1)
    courier.deliver(clock=lambda: now)
    rules = [body["data"]["ruleName"] for body in receiver.taken]
    assert rules.index(other.pk) <= courier.MOST_OF_A_CHANNEL


class TestApprise:
    @pytest.mark.parametrize(
        "url",
        [
            f"{SLACK}?template=/etc/hostname",
            f"{SLACK}?template=http://169.254.169.254/latest/meta-data/",
            "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template=/etc/hostname",
            "tgram://123456789:abcdefg_hijklmnop/12315544/?template=/etc/hostname",
            "fcm://project/DEVICE?keyfile=/etc/hostname&mode=oauth2",
            "vapid://me@example.com/you@example.com?keyfile=/etc/hostname",
            "deltachat://u:p@127.0.0.1/you@example.com",
            "blink1://",
        ],
    )
    def test_reads_no_file_of_this_machine(self, administrator: Client, url: str) -> None:
        sent = {"name": "Chat", "kind": "apprise", "secret": url, "language": "en", "enabled": "on"}
        administrator.post("/console/alerts/channels/new", sent)
        assert not Channel.objects.exists()

    def test_template_of_a_stored_channel_is_not_sent(self, db: None, tmp_path: Path) -> None:
        secret = tmp_path / "secret.json"
        secret.write_text('{"text": "secret"}')
        channel = apprise_channel(f"{SLACK}?template={secret}")
        with pytest.raises(ChannelError, match="leave its template or key file out"):
            send_test(channel)

    @pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]"])
    def test_calls_no_address_that_gives_secrets_away(self, db: None, host: str) -> None:
        with pytest.raises(ChannelError, match="an address of the machine"):
            send_test(apprise_channel(f"ntfy://{host}/topic"))

    @pytest.mark.parametrize("asks", ["", "?redirect=yes"])
    def test_follows_no_redirect(self, db: None, receiver: Receiver, asks: str) -> None:
        with Chat(200) as inner, Chat(307, f"http://127.0.0.1:{inner.port}/") as chat:
            with pytest.raises(ChannelError):
                send_test(apprise_channel(f"mmost://127.0.0.1:{chat.port}/{TOKEN}{asks}"))
            assert inner.bodies == []

    def test_url_that_is_not_understood_is_not_logged(self, administrator: Client) -> None:
        # Apprise masks what looks like a token, and not a word. The log gets what comes to the root
        # logger; pytest's own capture takes what goes elsewhere, too.
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        logging.getLogger().addHandler(handler)
        sent = {"name": "Chat", "kind": "apprise", "secret": "msteams://hunter2/x"}
        try:
            administrator.post("/console/alerts/channels/new", {**sent, "language": "en"})
        finally:
            logging.getLogger().removeHandler(handler)
        assert "hunter2" not in log.getvalue()

    def test_refusal_is_noted_with_its_status(self, db: None) -> None:
        with Chat(403) as chat, pytest.raises(ChannelError, match="403"):
            send_test(apprise_channel(f"mmost://127.0.0.1:{chat.port}/{TOKEN}"))

    def test_texts_of_others_mention_nobody_and_hide_no_address(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, run_courier: Run
    ) -> None:
        name = "@everyone <!channel> <@U123> [Open](http://evil.example) <b>"
        with Chat(200) as chat:
            channel = apprise_channel(f"mmost://127.0.0.1:{chat.port}/{TOKEN}")
            make_rule(Happening.LATE, channel=channel)
            tell(Happening.LATE, trigger=make_trigger(name=name), params={"minutes": 5})
            run_courier()
        [body] = chat.bodies
        assert not [sign for sign in ("@everyone", "<!", "<@", "](", "<b") if sign in body]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_stops_no_other_message(
    make_rule: MakeRule,
    webhook: Channel,
    receiver: Receiver,
    make_trigger: MakeTrigger,
    run_courier: Run,
    text: str,
) -> None:
    for _ in range(2):
        make_rule(Happening.LATE, channel=webhook)
    tell(Happening.LATE, trigger=make_trigger(), params={"minutes": 5, "reason": text})
    run_courier()
    assert [row.state for row in Delivery.objects.all()] == [DeliveryState.SENT] * 2


def test_message_that_cannot_be_made_stops_no_other(
    make_rule: MakeRule,
    webhook: Channel,
    receiver: Receiver,
    make_trigger: MakeTrigger,
    run_courier: Run,
) -> None:
    rules = [make_rule(Happening.LATE, channel=webhook) for _ in range(2)]
    tell(Happening.LATE, trigger=make_trigger(), params={"minutes": 5})
    run_courier()
    receiver.taken.clear()
    # A row that another version has written.
    for row in Delivery.objects.all():
        contents = {"groups": [7]} if row.rule_id == rules[0].pk else row.contents
        values = {"state": DeliveryState.WAITING, "next_at": row.made_at, "contents": contents}
        Delivery.objects.filter(pk=row.pk).update(**values)
    run_courier()
    assert [body["data"]["ruleId"] for body in receiver.taken] == [rules[1].pk]
