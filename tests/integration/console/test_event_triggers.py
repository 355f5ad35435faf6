"""Event triggers on the operators' pages: the form with its tester, their page, lists and runs."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import EventSource, ReceivedEvent
from executions.failures import MERGED, TOO_MANY
from executions.models import PendingEvent, TriggerExecution
from moca.sentences import Code
from tests.integration.console.conftest import TRIGGERS, MakeTrigger
from tests.integration.console.test_events import HARM, make_event, make_listener, make_source
from triggers.models import Trigger
from triggers.pauses import installation_pause

__all__ = ["make_event", "make_listener", "make_source"]

NEW = f"{TRIGGERS}/new"
PREVIEW = "/console/event-preview"
ENTERED = {
    "name": "Thank them",
    "type": "event",
    "enabled": "on",
    "agent_id": "clerk",
    "prompt": "Thank for order {{ event.detail.order.id }}.",
    "event_source_id": "orders",
    "timeout_seconds": "600",
    "max_retries": "3",
    "answer_within_hours": "72",
}
PAID = {"detail-type": "order.paid", "detail": {"order": {"id": 4711, "total": 12.5}}}

MakeSource = Callable[..., EventSource]
MakeEvent = Callable[..., ReceivedEvent]
MakeExecution = Callable[..., TriggerExecution]


def previewed(client: Client, **entered: Any) -> str:
    """The answer to what stands in the form; the sample is one that somebody has written."""
    source = entered.get("event_source_id", "")
    values = {"type": "event", "sample": json.dumps(PAID), "sample_shown": f"{source} "}
    return client.post(PREVIEW, {**values, **entered}).content.decode()


class TestForm:
    def test_all_parts_are_saved(self, editor: Client) -> None:
        parts = {
            "event_pattern": '{"detail-type": ["order.paid"]}',
            "debounce_seconds": "30",
            "max_runs_per_hour": "20",
        }
        editor.post(NEW, {**ENTERED, **parts})
        assert Trigger.objects.get().event_config == {
            "eventSourceId": "orders",
            "eventPattern": {"detail-type": ["order.paid"]},
            "debounceSeconds": 30,
            "maxRunsPerHour": 20,
        }

    def test_events_of_a_bus(self, editor: Client, settings: Any) -> None:
        settings.EVENT_BUSES = ["main"]
        parts = {"event_source_id": "", "event_bus_name": "main"}
        editor.post(NEW, {**ENTERED, **parts, "event_pattern": '{"source": ["my.app"]}'})
        assert Trigger.objects.get().event_config == {
            "eventBusName": "main",
            "eventPattern": {"source": ["my.app"]},
        }

    def test_parts_are_shown_again(self, editor: Client, make_listener: MakeTrigger) -> None:
        config = {"eventBusName": "main", "debounceSeconds": 30, "maxRunsPerHour": 20}
        trigger = make_listener("orders", event_config=config)
        form = editor.get(f"{TRIGGERS}/{trigger.pk}/edit").context["form"]
        names = ["event_source_id", "event_bus_name", "debounce_seconds", "max_runs_per_hour"]
        assert [form[name].value() for name in names] == ["orders", "main", 30, 20]

    @pytest.mark.parametrize(
        ("kind", "chosen", "saved"),
        [
            ("event", "", "allow"),
            ("event", "skip", "skip"),
            ("schedule", "", "skip"),
            ("schedule", "allow", "allow"),
        ],
    )
    def test_overlaps_as_suits_the_type(
        self, editor: Client, kind: str, chosen: str, saved: str
    ) -> None:
        entered = {**ENTERED, "type": kind, "expression": "rate(1 hour)", "prompt": "Count."}
        editor.post(NEW, {**entered, "overlap_policy": chosen})
        assert Trigger.objects.get().overlap_policy == saved

    def test_overlaps_of_a_trigger_that_is_there_are_chosen(
        self, editor: Client, make_listener: MakeTrigger
    ) -> None:
        trigger = make_listener("orders")
        entered = {**ENTERED, "opened_version": trigger.version, "overlap_policy": ""}
        form = editor.post(f"{TRIGGERS}/{trigger.pk}/edit", entered).context["form"]
        assert "overlap_policy" in form.errors

    def test_sources_are_offered_by_name(self, editor: Client, make_source: MakeSource) -> None:
        make_source()
        page = editor.get(NEW).content.decode()
        assert '<option value="shop">The shop (shop)</option>' in page

    def test_source_that_is_gone_stays_and_is_told(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        source = make_source()
        trigger = make_listener()
        source.delete()
        page = editor.get(f"{TRIGGERS}/{trigger.pk}/edit").content.decode()
        assert '<option value="shop" selected>shop: there is no such source any more' in page

    def test_trigger_of_a_source_that_is_gone_can_be_renamed(
        self, editor: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        source = make_source()
        trigger = make_listener(enabled=False)
        source.delete()
        entered = {**ENTERED, "opened_version": trigger.version, "overlap_policy": "allow"}
        del entered["enabled"]
        editor.post(
            f"{TRIGGERS}/{trigger.pk}/edit",
            {**entered, "event_source_id": "shop", "name": "Renamed"},
        )
        assert Trigger.objects.get().name == "Renamed"

    def test_new_trigger_of_a_source(self, editor: Client) -> None:
        form = editor.get(NEW, {"source": "orders"}).context["form"]
        assert (form["type"].value(), form["event_source_id"].value()) == ("event", "orders")

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"event_source_id": ""}, "event_source_id", "or give an event pattern"),
            ({"event_source_id": "nobody"}, "event_source_id", "use one of orders"),
            ({"event_pattern": '{"detail": {"a": [{"prefx": "x"}]}}'}, "event_pattern", "detail.a"),
            ({"event_pattern": "{"}, "event_pattern", "valid JSON"),
            ({"debounce_seconds": "4000"}, "debounce_seconds", "3600"),
            ({"max_runs_per_hour": "0"}, "max_runs_per_hour", "1"),
            ({"event_bus_name": "a bus"}, "event_bus_name", "such as default"),
        ],
    )
    def test_error_stands_at_its_field(
        self, editor: Client, wrong: dict[str, str], field: str, message: str
    ) -> None:
        form = editor.post(NEW, {**ENTERED, **wrong}).context["form"]
        assert (message in str(form.errors[field]), Trigger.objects.exists()) == (True, False)


class TestTester:
    def test_match(self, viewer: Client) -> None:
        shown = previewed(viewer, event_pattern='{"detail-type": [{"prefix": "order."}]}')
        assert "This event runs the trigger." in shown

    def test_no_match_says_which_field(self, viewer: Client) -> None:
        pattern = {"detail-type": ["order.paid"], "detail": {"order": {"id": [1]}}}
        shown = previewed(viewer, event_pattern=json.dumps(pattern))
        rows = re.findall(r'<tr class="(\w+)">.*?<code>([\w.-]+)</code>', shown)
        assert ("does not run" in shown, rows) == (
            True,
            [("yes", "detail-type"), ("no", "detail.order.id")],
        )

    def test_wrong_pattern_says_where(self, viewer: Client) -> None:
        shown = previewed(viewer, event_pattern='{"detail": {"a": [{"prefx": "x"}]}}')
        assert "Event pattern: detail.a[0]" in shown

    def test_without_a_pattern_each_event_runs_it(self, viewer: Client) -> None:
        shown = previewed(viewer, event_source_id="orders")
        assert "Each event of the source runs the trigger." in shown

    def test_pattern_of_the_source_counts_too(
        self, viewer: Client, make_source: MakeSource
    ) -> None:
        make_source(pattern={"detail-type": ["order.lost"]})
        pattern = '{"detail-type": ["order.paid"]}'
        shown = previewed(viewer, event_source_id="shop", event_pattern=pattern)
        assert ("does not run" in shown, "Pattern of the event source" in shown) == (True, True)

    def test_nothing_is_chosen_yet(self, viewer: Client) -> None:
        assert "Choose an event source, or enter a pattern." in previewed(viewer)

    def test_source_that_is_gone(self, viewer: Client) -> None:
        assert "There is no event source gone any more." in previewed(
            viewer, event_source_id="gone"
        )

    def test_sample_that_is_too_long(self, viewer: Client) -> None:
        sample = json.dumps({"detail": {"text": "x" * 70_000}})
        page = previewed(viewer, sample=sample, event_pattern='{"source": ["x"]}')
        assert "The sample has more than 65,536 characters: shorten it." in page

    def test_sample_that_is_too_much_work(self, viewer: Client) -> None:
        sample = json.dumps({"items": [{}] * 15_000})
        pattern = {"items": {f"n{place}": [{"exists": False}] for place in range(100)}}
        page = previewed(viewer, sample=sample, event_pattern=json.dumps(pattern))
        assert "takes more than 500,000 steps" in page
        assert ("This event runs the trigger." in page, "No match" in page) == (False, False)

    def test_sample_that_is_too_much_to_be_told_of(self, viewer: Client) -> None:
        ways = {f"or{n}": {"$or": [{"a": [1]}, {"b": [1]}]} for n in range(9)}
        sample = json.dumps({"items": [{f"or{n}": {"a": 1} for n in range(9)}] * 50})
        page = previewed(viewer, sample=sample, event_pattern=json.dumps({"items": ways}))
        assert "too large to compare them field by field" in page
        assert "This event runs the trigger." in page

    @pytest.mark.parametrize(
        ("sample", "message"),
        [("{", "not valid JSON"), ("[]", "not a JSON object"), ("[" * 9999, "not valid JSON")],
    )
    def test_sample_that_is_none(self, viewer: Client, sample: str, message: str) -> None:
        assert message in previewed(viewer, sample=sample, event_pattern='{"source": ["x"]}')

    def test_another_source_brings_its_latest_event(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        make_event()
        row = make_event()
        entered = {"event_source_id": "shop", "sample": "{}", "sample_shown": " "}
        sample = viewer.post(PREVIEW, entered).context["sample"]
        assert (sample.chosen, sample.event["id"]) == (row.pk, "event 1")

    def test_an_event_is_chosen(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        first = make_event()
        second = make_event()
        entered = {
            "event_source_id": "shop",
            "sample": "{}",
            "sample_event": first.pk,
            "sample_shown": f"shop {second.pk}",
        }
        page = viewer.post(PREVIEW, entered).content.decode()
        assert ('id="event-sample" hx-swap-oob="true"' in page, "event 0" in page) == (True, True)

    def test_an_example_follows_the_trigger_whose_run_ends(self, viewer: Client) -> None:
        before = viewer.post(PREVIEW, {"type": "event"}).context["sample"]
        pattern = {"source": ["moca.triggers"], "detail": {"triggerId": ["019b2f6e"]}}
        entered = {
            "type": "event",
            "event_pattern": json.dumps(pattern),
            "sample": before.text,
            "sample_event": before.chosen,
            "sample_shown": before.shown,
        }
        assert viewer.post(PREVIEW, entered).context["tester"].matched is True

    def test_an_example_stays_while_other_parts_of_the_form_change(self, viewer: Client) -> None:
        before = viewer.post(PREVIEW, {"type": "event"}).context["sample"]
        entered = {
            "type": "event",
            "event_pattern": '{"source": ["other.app"]}',
            "sample": before.text,
            "sample_event": before.chosen,
            "sample_shown": before.shown,
        }
        assert viewer.post(PREVIEW, entered).context["sample"].text == before.text

    def test_what_is_written_stays(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        page = previewed(viewer, event_source_id="shop")
        assert 'id="event-sample"' not in page

    def test_events_of_other_sources_cannot_be_chosen(
        self, viewer: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        other = make_event("orders")
        entered = {"event_source_id": "shop", "sample_event": other.pk, "sample_shown": "shop "}
        assert viewer.post(PREVIEW, entered).context["sample"].chosen == "example"

    @pytest.mark.parametrize(
        "pattern",
        [
            {"source": ["my.shop"], "detail": {"state": ["paid", "lost"]}},
            {"detail-type": [{"prefix": "order."}], "detail": {"total": [{"numeric": [">", 5]}]}},
            {"resources": ["a"], "detail": {"name": [{"suffix": ".png"}]}},
            {"detail": {"name": [{"exists": True}]}},
        ],
    )
    def test_example_is_such_as_the_pattern_wants(
        self, editor: Client, make_trigger: MakeTrigger, pattern: dict[str, Any]
    ) -> None:
        trigger = make_trigger(
            type="event", schedule_config=None, event_config={"eventPattern": pattern}
        )
        tester = editor.get(f"{TRIGGERS}/{trigger.pk}/edit").context["tester"]
        assert tester.matched is True

    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_example_of_a_source(self, editor: Client, make_source: MakeSource, kind: str) -> None:
        make_source(kind=kind)
        sample = editor.get(NEW, {"source": "shop"}).context["sample"]
        assert sample.event["resources"][-1] == "moca-event-source/shop"

    def test_without_javascript(self, editor: Client) -> None:
        entered = {"event_pattern": '{"detail-type": ["x"]}', "sample": json.dumps(PAID)}
        shown = {"sample_shown": "orders ", "check": "yes"}
        page = editor.post(NEW, {**ENTERED, **entered, **shown}).content.decode()
        assert ("does not run the trigger" in page, Trigger.objects.exists()) == (True, False)

    def test_the_choice_stays_when_nothing_is_saved(
        self, editor: Client, make_source: MakeSource, make_event: MakeEvent
    ) -> None:
        make_source()
        first, _second = make_event(), make_event()
        chosen = {"sample_event": first.pk, "sample_shown": f"shop {first.pk}", "sample": "{}"}
        entered = {**ENTERED, "event_source_id": "shop", "name": ""}
        page = editor.post(NEW, {**entered, **chosen}).content.decode()
        chosen_one = f'<option value="{first.pk}" selected>'
        assert (page.count("order.paid, "), chosen_one in page) == (2, True)

    def test_an_event_that_is_not_offered_any_more_is_ones_own(
        self, editor: Client, make_source: MakeSource
    ) -> None:
        make_source()
        chosen = {"sample_event": "gone", "sample_shown": "shop gone", "sample": '{"id": "1"}'}
        entered = {**ENTERED, "event_source_id": "shop", "name": "", **chosen}
        sample = editor.post(NEW, entered).context["sample"]
        assert (sample.chosen, sample.event) == ("", {"id": "1"})

    @pytest.mark.parametrize(
        "name",
        ["sample", "event_pattern", "event_source_id", "prompt", "sample_event", "sample_shown"],
    )
    def test_nothing_harmful_comes_through(self, viewer: Client, name: str) -> None:
        harm = {"sample": json.dumps({"detail": {HARM: HARM}}), name: HARM}
        if name == "event_pattern":
            harm[name] = json.dumps({"detail": {HARM: [HARM]}})
        shown = previewed(viewer, **{"prompt": "{{ event.detail }} " + HARM, **harm})
        assert ("<script>" in shown, "<img" in shown) == (False, False)

    def test_forms_of_other_sites_get_nothing(self, viewer: Client) -> None:
        viewer.handler.enforce_csrf_checks = True
        assert viewer.post(PREVIEW, {}).status_code == 403

    def test_strangers_get_nothing(self, client: Client, db: None) -> None:
        assert client.post(PREVIEW, {}).status_code == 302


class TestPrompt:
    def test_parts_of_the_event(self, viewer: Client) -> None:
        shown = previewed(
            viewer, prompt='{{ event["detail-type"] }} of {{ event.detail.order.id }}'
        )
        assert '<pre tabindex="0">order.paid of 4711</pre>' in shown

    def test_what_the_event_lacks(self, viewer: Client) -> None:
        shown = previewed(viewer, prompt="{{ event.detail.customer }}")
        assert "The event does not have: <code>event.detail.customer</code>" in shown

    def test_braces_that_mean_nothing_are_told(self, viewer: Client) -> None:
        shown = previewed(viewer, prompt="{{ evnt.detail }} of {{ event.source }}")
        assert "leave it unchanged: <code>{{ evnt.detail }}</code></p>" in shown

    def test_prompt_without_parts_needs_no_preview(self, viewer: Client) -> None:
        assert "The prompt with the sample event" not in previewed(viewer, prompt="Count them.")

    def test_context_is_shown_where_it_is_added(self, viewer: Client) -> None:
        prompt = "{{ event.detail.order.id }}"
        shown = [
            previewed(viewer, prompt=prompt, include_context=on, name="Thank them")
            for on in ("on", "")
        ]
        assert ["With the added context" in page for page in shown] == [True, False]

    def test_schedules_have_an_event_of_their_own(self, viewer: Client) -> None:
        shown = previewed(viewer, type="schedule", prompt='{{ event["detail-type"] }}!')
        assert "Scheduled Event!" in shown

    def test_stands_in_the_form(self, editor: Client, make_listener: MakeTrigger) -> None:
        trigger = make_listener("orders", prompt="{{ event.source }}!")
        assert "my.app!" in editor.get(f"{TRIGGERS}/{trigger.pk}/edit").content.decode()


class TestPage:
    def test_what_it_listens_to(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        trigger = make_listener(event_config={"debounceSeconds": 30, "maxRunsPerHour": 20})
        page = viewer.get(f"{TRIGGERS}/{trigger.pk}").content.decode()
        wanted = [
            '<a href="/console/events/shop">Events of The shop</a>',
            "30 s, then one run",
            "<dd>20",
        ]
        assert [text for text in wanted if text not in page] == []

    def test_last_event_of_its_source(
        self,
        viewer: Client,
        make_source: MakeSource,
        make_listener: MakeTrigger,
        make_event: MakeEvent,
    ) -> None:
        make_source()
        row = make_event()
        page = viewer.get(f"{TRIGGERS}/{make_listener().pk}").content.decode()
        assert f'href="/console/events/shop/received/{row.pk}">order.paid</a>' in page

    def test_events_that_wait_for_a_pause(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        make_source()
        trigger, now = make_listener(), timezone.now()
        PendingEvent.objects.create(
            trigger_id=trigger.pk,
            user_id=trigger.user_id,
            execution_id="x",
            envelope="{}",
            first_at=now,
            last_at=now,
            due_at=now + timedelta(minutes=5),
            events=3,
        )
        page = viewer.get(f"{TRIGGERS}/{trigger.pk}").content.decode()
        assert "3 events, to run once" in page

    def test_source_that_is_gone(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        source = make_source()
        trigger = make_listener()
        source.delete()
        pages = [f"{TRIGGERS}/{trigger.pk}", TRIGGERS]
        told = "There is no event source shop any more."
        assert [told in viewer.get(page).content.decode() for page in pages] == [True, True]

    def test_dropped_events(self, viewer: Client, make_listener: MakeTrigger) -> None:
        trigger = make_listener("orders")
        trigger.note_skip("More events than the limit.", timezone.now(), 7)
        pages = [
            viewer.get(page).content.decode() for page in (f"{TRIGGERS}/{trigger.pk}", TRIGGERS)
        ]
        assert (">Dropped</span> 7 events" in pages[0], "7 events dropped" in pages[1]) == (
            True,
            True,
        )

    @pytest.mark.parametrize(("reason", "badge"), [(MERGED, "off"), (TOO_MANY, "warn")])
    def test_events_that_another_stands_for_are_no_fault(
        self, viewer: Client, make_listener: MakeTrigger, reason: Code, badge: str
    ) -> None:
        trigger = make_listener("orders")
        trigger.note_skip(reason(), timezone.now(), 7)
        shown = [
            f'class="badge {badge}">{words}' in viewer.get(page).content.decode()
            for page, words in ((f"{TRIGGERS}/{trigger.pk}", "Dropped"), (TRIGGERS, "7 events"))
        ]
        assert shown == [True, True]

    def test_never_fires_again_is_no_word_for_events(
        self, viewer: Client, make_listener: MakeTrigger
    ) -> None:
        trigger = make_listener("orders")
        pages = [
            viewer.get(page).content.decode() for page in (f"{TRIGGERS}/{trigger.pk}", TRIGGERS)
        ]
        assert not any("Never fires again" in page for page in pages)

    def test_yaml_has_the_event(self, viewer: Client, make_listener: MakeTrigger) -> None:
        trigger = make_listener("orders", event_config={"maxRunsPerHour": 20})
        shown = viewer.get(f"{TRIGGERS}/{trigger.pk}").context["yaml"]
        assert yaml.safe_load(shown)["eventConfig"] == {
            "eventSourceId": "orders",
            "maxRunsPerHour": 20,
        }

    @pytest.mark.parametrize("config", [None, [], {"eventSourceId": 5}, {"eventPattern": "x"}])
    def test_what_another_program_spoiled(
        self, viewer: Client, make_listener: MakeTrigger, config: Any
    ) -> None:
        trigger = make_listener("orders")
        Trigger.objects.filter(user_id="alice", pk=trigger.pk).update(event_config=config)
        pages = [f"{TRIGGERS}/{trigger.pk}", TRIGGERS, "/console/", "/console/events"]
        assert [viewer.get(page).status_code for page in pages] == [200] * 4

    @pytest.mark.sqlite
    def test_list_costs_no_more_reads_for_many_sources(
        self, viewer: Client, make_source: MakeSource, make_listener: MakeTrigger
    ) -> None:
        # As if this process knew, as it does for seconds, that nothing is paused.
        installation_pause(timezone.now())
        counts = []
        for number in range(30):
            make_listener(make_source(id=f"s-{number}").pk)
            if number in (0, 29):
                with CaptureQueriesContext(connection) as captured:
                    viewer.get(TRIGGERS)
                counts.append(len(captured))
        # The operator, the triggers, the names of their users, the sources, the agents in use, how
        # many there are; for the page's version the changes, the running runs and the newest ones.
        assert counts == [9, 9]


class TestRun:
    def test_its_event_at_a_glance(
        self,
        viewer: Client,
        make_source: MakeSource,
        make_listener: MakeTrigger,
        make_execution: MakeExecution,
        make_event: MakeEvent,
    ) -> None:
        make_source()
        trigger, row = make_listener(), make_event()
        marked = {"resources": ["moca-event-source/shop", f"moca-event/{row.pk}"]}
        payload = json.dumps({**json.loads(row.envelope), **marked})
        run = make_execution(trigger, source="event", event_payload=payload)
        page = viewer.get(f"{TRIGGERS}/{trigger.pk}/runs/{run.pk}").content.decode()
        wanted = [
            f'href="/console/events/shop/received/{row.pk}"><strong>order.paid</strong></a>',
            "webhook.shop <code>event 0</code>",
            'href="/console/events/shop">shop</a>',
        ]
        assert [text for text in wanted if text not in page] == []

    def test_replay_names_the_event_too(
        self, viewer: Client, make_listener: MakeTrigger, make_execution: MakeExecution
    ) -> None:
        trigger = make_listener("orders")
        run = make_execution(trigger, source="replay", event_payload=json.dumps(PAID))
        event = viewer.get(f"{TRIGGERS}/{trigger.pk}/runs/{run.pk}").context["event"]
        assert (event.name, event.source_id) == ("order.paid", "orders")

    @pytest.mark.parametrize("source", ["schedule", "manual"])
    def test_runs_without_one(
        self,
        viewer: Client,
        make_listener: MakeTrigger,
        make_execution: MakeExecution,
        source: str,
    ) -> None:
        trigger = make_listener("orders")
        run = make_execution(trigger, source=source, event_payload=json.dumps(PAID))
        assert viewer.get(f"{TRIGGERS}/{trigger.pk}/runs/{run.pk}").context["event"] is None

    @pytest.mark.parametrize(
        "payload",
        [
            "",
            "{",
            "[]",
            '{"resources": 5}',
            '{"resources": ["moca-event-source/a/b", "moca-event/c/d", 5]}',
            json.dumps(
                {"detail-type": HARM, "id": HARM, "resources": [f"moca-event-source/{HARM}"]}
            ),
            json.dumps(
                {"source": {"a": 1}, "id": [HARM], "resources": [f"moca-test-event/{HARM}"]}
            ),
        ],
    )
    def test_odd_events(
        self,
        viewer: Client,
        make_listener: MakeTrigger,
        make_execution: MakeExecution,
        payload: str,
    ) -> None:
        trigger = make_listener("orders")
        run = make_execution(trigger, source="event", event_payload=payload)
        answer = viewer.get(f"{TRIGGERS}/{trigger.pk}/runs/{run.pk}")
        assert (answer.status_code, "<script>alert" in answer.content.decode()) == (200, False)


def test_run_says_what_its_prompt_had_wrong(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
) -> None:
    run = make_execution(make_trigger(), warning="The prompt has {{ x }}, which names nothing.")
    shown = viewer.get(f"{TRIGGERS}/{run.trigger_id}/runs/{run.pk}").content.decode()
    assert "The prompt has {{ x }}, which names nothing." in shown
