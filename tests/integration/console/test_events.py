"""The pages of event sources: access, forms, secrets, test events, and received events."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.event_list import LOOKED_AT
from events import signing_keys
from events.buses import BusError
from events.models import EventSource, ReceivedEvent
from executions.fan_out import distribute
from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry
from tests.integration.console.conftest import MakeTrigger
from triggers.models import Trigger
from triggers.pauses import installation_pause

EVENTS = "/console/events"
NEW = f"{EVENTS}/new"
ENTERED = {"id": "shop", "name": "The shop", "kind": "webhook"}
HARM = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""
OWN_SECRET = "a-secret-that-nobody-guesses"
# Pages that do something for real.
REAL = ["/shop/secret", "/shop/test"]

MakeSource = Callable[..., EventSource]
MakeEvent = Callable[..., ReceivedEvent]


@pytest.fixture
def make_source(db: None) -> MakeSource:
    """Make an event source that takes webhooks; keyword arguments are its fields."""

    def make(**fields: Any) -> EventSource:
        values = {"id": "shop", "name": "The shop", "kind": "webhook"}
        source = EventSource(**{**values, **fields})
        if source.has_address and not source.secrets:
            source.secrets = signing_keys.seal(OWN_SECRET, timezone.now())
        source.save()
        return source

    return make


@pytest.fixture
def make_event(db: None) -> MakeEvent:
    """Put an event on record; each is a second later than the one before."""
    moments = iter(range(100_000))

    def make(source_id: str = "shop", **fields: Any) -> ReceivedEvent:
        number = next(moments)
        envelope = {
            "version": "0",
            "id": f"event {number}",
            "detail-type": "order.paid",
            "source": "webhook.shop",
            "account": "",
            "time": "2026-07-01T09:00:00Z",
            "region": "",
            "resources": [f"moca-event-source/{source_id}"],
            "detail": {"order": {"id": number}},
        } | fields.pop("envelope", {})
        at = datetime(2026, 7, 1, 9, tzinfo=UTC) + timedelta(seconds=number)
        values = {
            "id": f"{number:064}",
            "source_id": source_id,
            "signature": f"{number}",
            "received_at": at,
            "state": "done",
            "ttl": 4_000_000_000,
            "envelope": json.dumps(envelope),
        }
        return ReceivedEvent.objects.create(**{**values, **fields})

    return make


@pytest.fixture
def make_listener(make_trigger: MakeTrigger) -> Callable[..., Trigger]:
    """Make a trigger that listens to the shop."""

    def make(source: str = "shop", **fields: Any) -> Trigger:
        config = {"eventSourceId": source, **fields.pop("event_config", {})}
        values = {"type": "event", "schedule_config": None, "event_config": config}
        return make_trigger(**{**values, **fields})

    return make


def came_in() -> Any:
    """The events of the shop, which no index lists with those of others."""
    return ReceivedEvent.objects.filter(source_id="shop")


def shown(client: Client, address: str, **query: str) -> str:
    return client.get(address, query).content.decode()


def test_page_says_why_messages_were_refused(
    viewer: Client, client: Client, make_source: MakeSource
) -> None:
    make_source()
    client.post("/events?source=shop", {}, content_type="application/json")
    page = shown(viewer, f"{EVENTS}/shop")
    assert (
        "the source has the right kind. <code>header</code>" in page,
        "The header webhook-id is missing: sign the message." in page,
    ) == (True, True)


class TestAccess:
    @pytest.mark.parametrize("page", ["", "/shop", "/shop/received/" + "0" * 64])
    def test_viewers_see(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent, page: str
    ) -> None:
        make_source()
        make_event()
        assert viewer.get(f"{EVENTS}{page}").status_code == 200

    @pytest.mark.parametrize("page", ["/new", "/shop/edit", "/shop/delete", *REAL])
    def test_viewers_change_nothing(
        self, viewer: Client, make_source: MakeSource, page: str
    ) -> None:
        make_source()
        answers = [viewer.get(f"{EVENTS}{page}"), viewer.post(f"{EVENTS}{page}", ENTERED)]
        assert [answer.status_code for answer in answers] == [403, 403]

    def test_viewers_are_offered_no_change(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        pages = shown(viewer, EVENTS) + shown(viewer, f"{EVENTS}/shop")
        assert not re.search(r"/(new|edit|delete|secret|test)[\"?]", pages)

    @pytest.mark.parametrize("page", ["", "/new", "/shop", "/shop/edit", *REAL])
    def test_strangers_are_asked_to_sign_in(self, client: Client, db: None, page: str) -> None:
        assert client.get(f"{EVENTS}{page}")["Location"] == f"/admin/login/?next={EVENTS}{page}"

    @pytest.mark.parametrize("page", ["/new", "/shop/edit", "/shop/delete", *REAL])
    def test_forms_of_other_sites_do_nothing(
        self, editor: Client, make_source: MakeSource, page: str
    ) -> None:
        make_source()
        editor.handler.enforce_csrf_checks = True
        assert editor.post(f"{EVENTS}{page}", ENTERED).status_code == 403

    @pytest.mark.parametrize("page", ["/orders/edit", "/orders/delete", "/orders/secret"])
    def test_sources_of_the_settings_are_changed_there(self, editor: Client, page: str) -> None:
        assert editor.post(f"{EVENTS}{page}", ENTERED).status_code == 403

    @pytest.mark.parametrize("page", ["", "/edit", "/delete", *(r[5:] for r in REAL)])
    def test_a_source_that_is_gone(self, editor: Client, page: str) -> None:
        assert editor.get(f"{EVENTS}/gone{page}").status_code == 404


class TestList:
    def test_sources_of_the_settings_and_of_here(
        self, viewer: Client, make_source: MakeSource
    ) -> None:
        make_source()
        rows = viewer.get(EVENTS).context["rows"]
        where = {row.source.pk: row.source.is_configured for row in rows}
        assert (where["orders"], where["shop"]) == (True, False)

    def test_triggers_that_listen(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        for enabled in (True, True, False):
            make_listener(enabled=enabled)
        row = next(row for row in viewer.get(EVENTS).context["rows"] if row.source.pk == "shop")
        assert (row.triggers, row.others) == (2, 1)

    def test_last_event(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event()
        make_event()
        assert "Wed 2026-07-01 09:00:01 UTC" in shown(viewer, EVENTS)

    def test_last_event_of_one_that_others_drown_out(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source(id="quiet")
        make_source(id="loud")
        make_event("quiet")
        for _ in range(LOOKED_AT + 1):
            make_event("loud")
        rows = {row.source.pk: row.last for row in viewer.get(EVENTS).context["rows"]}
        assert rows["quiet"] == datetime(2026, 7, 1, 9, tzinfo=UTC)

    @pytest.mark.sqlite
    def test_many_cost_no_more_reads_than_one(
        self,
        viewer: Client,
        make_source: MakeSource,
        make_event: MakeEvent,
        make_listener: MakeTrigger,
    ) -> None:
        # As if this process knew, as it does for seconds, that nothing is paused.
        installation_pause(timezone.now())
        counts = []
        for number in range(30):
            source = make_source(id=f"s-{number}")
            make_listener(source.pk)
            make_event(source.pk)
            if number in (0, 29):
                with CaptureQueriesContext(connection) as captured:
                    viewer.get(EVENTS)
                counts.append(len(captured))
        # The operator, the sources, the triggers, their last events, and whether events wait; for
        # the page's version the sources, changes, whether events wait, and the newest events.
        assert counts == [9, 9]

    def test_source_without_a_secret(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        make_source(id="bare", secrets=[{"sealed": "by another key", "until": None}])
        make_source(id="uploads", kind="bus", pattern={"source": ["aws.s3"]})
        lacking = [r.source.pk for r in viewer.get(EVENTS).context["rows"] if r.lacks_secret]
        assert lacking == ["bare"]

    def test_search(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        rows = viewer.get(EVENTS, {"q": "THE shop"}).context["rows"]
        assert [row.source.pk for row in rows] == ["shop"]

    def test_nothing_matches(self, viewer: Client) -> None:
        assert "No event source matches." in shown(viewer, EVENTS, q="nothing")

    def test_none_yet(self, editor: Client, settings: Any) -> None:
        settings.EVENT_SOURCES_CONFIG = ""
        page = shown(editor, EVENTS)
        assert ("Create the first event source" in page, "kind: github" in page) == (True, True)

    def test_events_that_wait_are_told(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event(state="queued")
        pages = [shown(viewer, page) for page in (EVENTS, "/console/")]
        assert ["Events are waiting." in page for page in pages] == [True, True]

    def test_events_that_an_event_bus_refused_are_not(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent, settings: Any
    ) -> None:
        make_source()
        make_event(state="queued")
        settings.EVENT_BUS = "events.buses.eventbridge.EventBridgeBus"
        pages = [shown(viewer, page) for page in (EVENTS, f"{EVENTS}/shop")]
        told = ["Events are waiting." in pages[0], "bus delivers it to triggers" in pages[1]]
        assert told == [False, True]

    def test_events_of_a_moment_ago_are_not(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event(state="queued", received_at=timezone.now())
        assert "Events are waiting." not in shown(viewer, EVENTS)


class TestNew:
    def test_secret_is_in_the_answer(self, editor: Client) -> None:
        page = editor.post(NEW, ENTERED).content.decode()
        (secret,) = EventSource.objects.get().active_secrets(timezone.now())
        assert (secret.startswith("whsec_"), page.count(f">{secret}<")) == (True, 1)

    def test_secret_is_in_no_other_page_cookie_or_record(self, editor: Client) -> None:
        answer = editor.post(NEW, ENTERED)
        (secret,) = EventSource.objects.get().active_secrets(timezone.now())
        places = [shown(editor, f"{EVENTS}/shop{page}") for page in ("", "/edit", "/secret")]
        places += [str(answer.headers), str(answer.cookies), str(editor.cookies)]
        places += [str(EventSource.objects.values()), str(AuditEntry.objects.values())]
        assert not any(secret in place for place in places)

    def test_answer_is_not_to_be_stored(self, editor: Client) -> None:
        assert "no-store" in editor.post(NEW, ENTERED)["Cache-Control"]

    @pytest.mark.parametrize(
        ("kind", "secret", "message"),
        [
            ("webhook", "v1,whsec_AAAA-not-base64", "After whsec_"),
            ("stripe", "sk_live_0123456789abcdef", "API key of Stripe"),
            ("slack", "xoxb-0123456789abcdef", "token of Slack"),
        ],
    )
    def test_secret_that_signs_nothing_is_refused(
        self, editor: Client, kind: str, secret: str, message: str
    ) -> None:
        form = editor.post(NEW, {**ENTERED, "kind": kind, "secret": secret}).context["form"]
        assert message in form.errors["secret"][0]

    @pytest.mark.parametrize(("entered", "kept"), [("0", 0), ("3600", 3600), ("", 10)])
    def test_replay_window_of_github(self, editor: Client, entered: str, kept: int) -> None:
        editor.post(NEW, {**ENTERED, "kind": "github", "replay_seconds": entered})
        assert EventSource.objects.get().replay_seconds == kept

    def test_replay_window_is_offered_where_it_matters(
        self, editor: Client, make_source: MakeSource
    ) -> None:
        make_source()
        make_source(id="hub", kind="github")
        offered = [
            "Replay window" in shown(editor, f"{EVENTS}/{source}/edit")
            for source in ("shop", "hub")
        ]
        assert offered == [False, True]

    def test_own_secret_is_not_shown(self, editor: Client) -> None:
        answer = editor.post(NEW, {**ENTERED, "secret": OWN_SECRET}, follow=True)
        held = EventSource.objects.get().active_secrets(timezone.now())
        assert (held, OWN_SECRET in answer.content.decode()) == ([OWN_SECRET], False)

    @pytest.mark.parametrize("kind", ["slack", "stripe"])
    def test_secret_that_the_sender_makes_is_needed(self, editor: Client, kind: str) -> None:
        form = editor.post(NEW, {**ENTERED, "kind": kind}).context["form"]
        assert (list(form.errors), EventSource.objects.exists()) == (["secret"], False)

    def test_events_of_a_bus(self, editor: Client, settings: Any) -> None:
        settings.EVENT_BUSES = ["main"]
        entered = {"kind": "bus", "pattern": '{"source": ["my.app"]}', "bus_name": "main"}
        editor.post(NEW, {**ENTERED, **entered})
        made = EventSource.objects.get()
        assert (made.pattern, made.bus_name, made.secrets) == ({"source": ["my.app"]}, "main", [])

    def test_is_on_record(self, editor: Client) -> None:
        editor.post(NEW, ENTERED)
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action, entry.object_id) == (
            "editor-operator",
            "created",
            "shop",
        )

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"id": "The Shop"}, "id", "lower-case letters"),
            ({"id": "orders"}, "id", "The settings have a source of this id."),
            ({"id": "new"}, "id", "use another"),
            ({"name": ""}, "name", "required"),
            ({"secret": "short"}, "secret", "16 to 256"),
            ({"secret": "whsec_c2hvcnQgc2VjcmV0"}, "secret", "24 to 64 bytes"),
            ({"secret": "whsec_not*base64*at*all"}, "secret", "24 to 64 bytes"),
            ({"pattern": "{"}, "pattern", "valid JSON"),
            ({"pattern": '{"detail": {"a": "x"}}'}, "pattern", "detail.a"),
            ({"pattern": '{"resources": ["x"]}'}, "pattern", "Leave out resources"),
            ({"kind": "bus"}, "pattern", "Give the pattern of its events"),
            ({"kind": "bus", "pattern": "{"}, "pattern", "valid JSON"),
            ({"bus_name": "a bus"}, "bus_name", "such as default"),
            ({"kind": "pigeon"}, "kind", "not one of the available choices"),
        ],
    )
    def test_error_stands_at_its_field(
        self, editor: Client, wrong: dict[str, str], field: str, message: str
    ) -> None:
        errors = editor.post(NEW, {**ENTERED, **wrong}).context["form"].errors
        assert (list(errors), len(errors[field]), message in errors[field][0]) == ([field], 1, True)

    def test_id_is_taken(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        form = editor.post(NEW, {**ENTERED, "name": "Another"}).context["form"]
        assert ("id" in form.errors, EventSource.objects.get().name) == (True, "The shop")

    def test_refusal_of_the_bus_is_said(self, editor: Client) -> None:
        refusal = BusError("EventBridge has no room for more rules.")
        with patch("events.buses.local.LocalBus.keep", side_effect=refusal):
            page = editor.post(NEW, ENTERED).content.decode()
        assert (str(refusal) in page, EventSource.objects.exists()) == (True, False)


class TestEdit:
    def test_change(self, editor: Client, make_source: MakeSource) -> None:
        source = make_source()
        entered = {"name": "Renamed", "opened_version": source.version, "kind": "bus", "id": "x"}
        editor.post(f"{EVENTS}/shop/edit", entered)
        changed = EventSource.objects.get()
        assert (changed.pk, changed.name, changed.kind) == ("shop", "Renamed", "webhook")

    def test_secrets_stay(self, editor: Client, make_source: MakeSource) -> None:
        source = make_source()
        entered = {"name": "Renamed", "opened_version": source.version, "secret": "x" * 20}
        editor.post(f"{EVENTS}/shop/edit", entered)
        assert EventSource.objects.get().active_secrets(timezone.now()) == [OWN_SECRET]

    def test_change_is_on_the_page(self, editor: Client, make_source: MakeSource) -> None:
        source = make_source()
        entered = {"name": "Renamed", "opened_version": source.version}
        editor.post(f"{EVENTS}/shop/edit", entered)
        assert "<del>The shop</del><ins>Renamed</ins>" in shown(editor, f"{EVENTS}/shop")

    def test_change_of_another_meanwhile(self, editor: Client, make_source: MakeSource) -> None:
        source = make_source()
        stale = {"name": "Mine", "opened_version": source.version}
        source.name = "Theirs"
        source.save()
        page = editor.post(f"{EVENTS}/shop/edit", stale).content.decode()
        assert "Somebody else changed this event source" in page

    def test_refusal_of_the_bus_is_said(self, editor: Client, make_source: MakeSource) -> None:
        source = make_source()
        entered = {"name": "Renamed", "opened_version": source.version}
        refusal = BusError("EventBridge is throttling.")
        with patch("events.buses.local.LocalBus.keep", side_effect=refusal):
            page = editor.post(f"{EVENTS}/shop/edit", entered).content.decode()
        name = EventSource.objects.get().name
        assert (str(refusal) in page, 'value="Renamed"' in page, name) == (True, True, "The shop")


class TestDelete:
    def test_asks_first_and_names_who_listens(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        make_listener(name="Thank them")
        page = shown(editor, f"{EVENTS}/shop/delete")
        assert ("1 trigger listens to it." in page, "Thank them" in page) == (True, True)

    def test_delete(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        make_listener()
        editor.post(f"{EVENTS}/shop/delete")
        left = (EventSource.objects.exists(), Trigger.objects.exists())
        assert (left, AuditEntry.objects.get().action) == ((False, True), "deleted")

    def test_refusal_of_the_bus_is_said(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        refusal = BusError("EventBridge is throttling.")
        with patch("events.buses.local.LocalBus.drop", side_effect=refusal):
            page = editor.post(f"{EVENTS}/shop/delete").content.decode()
        assert (str(refusal) in page, EventSource.objects.exists()) == (True, True)


class TestNewSecret:
    def test_both_hold_for_a_day(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        page = editor.post(f"{EVENTS}/shop/secret").content.decode()
        new, old = EventSource.objects.get().active_secrets(timezone.now())
        later = EventSource.objects.get().active_secrets(timezone.now() + timedelta(hours=25))
        assert (old, later, new in page) == (OWN_SECRET, [new], True)

    def test_until_when_is_said(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        answer = editor.post(f"{EVENTS}/shop/secret").content.decode()
        page = shown(editor, f"{EVENTS}/shop")
        assert ("The previous secret is valid until" in answer, "Previous secret" in page) == (
            True,
            True,
        )

    def test_one_that_leaked_ends_at_once(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        editor.post(f"{EVENTS}/shop/secret", {"at_once": "on"})
        assert OWN_SECRET not in EventSource.objects.get().active_secrets(timezone.now())

    def test_entered_one_is_not_shown(self, editor: Client, make_source: MakeSource) -> None:
        make_source(kind="slack")
        entered = {"secret": "another-" + OWN_SECRET}
        page = editor.post(f"{EVENTS}/shop/secret", entered).content.decode()
        newest = EventSource.objects.get().active_secrets(timezone.now())[0]
        assert (newest, newest in page) == (entered["secret"], False)

    @pytest.mark.parametrize("secret", ["", "short"])
    def test_wrong_one(self, editor: Client, make_source: MakeSource, secret: str) -> None:
        make_source(kind="stripe")
        editor.post(f"{EVENTS}/shop/secret", {"secret": secret})
        assert EventSource.objects.get().active_secrets(timezone.now()) == [OWN_SECRET]

    def test_is_on_record_without_it(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        editor.post(f"{EVENTS}/shop/secret")
        assert AuditEntry.objects.get().changes == {"secrets": ["(hidden)", "(hidden)"]}

    def test_refusal_of_the_bus_is_said(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        refusal = BusError("EventBridge is throttling.")
        with patch("events.buses.local.LocalBus.keep", side_effect=refusal):
            page = editor.post(f"{EVENTS}/shop/secret").content.decode()
        held = EventSource.objects.get().active_secrets(timezone.now())
        assert (str(refusal) in page, held) == (True, [OWN_SECRET])

    def test_sources_of_a_bus_have_none(self, editor: Client, make_source: MakeSource) -> None:
        make_source(kind="bus", pattern={"source": ["x"]})
        assert editor.post(f"{EVENTS}/shop/secret").status_code == 404


class TestTestEvent:
    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_example_of_the_form_can_be_sent(
        self, editor: Client, make_source: MakeSource, kind: str
    ) -> None:
        make_source(kind=kind)
        form = editor.get(f"{EVENTS}/shop/test").context["form"]
        answer = editor.post(f"{EVENTS}/shop/test", form.initial)
        row = came_in().get()
        assert (answer["Location"], row.state) == (f"{EVENTS}/shop/received/{row.pk}", "queued")

    def test_runs_triggers_for_real(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        make_listener()
        editor.post(f"{EVENTS}/shop/test", {"body": '{"type": "order.paid"}'})
        distribute(list(ReceivedEvent.objects.queued()))
        assert TriggerExecution.objects.get().source == "event"

    def test_its_page_leads_to_the_runs(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        make_listener(name="Thank them")
        answer = editor.post(f"{EVENTS}/shop/test", {"body": '{"type": "order.paid"}'})
        distribute(list(ReceivedEvent.objects.queued()))
        (row,) = editor.get(answer["Location"]).context["rows"]
        assert (row.trigger_name, row.execution.pk) == (
            "Thank them",
            TriggerExecution.objects.get().pk,
        )

    def test_its_page_says_where_a_run_is_missing(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        make_listener()
        make_listener(event_config={"eventSourceId": "shop", "debounceSeconds": 60})
        answer = editor.post(f"{EVENTS}/shop/test", {"body": '{"type": "order.paid"}'})
        distribute(list(ReceivedEvent.objects.queued()))
        assert "A trigger without a run here" in editor.get(answer["Location"]).content.decode()

    def test_is_marked(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        editor.post(f"{EVENTS}/shop/test", {"body": "{}"})
        page = shown(editor, f"{EVENTS}/shop")
        assert 'title="Sent by editor-operator">Test</span>' in page

    def test_same_again_is_another(self, editor: Client, make_source: MakeSource) -> None:
        make_source(kind="stripe")
        body = {"body": '{"id": "evt_1", "type": "invoice.paid"}'}
        editor.post(f"{EVENTS}/shop/test", body)
        editor.post(f"{EVENTS}/shop/test", body)
        assert came_in().count() == 2

    def test_is_on_record(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        editor.post(f"{EVENTS}/shop/test", {"body": "{}"})
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.changes) == (
            "run",
            {"test event": ["", came_in().get().pk]},
        )

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("", "required"),
            ("{", "not valid JSON"),
            ('{"source": "aws.s3", "detail-type": "x", "detail": {}}', "of AWS"),
            ('{"source": "x", "detail-type": "x", "detail": 1}', "detail: Give an object."),
            ("[" * 100_000, "nested deeper"),
            ('{"a": "\\ud800"}', "half of a character"),
        ],
    )
    def test_what_is_no_event(
        self, editor: Client, make_source: MakeSource, body: str, message: str
    ) -> None:
        make_source()
        form = editor.post(f"{EVENTS}/shop/test", {"body": body}).context["form"]
        assert (message in str(form.errors["body"]), came_in().exists()) == (
            True,
            False,
        )

    def test_refusal_of_the_bus_is_said(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        refusal = BusError("The event bus cannot be reached.")
        with patch("events.buses.local.LocalBus.publish", side_effect=refusal):
            page = editor.post(f"{EVENTS}/shop/test", {"body": "{}"}).content.decode()
        assert str(refusal) in page

    def test_sources_of_the_settings_can_be_tried(self, editor: Client, settings: Any) -> None:
        settings.EVENT_SOURCES_CONFIG = f"- {{id: shop, name: The shop, secrets: [{OWN_SECRET}]}}"
        editor.post(f"{EVENTS}/shop/test", {"body": "{}"})
        assert f"<ins>{came_in().get().pk}</ins>" in shown(editor, f"{EVENTS}/shop")

    def test_sources_of_a_bus_take_none(self, editor: Client) -> None:
        assert editor.get(f"{EVENTS}/orders/test").status_code == 404


class TestSource:
    def test_without_a_secret(self, editor: Client, make_source: MakeSource) -> None:
        EventSource.objects.filter(pk=make_source().pk).update(secrets=[])
        page = editor.get(f"{EVENTS}/shop").content.decode()
        assert ("It accepts no events." in page, page.count("/shop/secret")) == (True, 2)

    def test_address_is_whole(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        assert ">http://localhost/events?source=shop</code>" in shown(viewer, f"{EVENTS}/shop")

    def test_example_of_a_shell_holds_no_secret(
        self, viewer: Client, make_source: MakeSource
    ) -> None:
        make_source()
        assert OWN_SECRET not in shown(viewer, f"{EVENTS}/shop")

    def test_triggers_that_listen(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        trigger = make_listener(name="Thank them", enabled=False)
        make_listener("orders", name="Somebody else")
        page = shown(viewer, f"{EVENTS}/shop")
        assert (f'href="/console/triggers/{trigger.pk}"' in page, "Somebody else" in page) == (
            True,
            False,
        )

    def test_events_newest_first(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        made = [make_event() for _ in range(3)]
        make_event("orders")
        events = viewer.get(f"{EVENTS}/shop").context["events"]
        assert [event.row.pk for event in events] == [row.pk for row in made[::-1]]

    def test_pages_show_each_event_once(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        made = [make_event().pk for _ in range(45)]
        # Some at the very same moment, where one page ends and the next begins.
        same = datetime(2026, 7, 1, 9, tzinfo=UTC)
        ReceivedEvent.objects.filter(pk__in=made[23:27]).update(
            received_at=same + timedelta(seconds=25)
        )
        there = list(_walk(viewer, "older"))
        assert sorted(key for page in there for key in page) == made

    def test_pages_lead_back_by_the_same_rows(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        for _ in range(45):
            make_event()
        there = list(_walk(viewer, "older"))
        first = viewer.get(f"{EVENTS}/shop").context["page"].older
        last = viewer.get(f"{EVENTS}/shop", {"p": first}).context["page"].older
        back = list(_walk(viewer, "newer", last))
        assert back[::-1] == there

    @pytest.mark.parametrize("place", ["older", "older.x", "older.1-", "newer.-1-x", "older.9-é"])
    def test_senseless_place(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent, place: str
    ) -> None:
        make_source()
        make_event()
        assert viewer.get(f"{EVENTS}/shop", {"p": place}).status_code == 200

    def test_narrowed_to_a_state(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event()
        failed = make_event(state="failed")
        events = viewer.get(f"{EVENTS}/shop", {"state": "failed"}).context["events"]
        assert [event.row.pk for event in events] == [failed.pk]

    def test_envelope_is_laid_out(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event()
        assert "&quot;detail-type&quot;: &quot;order.paid&quot;,\n" in shown(
            viewer, f"{EVENTS}/shop"
        )

    def test_long_events_are_cut_and_whole_on_their_own_page(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        row = make_event(envelope={"detail": {"text": "x" * 9000 + "end"}})
        pages = [shown(viewer, f"{EVENTS}/shop"), shown(viewer, f"{EVENTS}/shop/received/{row.pk}")]
        assert ["xend" in page for page in pages] == [False, True]

    def test_event_that_is_not_kept_any_more(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        answer = viewer.get(f"{EVENTS}/shop/received/gone")
        assert (answer.status_code, "kept for 7 days" in answer.content.decode()) == (404, True)

    def test_event_of_another_source(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        row = make_event("orders")
        assert viewer.get(f"{EVENTS}/shop/received/{row.pk}").status_code == 404

    @pytest.mark.parametrize("envelope", ["", "{", "[]"])
    def test_event_that_cannot_be_read(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent, envelope: str
    ) -> None:
        make_source()
        row = make_event()
        ReceivedEvent.objects.filter(pk=row.pk).update(envelope=envelope)
        pages = [f"{EVENTS}/shop", f"{EVENTS}/shop/received/{row.pk}"]
        assert [viewer.get(page).status_code for page in pages] == [200, 200]

    @pytest.mark.sqlite
    def test_many_cost_no_more_reads_than_one(
        self,
        viewer: Client,
        make_source: MakeSource,
        make_event: MakeEvent,
        make_listener: MakeTrigger,
    ) -> None:
        # As if this process knew, as it does for seconds, that nothing is paused.
        installation_pause(timezone.now())
        make_source()
        counts = []
        for number in range(30):
            make_listener()
            make_event()
            if number in (0, 29):
                with CaptureQueriesContext(connection) as captured:
                    viewer.get(f"{EVENTS}/shop")
                counts.append(len(captured))
        # The operator, the source, its triggers, its changes, its rejected messages and its events;
        # for the page's version the newest events and the queue.
        assert counts == [8, 8]


def _walk(client: Client, direction: str, place: str = "") -> Iterator[list[str]]:
    """The ids of the events on each page, following the links in a direction."""
    while True:
        context = client.get(f"{EVENTS}/shop", {"p": place}).context
        yield [event.row.pk for event in context["events"]]
        place = getattr(context["page"], direction)
        if not place:
            return


@pytest.mark.parametrize("page", ["", "/new", "/shop", "/shop/test", "/console/triggers/new"])
def test_page_and_all_it_loads_are_light(
    editor: Client,
    make_source: MakeSource,
    make_event: MakeEvent,
    make_listener: MakeTrigger,
    page: str,
) -> None:
    make_source()
    for number in range(60):
        make_listener(make_source(id=f"s-{number}").pk)
        make_event(envelope={"detail": {"texts": [f"{each:08x}" for each in range(2000)]}})
    packed = {"accept-encoding": "gzip"}
    address = page if page.startswith("/console") else f"{EVENTS}{page}"
    html = editor.get(address, {"source": "shop"}).content.decode()
    loaded = {address, *re.findall(r'(?:href|src)="(/static/[^"]+)"', html)}
    answers = [editor.get(each, headers=packed) for each in sorted(loaded)]
    assert sum(len(b"".join(answer)) for answer in answers) < 150 * 1024


class TestHarm:
    @pytest.fixture
    def harmful(
        self, make_source: MakeSource, make_event: MakeEvent, make_listener: MakeTrigger
    ) -> ReceivedEvent:
        """An event with harm in each of its texts, of a source that is so too."""
        make_source(name=HARM, description=HARM, icon=HARM, pattern={"source": [HARM]})
        make_listener(name=HARM, event_config={"eventPattern": {"detail-type": [HARM]}})
        AuditEntry.objects.create(
            actor=HARM,
            action="updated",
            object_type="events.eventsource",
            object_id="shop",
            object_name=HARM,
            changes={HARM: [HARM, HARM]},
        )
        envelope = dict.fromkeys(("id", "source", "detail-type", "time"), HARM)
        resources = [f"moca-event-source/{HARM}", f"moca-test-event/{HARM}", HARM]
        harm = {**envelope, "resources": resources, "detail": {HARM: HARM}}
        return make_event(envelope=harm)

    @pytest.mark.parametrize(
        "page",
        [
            "",
            "?q={harm}",
            "/new",
            "/shop",
            "/shop?state={harm}&p={harm}",
            "/shop/edit",
            "/shop/secret",
            "/shop/test",
            "/shop/delete",
            "/shop/received/{id}",
        ],
    )
    def test_no_page_lets_it_through(
        self, administrator: Client, harmful: ReceivedEvent, page: str
    ) -> None:
        answer = administrator.get(f"{EVENTS}{page.format(harm=HARM, id=harmful.pk)}")
        html = answer.content.decode()
        assert (answer.status_code, "<script>alert" in html, "<img src=x" in html) == (
            200,
            False,
            False,
        )

    @pytest.mark.parametrize("page", ["/new", "/shop/edit", "/shop/secret", "/shop/test"])
    def test_no_form_lets_it_through(
        self, administrator: Client, harmful: ReceivedEvent, page: str
    ) -> None:
        names = ["id", "name", "description", "icon", "kind", "bus_name", "pattern", "secret"]
        entered = dict.fromkeys([*names, "body", "opened_version"], HARM)
        html = administrator.post(f"{EVENTS}{page}", entered).content.decode()
        assert ("<script>alert" in html, "<img src=x" in html) == (False, False)

    def test_pages_hold_no_script_or_style(self, editor: Client, harmful: ReceivedEvent) -> None:
        pages = ["", "/new", "/shop", "/shop/edit", "/shop/test", f"/shop/received/{harmful.pk}"]
        html = "".join(shown(editor, f"{EVENTS}{page}") for page in pages)
        assert not any(text in html for text in ("<script>", "<style", " style=", " onclick="))
