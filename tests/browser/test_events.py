"""Event sources and event triggers in a real browser, from the first source to the run."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from events import signing_keys
from events.models import EventSource, ReceivedEvent
from executions.models import TriggerExecution
from moca.authentication.models import Role
from tests.browser.test_console import NO_PRELOAD, SignIn
from triggers.models import Trigger

pytestmark = pytest.mark.browser

NEW_TRIGGER = "/console/triggers/new"
EVENT_ID = "0" * 64
Running = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def editor(sign_in: SignIn) -> Page:
    return sign_in(Role.EDITOR)


@pytest.fixture
def shop(transactional_db: None) -> EventSource:
    """A source with one event."""
    now = timezone.now()
    source = EventSource(id="shop", name="The shop", kind="webhook")
    source.secrets = signing_keys.seal("a-secret-that-nobody-guesses", now)
    source.save()
    envelope = {
        "id": "msg_1",
        "detail-type": "order.paid",
        "source": "webhook.shop",
        "resources": ["moca-event-source/shop", f"moca-event/{EVENT_ID}"],
        "detail": {"order": {"id": 4711, "total": 12.5}},
    }
    ReceivedEvent.objects.create(
        id=EVENT_ID,
        source_id="shop",
        signature="x",
        state="done",
        triggers=1,
        received_at=now - timedelta(minutes=1),
        envelope=json.dumps(envelope),
        ttl=4_000_000_000,
    )
    return source


@pytest.fixture
def thanks(shop: EventSource) -> Trigger:
    """A trigger of the shop that has dropped events."""
    trigger = Trigger(
        name="Thank them",
        user_id="ann",
        agent_id="clerk",
        prompt="Thank for order {{ event.detail.order.id }} of {{ event.detail.customer }}.",
        type="event",
        event_config={
            "eventSourceId": "shop",
            "eventPattern": {"detail": {"order": {"total": [{"numeric": [">", 100]}]}}},
            "maxRunsPerHour": 5,
        },
        overlap_policy="allow",
    )
    trigger.save()
    trigger.note_skip("More events came than the limit lets run.", timezone.now(), 7)
    return trigger


def choose_event(page: Page) -> None:
    page.goto(NEW_TRIGGER)
    page.get_by_label("Type").select_option("event")


@pytest.mark.each_database
def test_from_a_source_to_a_run(editor: Page, scheduler: Running) -> None:
    editor.goto("/console/events")
    editor.get_by_role("link", name="New event source").click()
    editor.get_by_label("Name *").fill("The Shop")
    expect(editor.get_by_label("Id *")).to_have_value("the-shop")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_text("Copy the secret now")).to_be_visible()
    secret = editor.locator("#secret").inner_text()

    editor.get_by_role("link", name="Back to the event source").click()
    expect(editor.get_by_text(secret)).to_have_count(0)
    editor.get_by_role("link", name="New trigger").click()
    editor.get_by_label("Name *").fill("Thank them")
    editor.get_by_label("Agent *").fill("clerk")
    editor.get_by_label("Prompt *").fill("Thank for order {{ event.detail.order.id }}.")
    expect(editor.get_by_text("Thank for order 4711.", exact=True)).to_be_visible()
    editor.get_by_label("Event pattern").fill('{"detail-type": ["order.lost"]}')
    expect(editor.get_by_text("This event does not run the trigger.")).to_be_visible()
    editor.get_by_label("Event pattern").fill('{"detail-type": ["order.paid"]}')
    expect(editor.get_by_text("This event runs the trigger.")).to_be_visible()
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("link", name="Events of The Shop, by a pattern")).to_be_visible()

    editor.get_by_role("link", name="Events of The Shop, by a pattern").click()
    editor.get_by_role("link", name="Send a test event").click()
    with scheduler():
        editor.get_by_role("button", name="Send").click()
        editor.get_by_role("link", name="Completed").click(timeout=20_000)
    expect(editor.get_by_text("Thank for order 4711.").first).to_be_visible()
    expect(editor.locator(".began").get_by_role("link", name="order.paid")).to_be_visible()


class TestForm:
    def test_overlaps_follow_the_type(self, editor: Page) -> None:
        overlap = editor.get_by_label("While a run is in progress")
        editor.goto(NEW_TRIGGER)
        expect(overlap).to_have_value("skip")
        editor.get_by_label("Type").select_option("event")
        expect(overlap).to_have_value("allow")

    def test_overlaps_that_were_chosen_stay(self, editor: Page) -> None:
        editor.goto(NEW_TRIGGER)
        overlap = editor.get_by_label("While a run is in progress")
        editor.get_by_text("More options").click()
        overlap.select_option("allow")
        overlap.select_option("skip")
        editor.get_by_label("Type").select_option("event")
        expect(overlap).to_have_value("skip")

    def test_source_brings_its_latest_event(self, editor: Page, shop: EventSource) -> None:
        choose_event(editor)
        editor.get_by_label("Event source").select_option("shop")
        expect(editor.get_by_label("Sample event")).to_contain_text("msg_1")

    def test_own_event_is_left_alone(self, editor: Page, shop: EventSource) -> None:
        choose_event(editor)
        editor.get_by_label("Event source").select_option("shop")
        expect(editor.get_by_label("Sample event")).to_contain_text("msg_1")
        editor.get_by_label("Sample event").fill('{"detail-type": "order.mine"}')
        editor.get_by_label("Event pattern").fill('{"detail-type": ["order.mine"]}')
        expect(editor.get_by_text("This event runs the trigger.")).to_be_visible()
        expect(editor.get_by_label("Try it with")).to_have_value("")

    def test_event_is_taken_again(self, editor: Page, shop: EventSource) -> None:
        choose_event(editor)
        editor.get_by_label("Event source").select_option("shop")
        expect(editor.get_by_label("Sample event")).to_contain_text("msg_1")
        editor.get_by_label("Sample event").fill("{}")
        editor.get_by_label("Try it with").select_option(EVENT_ID)
        expect(editor.get_by_label("Sample event")).to_contain_text("msg_1")

    def test_what_the_event_lacks(self, editor: Page, thanks: Trigger) -> None:
        editor.goto(f"/console/triggers/{thanks.pk}/edit")
        expect(editor.get_by_text("The event does not have: event.detail.customer")).to_be_visible()

    def test_bus_is_asked_for_where_there_is_no_source(
        self, editor: Page, shop: EventSource
    ) -> None:
        choose_event(editor)
        expect(editor.get_by_label("Event bus")).to_be_visible()
        editor.get_by_label("Event source").select_option("shop")
        expect(editor.get_by_label("Event bus")).to_be_hidden()

    def test_kind_decides_what_is_asked(self, editor: Page) -> None:
        editor.goto("/console/events/new")
        expect(editor.get_by_label("Secret")).to_be_visible()
        editor.get_by_label("Events come from").select_option("bus")
        expect(editor.get_by_label("Secret")).to_be_hidden()

    def test_sender_says_what_its_secret_is(self, editor: Page) -> None:
        editor.goto("/console/events/new")
        editor.get_by_label("Events come from").select_option("shopify")
        expect(editor.get_by_text("The client secret of the app")).to_be_visible()

    def test_only_a_general_kind_asks_how_its_sender_signs(self, editor: Page) -> None:
        editor.goto("/console/events/new")
        asked = [editor.get_by_label(label) for label in ("What is signed", "Authorization")]
        shown = []
        for kind in ("shopify", "hmac", "token"):
            editor.get_by_label("Events come from").select_option(kind)
            shown.append([each.is_visible() for each in asked])
        assert shown == [[False, False], [True, False], [False, True]]

    def test_form_with_all_fields_fits_a_phone(self, editor: Page) -> None:
        editor.set_viewport_size({"width": 390, "height": 800})
        editor.goto("/console/events/new")
        editor.get_by_label("Events come from").select_option("hmac")
        width = editor.evaluate("document.documentElement.scrollWidth")
        assert width <= 390


@pytest.mark.each_database
def test_dropped_events_are_told(editor: Page, thanks: Trigger) -> None:
    editor.goto("/console/triggers")
    expect(editor.get_by_text("7 events dropped")).to_be_visible()
    editor.get_by_role("link", name="Thank them").click()
    expect(editor.get_by_text("More events came than the limit lets run.")).to_be_visible()


def addresses(trigger: Trigger) -> list[str]:
    """All pages that have to do with events, of a run too."""
    payload = ReceivedEvent.objects.get(pk=EVENT_ID).envelope
    run = TriggerExecution.objects.create(
        id="01990000-0000-7000-8000-000000000001",
        trigger_id=trigger.pk,
        user_id=trigger.user_id,
        status="completed",
        source="event",
        attempt=1,
        started_at=timezone.now(),
        event_payload=payload,
        ttl=4_000_000_000,
    )
    shop = "/console/events/shop"
    ours = ["", "/edit", "/secret", "/test", "/delete", f"/received/{EVENT_ID}"]
    triggers = [
        NEW_TRIGGER + "?source=shop",
        *(f"/console/triggers/{trigger.pk}{page}" for page in ("", "/edit", f"/runs/{run.pk}")),
    ]
    return [
        "/console/events",
        "/console/events?q=nothing",
        "/console/events/new",
        *(f"{shop}{page}" for page in ours),
        "/console/triggers?type=event",
        *triggers,
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(sign_in: SignIn, thanks: Trigger, scheme: Any, width: int) -> None:
    page = sign_in(Role.ADMIN)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    found = {}
    for address in [
        *addresses(thanks),
        "/admin/events/eventsource/",
        "/admin/events/eventsource/shop/change/",
        "/admin/events/receivedevent/?source_id=shop",
        f"/admin/events/receivedevent/{EVENT_ID}/change/",
    ]:
        page.goto(address)
        violations = Axe().run(page, options=NO_PRELOAD).response["violations"]
        found[address] = [
            (each["id"], each["nodes"][0]["target"], each["nodes"][0]["failureSummary"])
            for each in violations
        ]
    assert {address: wrong for address, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_where_a_secret_is_shown(editor: Page, shop: EventSource) -> None:
    editor.goto("/console/events/shop/secret")
    editor.get_by_role("button", name="Set a new secret").click()
    expect(editor.get_by_text("The previous secret is valid until")).to_be_visible()
    assert Axe().run(editor, options=NO_PRELOAD).response["violations"] == []


def test_nothing_sticks_out_on_a_telephone(sign_in: SignIn, thanks: Trigger) -> None:
    page = sign_in(Role.EDITOR)
    page.set_viewport_size({"width": 390, "height": 844})
    widths = {}
    for address in addresses(thanks):
        page.goto(address)
        widths[address] = page.evaluate("document.documentElement.scrollWidth")
    assert {address: width for address, width in widths.items() if width > 390} == {}
