"""Channels, rules and deliveries of alerts in the admin."""

import pytest
from django.test import Client

from alerts import channel_secrets
from alerts.models import Channel, ChannelKind, Delivery, Rule
from moca.authentication.models import AuditEntry, Operator, Role
from tests.integration.alerts.receivers import SECRET

SENT = {
    "name": "Team",
    "kind": "email",
    "recipients": "a@example.com",
    "language": "en",
    "enabled": "on",
}


def signed_in(role: Role) -> Client:
    client = Client()
    client.force_login(Operator.objects.create_operator(f"o-{role}", role=role))
    return client


def test_admin_adds_a_channel_with_an_audit_entry(db: None) -> None:
    signed_in(Role.ADMIN).post("/admin/alerts/channel/add/", SENT)
    [channel] = Channel.objects.all()
    assert AuditEntry.objects.filter(object_id=channel.pk).count() == 1


@pytest.mark.parametrize("kind", ["channel", "rule"])
def test_editor_adds_nothing(db: None, kind: str) -> None:
    answer = signed_in(Role.EDITOR).post(f"/admin/alerts/{kind}/add/", SENT)
    assert answer.status_code == 403


def test_secret_is_not_shown(db: None) -> None:
    channel = Channel.objects.create(
        name="P",
        kind=ChannelKind.WEBHOOK,
        url="https://x.example/path",
        secrets=channel_secrets.kept(SECRET),
    )
    pages = [
        signed_in(role).get(f"/admin/alerts/channel/{channel.pk}/change/").content.decode()
        for role in (Role.ADMIN, Role.VIEWER)
    ]
    assert [("sealed" in page, SECRET in page) for page in pages] == [(False, False)] * 2


def test_admin_adds_and_deletes_a_rule(db: None) -> None:
    client = signed_in(Role.ADMIN)
    channel = Channel.objects.create(name="T", recipients="a@example.com")
    sent = {
        "name": "R",
        "channel_id": channel.pk,
        "enabled": "on",
        "kinds": ["failed"],
        "after_failures": 1,
        "pause_minutes": 60,
        "quiet_zone": "UTC",
    }
    client.post("/admin/alerts/rule/add/", sent)
    [rule] = Rule.objects.all()
    client.post(f"/admin/alerts/rule/{rule.pk}/delete/", {"post": "yes"})
    assert (rule.kinds, Rule.objects.count()) == (["failed"], 0)


@pytest.mark.parametrize("kind", ["channel", "rule", "delivery"])
def test_lists_are_shown(db: None, kind: str) -> None:
    Delivery.objects.create(rule_name="R", channel_name="T", ttl=9_999_999_999)
    assert signed_in(Role.VIEWER).get(f"/admin/alerts/{kind}/").status_code == 200
