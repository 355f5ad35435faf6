"""The pages of alerts: channels, rules, tests, deliveries, and the card of the dashboard."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts import channel_secrets, channels, courier
from alerts.happenings import Happening
from alerts.models import Bundle, Channel, ChannelKind, Delivery, DeliveryState, Rule
from moca.authentication.models import AuditEntry, Operator, Role
from tests.conftest import make_many
from tests.integration.alerts.receivers import SECRET, MailServer, Receiver
from triggers.models import Trigger

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"
MAIL = {"name": "Team", "kind": "email", "recipients": "a@example.com", "language": "en"}


@pytest.fixture
def sign_in(db: None) -> Callable[[Role], Client]:
    def sign_in(role: Role) -> Client:
        operator = Operator.objects.create_operator(f"o-{role}", role=role, email="o@example.com")
        client = Client()
        client.force_login(operator)
        return client

    return sign_in


@pytest.fixture
def admin(sign_in: Callable[[Role], Client]) -> Client:
    return sign_in(Role.ADMIN)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def make_channel(**fields: Any) -> Channel:
    values = {"name": "Team", "kind": ChannelKind.EMAIL, "recipients": "a@example.com"}
    return Channel.objects.create(**{**values, **fields})


def make_delivery(**fields: Any) -> Delivery:
    now = timezone.now().isoformat()
    group = {"kind": "failed", "triggerName": "Report", "triggerId": "x", "count": 3}
    group |= {"firstAt": now, "lastAt": now, "params": {}}
    values: dict[str, Any] = {
        "rule_id": "r",
        "rule_name": "Failures",
        "channel_id": "c",
        "channel_name": "Team",
        "number": 3,
        "contents": {"groups": [group]},
        "ttl": 9_999_999_999,
    }
    return Delivery.objects.create(**{**values, **fields})


class TestChannels:
    def test_admin_adds_a_channel(self, admin: Client) -> None:
        admin.post("/console/alerts/channels/new", {**MAIL, "enabled": "on"})
        [channel] = Channel.objects.all()
        assert (channel.recipients, channel.enabled) == ("a@example.com", True)

    def test_change_has_an_audit_entry(self, admin: Client) -> None:
        admin.post("/console/alerts/channels/new", {**MAIL, "enabled": "on"})
        [channel] = Channel.objects.all()
        [entry] = AuditEntry.objects.filter(object_id=channel.pk)
        assert (entry.actor, entry.action) == ("o-admin", "created")

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
    def test_others_add_none(self, sign_in: Callable[[Role], Client], role: Role) -> None:
        answer = sign_in(role).post("/console/alerts/channels/new", MAIL)
        assert (answer.status_code, Channel.objects.count()) == (403, 0)

    def test_wrong_address_is_named(self, admin: Client) -> None:
        answer = admin.post(
            "/console/alerts/channels/new", {**MAIL, "recipients": "a@example.com, nobody"}
        )
        assert "nobody is no e-mail address." in text_of(answer)

    def test_secret_of_a_webhook_is_shown_once(self, admin: Client) -> None:
        sent = {**MAIL, "kind": "webhook", "url": "https://example.com/x", "enabled": "on"}
        shown = text_of(admin.post("/console/alerts/channels/new", sent))
        [channel] = Channel.objects.all()
        secret = channel_secrets.read(channel.secrets)
        later = text_of(admin.get(f"/console/alerts/channels/{channel.pk}"))
        assert (secret in shown, secret in later) == (True, False)

    def test_apprise_url_is_never_shown(self, admin: Client) -> None:
        sent = {**MAIL, "kind": "apprise", "secret": SLACK, "enabled": "on"}
        admin.post("/console/alerts/channels/new", sent)
        [channel] = Channel.objects.all()
        pages = [
            text_of(admin.get(f"/console/alerts{path}"))
            for path in ("", f"/channels/{channel.pk}", f"/channels/{channel.pk}/edit")
        ]
        entry = AuditEntry.objects.filter(object_id=channel.pk).first()
        told = f"{pages} {entry and entry.changes} {channel.__dict__}"
        assert ("T1JJ3T3L2" in told, channel.target) == (False, "slack://…")

    def test_empty_secret_keeps_the_stored_one(self, admin: Client) -> None:
        sent = {**MAIL, "kind": "apprise", "secret": SLACK, "enabled": "on"}
        admin.post("/console/alerts/channels/new", sent)
        [channel] = Channel.objects.all()
        path = f"/console/alerts/channels/{channel.pk}/edit"
        admin.post(path, {**sent, "secret": "", "name": "Renamed", "opened_version": 1})
        [channel] = Channel.objects.all()
        assert (channel.name, channel_secrets.read(channel.secrets)) == ("Renamed", SLACK)

    @pytest.mark.parametrize("url", ["nonsense://x", "json://169.254.169.254/x", "dbus://"])
    def test_apprise_url_that_may_not_be_used_is_refused(self, admin: Client, url: str) -> None:
        sent = {**MAIL, "kind": "apprise", "secret": url}
        answer = admin.post("/console/alerts/channels/new", sent)
        assert "Apprise does not understand the URL" in text_of(answer)

    def test_secret_that_is_no_base64_is_refused(self, admin: Client) -> None:
        sent = {**MAIL, "kind": "webhook", "url": "https://example.com/x", "secret": "é"}
        assert "no base64" in text_of(admin.post("/console/alerts/channels/new", sent))

    def test_webhook_address_is_shown_without_its_path(self, admin: Client) -> None:
        make_channel(kind=ChannelKind.WEBHOOK, url="https://example.com/secret-path?token=1")
        assert "secret-path" not in text_of(admin.get("/console/alerts"))

    def test_changes_hide_the_address_of_a_webhook(self, admin: Client) -> None:
        sent = {**MAIL, "kind": "webhook", "url": "https://x.example/first", "enabled": "on"}
        admin.post("/console/alerts/channels/new", sent)
        [channel] = Channel.objects.all()
        path = f"/console/alerts/channels/{channel.pk}"
        sent = {**sent, "url": "https://x.example/second", "opened_version": 1}
        admin.post(f"{path}/edit", sent)
        page = text_of(admin.get(path))
        assert ("(hidden)" in page, "x.example/first" in page) == (True, False)

    def test_deleted_channel_is_gone(self, admin: Client) -> None:
        channel = make_channel()
        admin.post(f"/console/alerts/channels/{channel.pk}/delete")
        assert not Channel.objects.exists()

    def test_new_secret_replaces_the_old_one(self, admin: Client) -> None:
        kept = channel_secrets.kept(SECRET)
        channel = make_channel(kind=ChannelKind.WEBHOOK, url="https://x.example", secrets=kept)
        shown = text_of(admin.post(f"/console/alerts/channels/{channel.pk}/secret"))
        [channel] = Channel.objects.all()
        secret = channel_secrets.read(channel.secrets)
        assert (secret in shown, secret == SECRET) == (True, False)


class TestTestMessage:
    def test_delivery_is_shown(self, admin: Client, settings: Any) -> None:
        with MailServer() as server:
            settings.EMAIL_URL = server.url
            answer = admin.post(f"/console/alerts/channels/{make_channel().pk}/test")
        shown = "The test message was delivered." in text_of(answer)
        assert (shown, len(server.taken)) == (True, 1)

    def test_failure_is_shown_with_its_reason(self, admin: Client) -> None:
        answer = admin.post(f"/console/alerts/channels/{make_channel().pk}/test")
        assert "set EMAIL_URL" in text_of(answer)

    def test_webhook_is_tested(self, admin: Client) -> None:
        with Receiver() as receiver:
            kept = channel_secrets.kept(SECRET)
            channel = make_channel(kind=ChannelKind.WEBHOOK, url=receiver.url, secrets=kept)
            admin.post(f"/console/alerts/channels/{channel.pk}/test")
        assert receiver.taken[0]["type"] == "moca.alert.test"

    def test_it_is_among_the_deliveries(self, admin: Client, settings: Any) -> None:
        with MailServer() as server:
            settings.EMAIL_URL = server.url
            admin.post(f"/console/alerts/channels/{make_channel().pk}/test")
        page = text_of(admin.get("/console/alerts/deliveries?state=sent"))
        assert "Test message from Moca Triggers" in page

    def test_failed_one_is_among_the_deliveries(self, admin: Client) -> None:
        admin.post(f"/console/alerts/channels/{make_channel().pk}/test")
        page = text_of(admin.get("/console/alerts/deliveries?state=undelivered"))
        assert "set EMAIL_URL" in page

    def test_one_that_broke_off_says_so(
        self, admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(channels, "send", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            admin.post(f"/console/alerts/channels/{make_channel().pk}/test")
        [delivery] = Delivery.objects.all()
        assert delivery.error_code == "alert_broke_off"

    def test_it_is_sent_again_as_a_test(self, admin: Client) -> None:
        with Receiver() as receiver:
            kept = channel_secrets.kept(SECRET)
            channel = make_channel(kind=ChannelKind.WEBHOOK, url=receiver.url, secrets=kept)
            admin.post(f"/console/alerts/channels/{channel.pk}/test")
            [delivery] = Delivery.objects.all()
            admin.post(f"/console/alerts/deliveries/{delivery.pk}/again")
            courier.deliver()
        first, again = receiver.taken
        assert again == first


class TestRules:
    def sent(self, channel: Channel, **fields: Any) -> dict[str, Any]:
        return {
            "name": "All",
            "channel_id": channel.pk,
            "enabled": "on",
            "kinds": ["failed", "recovered"],
            "after_failures": 3,
            "pause_minutes": 30,
            "quiet_from": "22:00",
            "quiet_until": "07:00",
            "quiet_zone": "Asia/Tokyo",
            **fields,
        }

    def test_admin_adds_a_rule(self, admin: Client) -> None:
        admin.post("/console/alerts/rules/new", self.sent(make_channel()))
        [rule] = Rule.objects.all()
        assert (rule.kinds, rule.after_failures, rule.quiet_zone) == (
            ["failed", "recovered"],
            3,
            "Asia/Tokyo",
        )

    def test_editor_adds_none(self, sign_in: Callable[[Role], Client]) -> None:
        answer = sign_in(Role.EDITOR).post("/console/alerts/rules/new", self.sent(make_channel()))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("quiet_zone", "Mars/One", "There is no such time zone"),
            ("quiet_until", "", "Enter both times, or none."),
            ("kinds", [], "This field is required."),
            ("after_failures", 0, "greater than or equal to 1"),
        ],
    )
    def test_mistakes_are_named(self, admin: Client, field: str, value: Any, said: str) -> None:
        sent = self.sent(make_channel(), **{field: value})
        assert said in text_of(admin.post("/console/alerts/rules/new", sent))

    def test_stale_form_saves_nothing(self, admin: Client) -> None:
        channel = make_channel()
        admin.post("/console/alerts/rules/new", self.sent(channel))
        [rule] = Rule.objects.all()
        path = f"/console/alerts/rules/{rule.pk}"
        admin.post(path, self.sent(channel, name="First", opened_version=1))
        admin.post(path, self.sent(channel, name="Second", opened_version=1))
        assert Rule.objects.get(pk=rule.pk).name == "First"

    def test_triggers_are_offered_by_name(self, admin: Client, make_trigger: Any) -> None:
        trigger = make_trigger(name="Weekly report")
        offered = admin.get("/console/alerts/rules/offers").content.decode()
        assert f'<option value="{trigger.pk}">Weekly report</option>' in offered

    @pytest.mark.sqlite
    @pytest.mark.parametrize("number", [1, 1100])
    def test_one_read_offers_a_thousand(
        self, admin: Client, number: int, django_assert_num_queries: Any
    ) -> None:
        make_many(number)
        with django_assert_num_queries(2):
            offered = admin.get("/console/alerts/rules/offers").content.decode()
        assert offered.count("<option") == min(number, 1000)

    def test_name_in_place_of_the_id_is_refused(self, admin: Client, make_trigger: Any) -> None:
        make_trigger(name="Weekly report")
        sent = self.sent(make_channel(), trigger_id="Weekly report")
        page = text_of(admin.post("/console/alerts/rules/new", sent))
        assert "There is no trigger with the id Weekly report: choose one by its name." in page

    def test_rule_keeps_its_deleted_trigger(self, admin: Client) -> None:
        rule = Rule.objects.create(name="Old", channel_id=make_channel().pk, trigger_id="gone")
        sent = self.sent(
            Channel.objects.get(), name="New", trigger_id="gone", opened_version=rule.version
        )
        admin.post(f"/console/alerts/rules/{rule.pk}", sent)
        assert Rule.objects.get().name == "New"

    def test_chosen_trigger_is_named(self, admin: Client, make_trigger: Any) -> None:
        trigger = make_trigger(name="Weekly report")
        page = admin.get(f"/console/alerts/rules/new?trigger={trigger.pk}").content.decode()
        assert ">Weekly report</output>" in page

    def test_deleted_rule_is_gone(self, admin: Client) -> None:
        admin.post("/console/alerts/rules/new", self.sent(make_channel()))
        [rule] = Rule.objects.all()
        Bundle.objects.create(rule_id=rule.pk, held={"groups": {}})
        admin.post(f"/console/alerts/rules/{rule.pk}/delete")
        bundle = Bundle.objects.filter(pk=rule.pk).first()
        assert (Rule.objects.count(), bundle) == (0, None)

    def test_list_names_the_trigger(
        self, admin: Client, make_trigger: Callable[..., Trigger]
    ) -> None:
        trigger = make_trigger(name="Sheep")
        Rule.objects.create(
            name="One",
            channel_id=make_channel().pk,
            trigger_id=trigger.pk,
            kinds=[Happening.FAILED],
        )
        assert "Sheep" in text_of(admin.get("/console/alerts"))


class TestCard:
    CARD = "Nobody is told when a trigger fails"

    def test_dashboard_offers_alerts(self, admin: Client) -> None:
        page = text_of(admin.get("/console/"))
        assert (self.CARD in page, "o@example.com" in page) == (True, True)

    def test_one_click_makes_channel_and_rule(self, admin: Client) -> None:
        admin.post("/console/alerts/set-up", {"recipients": "a@example.com"})
        [rule] = Rule.objects.all()
        [channel] = Channel.objects.all()
        assert (rule.channel_id, channel.recipients, "failing" in rule.kinds) == (
            channel.pk,
            "a@example.com",
            True,
        )

    def test_dashboard_offers_nothing_once_there_is_a_rule(self, admin: Client) -> None:
        admin.post("/console/alerts/set-up", {"recipients": "a@example.com"})
        assert self.CARD not in text_of(admin.get("/console/"))

    def test_wrong_address_makes_nothing(self, admin: Client) -> None:
        admin.post("/console/alerts/set-up", {"recipients": "nobody"})
        assert (Channel.objects.count(), Rule.objects.count()) == (0, 0)

    def test_viewer_is_sent_to_an_admin(self, sign_in: Callable[[Role], Client]) -> None:
        page = text_of(sign_in(Role.VIEWER).get("/console/"))
        assert "Ask an admin to set up alerts." in page


class TestDeliveries:
    def test_list_says_what_happened(self, admin: Client) -> None:
        make_delivery()
        assert "Report failed (3 times)" in text_of(admin.get("/console/alerts/deliveries"))

    def test_list_is_narrowed_by_state(self, admin: Client) -> None:
        make_delivery()
        page = text_of(admin.get("/console/alerts/deliveries?state=undelivered"))
        assert "No message matches." in page

    def test_pages_of_many(self, admin: Client) -> None:
        for _ in range(30):
            make_delivery()
        page = text_of(admin.get("/console/alerts/deliveries"))
        assert (page.count("Report failed"), "?p=older." in page) == (25, True)

    def test_undelivered_message_is_sent_again_with_its_id(self, admin: Client) -> None:
        delivery = make_delivery(state=DeliveryState.UNDELIVERED, tries=9)
        admin.post(f"/console/alerts/deliveries/{delivery.pk}/again")
        [again] = Delivery.objects.due(timezone.now())
        assert (again.pk, again.tries) == (delivery.pk, 0)

    def test_viewer_sends_nothing_again(self, sign_in: Callable[[Role], Client]) -> None:
        path = f"/console/alerts/deliveries/{make_delivery().pk}/again"
        assert sign_in(Role.VIEWER).post(path).status_code == 403

    def test_viewer_sees_a_message(self, sign_in: Callable[[Role], Client]) -> None:
        page = sign_in(Role.VIEWER).get(f"/console/alerts/deliveries/{make_delivery().pk}")
        assert "Report failed" in text_of(page)

    @pytest.mark.parametrize("path", ["channels/x", "rules/x", "deliveries/x"])
    def test_what_is_not_there_is_not_found(self, admin: Client, path: str) -> None:
        assert admin.get(f"/console/alerts/{path}").status_code == 404
