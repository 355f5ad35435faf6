"""What the outbox has is delivered, once and whole, or shown as undelivered."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from alerts import channel_secrets, courier
from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Delivery, DeliveryState, Happened
from alerts.outbox import tell
from executions.failures import BUSY
from moca.authentication.models import AuditEntry
from tests.integration.alerts.conftest import Clock, Fire, MakeRule, MakeTrigger, told
from tests.integration.alerts.receivers import Chat, MailServer, Receiver

Run = Callable[[], int]
FAIL = "demo: fail"


def deliveries() -> list[Delivery]:
    return list(Delivery.objects.order_by("id"))


def flood(trigger: Any, number: int, happening: Happening = Happening.LATE) -> None:
    """Tell of many happenings at once."""
    for each in range(number):
        tell(happening, trigger=trigger, params={"minutes": 5}, key=f"{trigger.pk} {each}")


class TestEmail:
    @pytest.fixture
    def rule(self, make_rule: MakeRule) -> Any:
        return make_rule(Happening.FAILED)

    def test_failure_arrives(
        self,
        rule: Any,
        mail_server: MailServer,
        make_trigger: MakeTrigger,
        fire: Fire,
        run_courier: Run,
    ) -> None:
        fire(make_trigger(prompt=FAIL, max_retries=0))
        run_courier()
        [mail] = mail_server.taken
        assert (mail["To"], mail["Subject"]) == ("team@example.com", "[Moca] Report failed")

    def test_agents_words_stay_out(
        self,
        rule: Any,
        mail_server: MailServer,
        make_trigger: MakeTrigger,
        fire: Fire,
        run_courier: Run,
    ) -> None:
        execution = fire(make_trigger(prompt=FAIL, max_retries=0))
        run_courier()
        body = str(mail_server.taken[0].get_payload())
        assert "own words" in body, execution.error

    def test_link_leads_to_the_run(
        self,
        rule: Any,
        mail_server: MailServer,
        make_trigger: MakeTrigger,
        fire: Fire,
        run_courier: Run,
        settings: Any,
    ) -> None:
        settings.PUBLIC_URL = "https://moca.example.com/web"
        execution = fire(make_trigger(prompt=FAIL, max_retries=0))
        run_courier()
        path = f"/console/triggers/{execution.trigger_id}/runs/{execution.pk}"
        assert f"https://moca.example.com/web{path}" in str(mail_server.taken[0].get_payload())

    def test_language_is_the_channels(
        self, make_rule: MakeRule, mail_server: MailServer, make_trigger: MakeTrigger
    ) -> None:
        channel = Channel.objects.create(
            name="T", kind=ChannelKind.EMAIL, recipients="a@example.com", language="ja"
        )
        delivery = Delivery(contents={"groups": [_group(Happening.SKIPPED, BUSY())]})
        message = courier.message_of(delivery, channel)
        assert "前の実行" in message.text.body

    def test_refused_address_is_named_and_the_others_are_sent(
        self,
        make_rule: MakeRule,
        mail_server: MailServer,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        channel = Channel.objects.create(
            name="T", kind=ChannelKind.EMAIL, recipients="a@example.com b@example.com"
        )
        make_rule(Happening.LATE, channel=channel)
        mail_server.answer = lambda address: "550 No such user" if address[0] == "a" else "250 OK"
        flood(make_trigger(), 1)
        run_courier()
        [delivery] = deliveries()
        assert (delivery.state, delivery.error_params, mail_server.recipients) == (
            DeliveryState.SENT,
            {"names": "a@example.com"},
            ["b@example.com"],
        )

    def test_without_a_mail_server_the_delivery_says_what_to_set(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, run_courier: Run
    ) -> None:
        make_rule(Happening.LATE)
        flood(make_trigger(), 1)
        run_courier()
        assert "EMAIL_URL" in deliveries()[0].error

    def test_tries_have_one_message_id(
        self,
        make_rule: MakeRule,
        mail_server: MailServer,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE)
        flood(make_trigger(), 1)
        mail_server.answer = lambda _: "451 Later"
        run_courier()
        mail_server.answer = lambda _: "250 OK"
        clock.pass_by(minutes=1)
        run_courier()
        [delivery] = deliveries()
        assert mail_server.taken[0]["Message-ID"] == f"<{delivery.pk}@moca-triggers>"


def _group(happening: Happening, reason: Any) -> dict[str, Any]:
    stored = {"code": reason.code.name, "params": reason.params}
    return {
        "kind": str(happening),
        "triggerId": "x",
        "triggerName": "Report",
        "count": 1,
        "firstAt": "2027-01-04T09:00:00+00:00",
        "lastAt": "2027-01-04T09:00:00+00:00",
        "params": {"reason": stored},
    }


class TestWebhook:
    def test_happening_arrives_verified(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        trigger = make_trigger()
        flood(trigger, 1)
        run_courier()
        [body] = receiver.taken
        [happening] = body["data"]["happenings"]
        assert (happening["kind"], happening["triggerId"]) == ("late", trigger.pk)

    def test_tries_have_one_id_and_one_body(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        for status in (500, None, 301, 204):
            receiver.answer = lambda status=status: status  # type: ignore[misc]
            run_courier()
            clock.pass_by(hours=1)
        assert (len(receiver.ids), len(set(receiver.ids)), len(set(receiver.bodies))) == (4, 1, 1)

    def test_gone_switches_the_channel_off(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        receiver.answer = lambda: 410
        run_courier()
        webhook.refresh_from_db()
        [entry] = AuditEntry.objects.filter(object_id=webhook.pk)
        assert (webhook.enabled, entry.actor, deliveries()[0].state) == (
            False,
            "system: alerts",
            DeliveryState.UNDELIVERED,
        )

    def test_other_channels_hear_of_a_channel_that_is_gone(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        make_rule(Happening.CHANNEL_OFF)
        flood(make_trigger(), 1)
        receiver.answer = lambda: 410
        run_courier()
        assert told() == ["channel_off"]

    def test_what_comes_for_a_channel_that_is_off_is_undelivered(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        Channel.objects.filter(pk=webhook.pk).update(enabled=False)
        flood(make_trigger(), 1)
        run_courier()
        assert deliveries()[0].state == DeliveryState.UNDELIVERED

    def test_tries_end_after_a_day(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        receiver.answer = lambda: 503
        for _ in range(30):
            run_courier()
            clock.pass_by(hours=1)
        [delivery] = deliveries()
        assert (delivery.state, delivery.error) == (
            DeliveryState.UNDELIVERED,
            "The receiver answered 503.",
        )

    @pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0xa9fea9fe", "224.0.0.1"])
    def test_addresses_of_the_machine_are_not_called(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        make_trigger: MakeTrigger,
        run_courier: Run,
        host: str,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        Channel.objects.filter(pk=webhook.pk).update(url=f"http://{host}/x")
        flood(make_trigger(), 1)
        run_courier()
        assert deliveries()[0].error_code == "alert_address_refused"

    def test_process_that_died_in_a_try_loses_nothing(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        receiver.answer = lambda: 500
        run_courier()
        [delivery] = deliveries()
        # As a process leaves it that dies after its claim.
        Delivery.objects.filter(pk=delivery.pk).update(tries=2, next_at=clock() + courier.CLAIM)
        receiver.answer = lambda: 204
        run_courier()
        before = len(receiver.taken)
        clock.pass_by(minutes=6)
        run_courier()
        assert (before, len(receiver.taken)) == (0, 1)


class TestApprise:
    """By the plugin of Mattermost, which can be sent to this machine."""

    TOKEN = "abcdefghijklmnopqrst1234"

    def deliver(self, make_rule: MakeRule, trigger: Any, run: Run, url: str) -> Delivery:
        channel = Channel.objects.create(
            name="Chat", kind=ChannelKind.APPRISE, secrets=channel_secrets.kept(url)
        )
        make_rule(Happening.LATE, channel=channel)
        flood(trigger, 1)
        run()
        return deliveries()[0]

    def test_service_gets_the_message(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, run_courier: Run
    ) -> None:
        with Chat(200) as chat:
            url = f"mmost://127.0.0.1:{chat.port}/{self.TOKEN}"
            self.deliver(make_rule, make_trigger(), run_courier, url)
        assert "Report is late by 5 min" in chat.bodies[0]

    def test_refusal_is_noted_without_the_token(
        self, make_rule: MakeRule, make_trigger: MakeTrigger, run_courier: Run
    ) -> None:
        with Chat(403) as chat:
            url = f"mmost://127.0.0.1:{chat.port}/{self.TOKEN}"
            delivery = self.deliver(make_rule, make_trigger(), run_courier, url)
        noted = ("Mattermost" in delivery.error, self.TOKEN in delivery.error)
        assert (delivery.state, *noted) == (DeliveryState.WAITING, True, False)


class TestGathering:
    def test_flood_is_one_message_that_says_how_many(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        with transaction.atomic():
            flood(make_trigger(), 80)
        run_courier()
        run_courier()
        [body] = receiver.taken
        assert (body["data"]["number"], "80" in body["data"]["subject"]) == (80, True)

    def test_flood_of_many_triggers_is_one_message(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        for _ in range(60):
            flood(make_trigger(), 2)
        run_courier()
        run_courier()
        [body] = receiver.taken
        data = body["data"]
        assert (data["number"], len(data["happenings"]), data["more"]) == (120, 50, 20)

    def test_word_that_a_trigger_works_again_waits_for_no_pause(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        trigger = make_trigger()
        make_rule(Happening.FAILING, Happening.RECOVERED, channel=webhook, pause_minutes=60)
        tell(Happening.FAILING, trigger=trigger, params={"number": 1}, key="a", at=clock())
        run_courier()
        clock.pass_by(minutes=5)
        tell(Happening.RECOVERED, trigger=trigger, params={"number": 1}, key="b", at=clock())
        run_courier()
        assert len(deliveries()) == 2

    def test_second_word_that_no_scheduler_is_alive_waits_for_no_pause(
        self, make_rule: MakeRule, webhook: Channel, run_courier: Run, clock: Clock
    ) -> None:
        make_rule(Happening.NO_SCHEDULER, channel=webhook, pause_minutes=60)
        for key in ("a", "b"):
            tell(Happening.NO_SCHEDULER, params={"minutes": 2}, key=key, at=clock())
            run_courier()
            clock.pass_by(minutes=5)
        assert len(deliveries()) == 2

    def test_second_message_about_a_trigger_waits_for_the_pause(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook, pause_minutes=60)
        trigger = make_trigger()
        counts = []
        for each in range(3):
            for _ in range(each + 1):
                tell(Happening.LATE, trigger=trigger, params={"minutes": 5}, at=clock())
            run_courier()
            counts.append([body["data"]["number"] for body in receiver.taken])
        clock.pass_by(minutes=60)
        run_courier()
        counts.append([body["data"]["number"] for body in receiver.taken])
        assert counts == [[1], [1], [1], [1, 5]]

    def test_message_about_another_trigger_does_not_wait(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook, pause_minutes=60)
        for _ in range(2):
            tell(Happening.LATE, trigger=make_trigger(), params={"minutes": 5}, at=clock())
            run_courier()
        assert len(receiver.taken) == 2

    def test_quiet_hours_hold_messages_back(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
        clock: Clock,
    ) -> None:
        now = clock()
        make_rule(
            Happening.LATE,
            channel=webhook,
            quiet_from=(now - timedelta(hours=1)).time(),
            quiet_until=(now + timedelta(hours=1)).time(),
        )
        flood(make_trigger(), 3)
        run_courier()
        before = len(receiver.taken)
        clock.pass_by(hours=1)
        run_courier()
        assert (before, [body["data"]["number"] for body in receiver.taken]) == (0, [3])

    def test_two_rules_have_a_message_each(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        receiver: Receiver,
        make_trigger: MakeTrigger,
        run_courier: Run,
    ) -> None:
        for _ in range(2):
            make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        run_courier()
        assert len(receiver.taken) == 2

    def test_gathered_happenings_leave_the_outbox(
        self, make_rule: MakeRule, webhook: Channel, make_trigger: MakeTrigger, run_courier: Run
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 3)
        run_courier()
        assert not Happened.objects.waiting().exists()


class TestSecrets:
    def test_row_has_no_secret_in_plain_text(self, webhook: Channel) -> None:
        webhook.refresh_from_db()
        assert "whsec" not in json.dumps(webhook.secrets)

    def test_other_secret_key_is_named_as_the_reason(
        self,
        make_rule: MakeRule,
        webhook: Channel,
        make_trigger: MakeTrigger,
        run_courier: Run,
        settings: Any,
    ) -> None:
        make_rule(Happening.LATE, channel=webhook)
        flood(make_trigger(), 1)
        settings.SECRET_KEY = "another"
        run_courier()
        assert "SECRET_KEY" in deliveries()[0].error
