"""The admin's pages of event sources and of events that came in."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.buses import BusError
from events.models import EventSource, ReceivedEvent
from moca.authentication.models import AuditEntry

SOURCES = "/admin/events/eventsource/"
RECEIVED = "/admin/events/receivedevent/"
SECRET = "a-secret-that-nobody-guesses"
ENTERED = {"id": "shop", "name": "The shop", "kind": "webhook", "secret": SECRET}
HARM = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""


@pytest.fixture
def source(db: None) -> EventSource:
    made = EventSource(id="shop", name="The shop", kind="webhook")
    made.secrets = signing_keys.seal(SECRET, timezone.now())
    made.save()
    return made


@pytest.fixture
def events(source: EventSource) -> list[str]:
    """120 events, each a second later than the one before; their ids, the latest first."""
    rows = [
        ReceivedEvent(
            # In an order that is not that of their times.
            id=f"{number * 7919 % 120:064}",
            source_id="shop",
            signature=str(number),
            state="done" if number % 2 else "failed",
            received_at=datetime(2026, 7, 1, tzinfo=UTC) + timedelta(seconds=number),
            envelope=json.dumps({"detail-type": f"order.{number}", "source": "webhook.shop"}),
            ttl=4_000_000_000,
        )
        for number in range(120)
    ]
    ReceivedEvent.objects.bulk_create(rows[:60])
    ReceivedEvent.objects.bulk_create(rows[60:])
    return [row.pk for row in rows[::-1]]


def errors_of(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


class TestSources:
    def test_list(self, viewer: Client, source: EventSource) -> None:
        page = viewer.get(SOURCES).content.decode()
        assert ("/events?source=shop" in page, "Orders" in page) == (True, False)

    def test_new(self, editor: Client) -> None:
        editor.post(f"{SOURCES}add/", ENTERED)
        made = EventSource.objects.get()
        assert (made.active_secrets(timezone.now()), AuditEntry.objects.get().action) == (
            [SECRET],
            "created",
        )

    def test_secret_is_needed(self, editor: Client) -> None:
        answer = editor.post(f"{SOURCES}add/", {**ENTERED, "secret": ""})
        assert list(errors_of(answer)) == ["secret"]

    def test_change(self, editor: Client, source: EventSource) -> None:
        entered = {"name": "Renamed", "opened_version": source.version, "secret": "x" * 20}
        editor.post(f"{SOURCES}shop/change/", entered)
        changed = EventSource.objects.get()
        assert (changed.name, changed.active_secrets(timezone.now())) == ("Renamed", [SECRET])

    @pytest.mark.parametrize(("entered", "kept"), [("0", 0), ("3600", 3600), ("", 10)])
    def test_replay_window(
        self, editor: Client, source: EventSource, entered: str, kept: int
    ) -> None:
        EventSource.objects.filter(pk="shop").update(kind="github", replay_seconds=5)
        values = {"name": "The shop", "opened_version": source.version, "replay_seconds": entered}
        editor.post(f"{SOURCES}shop/change/", values)
        assert EventSource.objects.get().replay_seconds == kept

    @pytest.mark.parametrize("page", ["", "shop/change/", "shop/history/", "shop/delete/"])
    def test_secret_is_never_shown(self, editor: Client, source: EventSource, page: str) -> None:
        shown = editor.get(f"{SOURCES}{page}")
        sealed = source.secrets[0]["sealed"]
        texts = (SECRET in shown.content.decode(), sealed in shown.content.decode())
        assert (shown.status_code, texts) == (200, (False, False))

    def test_viewers_see(self, viewer: Client, source: EventSource) -> None:
        shown = viewer.get(f"{SOURCES}shop/change/")
        posted = viewer.post(f"{SOURCES}shop/change/", {"name": "x"})
        assert ("The shop" in shown.content.decode(), posted.status_code) == (True, 403)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"id": "orders"}, "id"),
            ({"pattern": '{"detail": "x"}'}, "pattern"),
            ({"kind": "bus"}, "pattern"),
            ({"bus_name": "a bus"}, "bus_name"),
        ],
    )
    def test_same_rules_as_on_the_pages(
        self, editor: Client, wrong: dict[str, str], field: str
    ) -> None:
        assert list(errors_of(editor.post(f"{SOURCES}add/", {**ENTERED, **wrong}))) == [field]

    def test_refusal_of_the_bus_is_said(self, editor: Client) -> None:
        refusal = BusError("EventBridge has no room for more rules.")
        with patch("events.buses.local.LocalBus.keep", side_effect=refusal):
            page = editor.post(f"{SOURCES}add/", ENTERED).content.decode()
        assert (str(refusal) in page, EventSource.objects.exists()) == (True, False)

    def test_refused_deletion(self, editor: Client, source: EventSource) -> None:
        refusal = BusError("EventBridge is throttling.")
        with patch("events.buses.local.LocalBus.drop", side_effect=refusal):
            answer = editor.post(f"{SOURCES}shop/delete/", {"post": "yes"}, follow=True)
        assert (str(refusal) in answer.content.decode(), EventSource.objects.exists()) == (
            True,
            True,
        )

    def test_delete(self, editor: Client, source: EventSource) -> None:
        editor.post(f"{SOURCES}shop/delete/", {"post": "yes"})
        assert (EventSource.objects.exists(), AuditEntry.objects.get().action) == (
            False,
            "deleted",
        )


class TestReceived:
    def test_a_source_is_to_be_chosen(self, viewer: Client, events: list[str]) -> None:
        assert "Choose an event source" in viewer.get(RECEIVED).content.decode()

    def test_older_pages_show_every_event_once(self, viewer: Client, events: list[str]) -> None:
        shown = [key for page in _walk(viewer, "Older") for key in page]
        assert shown == events

    def test_newer_pages_lead_back(self, viewer: Client, events: list[str]) -> None:
        there = list(_walk(viewer, "Older"))
        second = _link(viewer, f"{RECEIVED}?source_id=shop", "Older")
        last = _link(viewer, second, "Older")
        assert list(_walk(viewer, "Newer", last))[::-1] == there

    def test_narrowed_to_a_state(self, viewer: Client, events: list[str]) -> None:
        answer = viewer.get(RECEIVED, {"source_id": "shop", "state__exact": "failed"})
        rows = answer.context["cl"].result_list
        assert {row.state for row in rows} == {"failed"}

    def test_one_event(self, viewer: Client, events: list[str]) -> None:
        page = viewer.get(f"{RECEIVED}{events[0]}/change/").content.decode()
        assert ("order.119" in page, "Save" in page) == (True, False)

    @pytest.mark.parametrize("page", ["add/", "{key}/delete/"])
    def test_nobody_changes_them(self, administrator: Client, events: list[str], page: str) -> None:
        address = f"{RECEIVED}{page.format(key=events[0])}"
        assert administrator.post(address, {"post": "yes"}).status_code == 403

    def test_no_page_lets_scripts_through(self, viewer: Client, events: list[str]) -> None:
        envelope = json.dumps(dict.fromkeys(["detail-type", "source", HARM], HARM))
        ReceivedEvent.objects.filter(pk=events[0]).update(envelope=envelope)
        pages = [f"{RECEIVED}?source_id=shop", f"{RECEIVED}{events[0]}/change/"]
        html = "".join(viewer.get(page).content.decode() for page in pages)
        assert ("<script>alert" in html, "<img src=x" in html) == (False, False)


def _walk(client: Client, words: str, address: str = "") -> Iterator[list[str]]:
    """The ids of the events on each page, following the links with these words."""
    address = address or f"{RECEIVED}?source_id=shop"
    while address:
        yield [row.pk for row in client.get(address).context["cl"].result_list]
        address = _link(client, address, words)


def _link(client: Client, address: str, words: str) -> str:
    found = re.findall(rf'<a href="([^"]*)"[^>]*>{words}</a>', client.get(address).content.decode())
    return address.partition("?")[0] + unescape(found[0]) if found else ""
