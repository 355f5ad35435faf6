"""The handler delivers alerts when its schedule asks for it, each minute."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from alerts import channel_secrets
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Delivery, Rule
from alerts.outbox import tell
from executions.lambda_handler import handler
from tests.integration.alerts.receivers import SECRET, MailServer, Receiver
from tests.integration.handler.test_handler import Context
from triggers.models import Trigger

ASKED = {"source": "moca.triggers", "detail-type": "Deliver Alerts", "detail": {}}

MakeTrigger = Callable[..., Trigger]


def lateness(make_trigger: MakeTrigger, **fields: Any) -> None:
    """A rule for a new channel, and a happening of a minute ago that it wants."""
    channel = Channel.objects.create(name="Team", **fields)
    Rule.objects.create(name="Late", channel_id=channel.pk, kinds=[Happening.LATE])
    earlier = timezone.now() - timedelta(minutes=1)
    tell(Happening.LATE, trigger=make_trigger(), params={"minutes": 9}, at=earlier)


def test_webhook_is_delivered(make_trigger: MakeTrigger) -> None:
    with Receiver() as receiver:
        secrets = channel_secrets.kept(SECRET)
        lateness(make_trigger, kind=ChannelKind.WEBHOOK, url=receiver.url, secrets=secrets)
        answer = handler(ASKED, Context())
    assert (answer["alerts"], len(receiver.taken)) == (1, 1)


def test_mail_is_delivered_by_smtp(make_trigger: MakeTrigger, settings: Any) -> None:
    with MailServer() as server:
        settings.EMAIL_URL = server.url
        lateness(make_trigger, kind=ChannelKind.EMAIL, recipients="a@example.com")
        handler(ASKED, Context())
    assert server.taken[0]["Subject"] == "[Moca] Report is late by 9 min"


def test_failure_waits_for_a_later_minute(make_trigger: MakeTrigger) -> None:
    secrets = channel_secrets.kept(SECRET)
    lateness(make_trigger, kind=ChannelKind.WEBHOOK, url="http://127.0.0.1:9/x", secrets=secrets)
    handler(ASKED, Context())
    [delivery] = Delivery.objects.order_by("id")
    assert (delivery.state, delivery.tries) == ("waiting", 1)


def test_nothing_to_do(db: None) -> None:
    assert handler(ASKED, Context()) == {"status": "delivered", "alerts": 0}
