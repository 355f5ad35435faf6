"""Alerts in the API: admins see and change all, other operators see rules, users nothing."""

from typing import Any

import pytest

from alerts import channel_secrets, channels
from alerts.models import Channel, ChannelKind, Rule
from moca.authentication.models import AuditEntry, Operator
from tests.integration.alerts.receivers import SECRET, Receiver
from tests.integration.api.conftest import API

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"
NEW: dict[str, Any] = {"name": "Pager", "kind": "webhook", "url": "https://pager.example.com/x"}


@pytest.fixture
def alice(db: None) -> API:
    """A user who is no operator."""
    return API("alice")


@pytest.fixture
def ann(db: None) -> API:
    """An admin."""
    return API(Operator.objects.create_operator("ann", role="admin").subject)


@pytest.fixture
def channel(db: None) -> Channel:
    return Channel.objects.create(
        name="Pager",
        kind=ChannelKind.WEBHOOK,
        url="https://pager.example.com/x",
        secrets=channel_secrets.kept(SECRET),
    )


class TestChannels:
    def test_secret_is_answered_once(self, ann: API) -> None:
        made = ann.post("/channels", NEW).json()
        [stored] = Channel.objects.all()
        again = ann.get(f"/channels/{stored.pk}").json()
        assert (made["secret"], "secret" in again["channel"]) == (
            channel_secrets.read(stored.secrets),
            False,
        )

    def test_creation_is_audited(self, ann: API) -> None:
        key = ann.post("/channels", NEW).json()["channel"]["id"]
        [entry] = AuditEntry.objects.filter(object_id=key)
        assert entry.actor == ann.user_id

    def test_change_keeps_what_is_left_out(self, ann: API, channel: Channel) -> None:
        ann.patch(f"/channels/{channel.pk}", {"name": "On call"})
        [stored] = Channel.objects.all()
        kept = channel_secrets.read(stored.secrets)
        assert (stored.name, stored.url, kept) == ("On call", channel.url, SECRET)

    def test_apprise_shows_the_service_alone(self, ann: API) -> None:
        sent = {"name": "Slack", "kind": "apprise", "secret": SLACK}
        assert ann.post("/channels", sent).json()["channel"]["url"] == "slack://…"

    def test_whole_channel_may_be_sent_back(self, ann: API) -> None:
        sent = {"name": "Slack", "kind": "apprise", "secret": SLACK}
        shown = ann.post("/channels", sent).json()["channel"]
        ann("PUT", f"/channels/{shown['id']}", {**shown, "name": "Renamed"})
        [stored] = Channel.objects.all()
        assert (stored.name, channel_secrets.read(stored.secrets)) == ("Renamed", SLACK)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({**NEW, "url": "ftp://x"}, "url"),
            ({**NEW, "kind": "email"}, "recipients"),
            ({"name": "S", "kind": "apprise"}, "secret"),
            ({"name": "S", "kind": "apprise", "secret": "bogus://x"}, "secret"),
            ({**NEW, "adress": "x"}, "adress"),
            ({**NEW, "language": "fr"}, "language"),
        ],
    )
    def test_mistakes_are_named(self, ann: API, body: Any, field: str) -> None:
        answer = ann.post("/channels", body)
        assert [one["field"] for one in answer.json()["details"]] == [field]

    def test_deleted_channel_is_gone(self, ann: API, channel: Channel) -> None:
        ann("DELETE", f"/channels/{channel.pk}")
        assert ann.get(f"/channels/{channel.pk}").status_code == 404

    def test_test_message_is_delivered(self, ann: API, channel: Channel) -> None:
        with Receiver() as receiver:
            Channel.objects.filter(pk=channel.pk).update(url=receiver.url)
            answer = ann.post(f"/channels/{channel.pk}/test")
        assert (answer.status_code, len(receiver.taken)) == (200, 1)

    def test_failed_test_says_why(self, ann: API, channel: Channel) -> None:
        Channel.objects.filter(pk=channel.pk).update(url="http://127.0.0.1:9/x")
        assert "cannot be reached" in ann.post(f"/channels/{channel.pk}/test").json()["message"]

    def test_a_third_test_message_at_a_time_is_refused(
        self, ann: API, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each would occupy a thread of the web server, until none is left for anything else."""
        answers: list[int] = []
        under_way: list[object] = []

        def send(*args: object) -> str:
            under_way.append(args)
            if len(under_way) < 4:
                answers.append(ann.post(f"/channels/{channel.pk}/test", {}).status_code)
            return ""

        monkeypatch.setattr(channels, "send", send)
        ann.post(f"/channels/{channel.pk}/test", {})
        assert answers == [502, 200]


class TestRules:
    def test_rule_is_made_with_quiet_hours(self, ann: API, channel: Channel) -> None:
        sent = {
            "name": "Nights",
            "channelId": channel.pk,
            "quietFrom": "22:00",
            "quietUntil": "07:00",
            "quietZone": "Asia/Tokyo",
        }
        made = ann.post("/alert-rules", sent).json()["rule"]
        shown = ann.get(f"/alert-rules/{made['id']}").json()["rule"]
        assert {**sent, "afterFailures": 1}.items() <= shown.items()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("channelId", "nobody"),
            ("kinds", ["exploded"]),
            ("quietFrom", "late"),
            ("quietZone", "Mars/One"),
            ("afterFailures", 0),
        ],
    )
    def test_mistakes_are_named(self, ann: API, channel: Channel, field: str, value: Any) -> None:
        sent = {"name": "R", "channelId": channel.pk, field: value}
        answer = ann.post("/alert-rules", sent)
        assert [one["field"] for one in answer.json()["details"]] == [field]

    def test_change_and_deletion(self, ann: API, channel: Channel) -> None:
        key = ann.post("/alert-rules", {"name": "R", "channelId": channel.pk}).json()["rule"]["id"]
        changed = ann.patch(f"/alert-rules/{key}", {"enabled": False}).json()["rule"]["enabled"]
        ann("DELETE", f"/alert-rules/{key}")
        assert (changed, Rule.objects.count()) == (False, 0)


ROUTES = [
    ("GET", "/channels"),
    ("POST", "/channels"),
    ("GET", "/channels/{}"),
    ("PUT", "/channels/{}"),
    ("PATCH", "/channels/{}"),
    ("DELETE", "/channels/{}"),
    ("POST", "/channels/{}/test"),
    ("GET", "/alert-rules"),
    ("POST", "/alert-rules"),
    ("GET", "/alert-rules/{}"),
    ("PUT", "/alert-rules/{}"),
    ("PATCH", "/alert-rules/{}"),
    ("DELETE", "/alert-rules/{}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_users_see_nothing(alice: API, channel: Channel, method: str, path: str) -> None:
    body = {"name": "X"} if method in ("POST", "PUT", "PATCH") else None
    assert alice(method, path.format(channel.pk), body).status_code == 403


def test_other_operators_see_rules_alone(db: None) -> None:
    eve = API(Operator.objects.create_operator("eve", role="editor").subject)
    assert [eve.get(path).status_code for path in ("/alert-rules", "/channels")] == [200, 403]


@pytest.mark.parametrize(("method", "path"), [each for each in ROUTES if each[0] != "GET"])
def test_editors_change_nothing(db: None, channel: Channel, method: str, path: str) -> None:
    eve = API(Operator.objects.create_operator("eve", role="editor").subject)
    body = {"name": "X"} if method != "DELETE" else None
    assert eve(method, path.format(channel.pk), body).status_code == 403


def test_strangers_see_nothing(db: None) -> None:
    assert API().get("/channels").status_code == 401
