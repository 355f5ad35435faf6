"""Times on the operators' pages: relative, in UTC or in the operator's time zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from django.test import Client

from events.models import EventSource, SeenMessage
from executions.models import TriggerExecution
from tests.integration.console.conftest import TRIGGERS, MakeTrigger

MakeExecution = Callable[..., TriggerExecution]

TIMES = "/console/times"
RUNS = "/console/runs"
STARTED = datetime(2026, 7, 1, 9, tzinfo=UTC)


def choose(client: Client, times: str, zone: str = "") -> str:
    """Choose a form of times, and return the page that follows."""
    data = {"times": times, "zone": zone, "next": RUNS}
    return client.post(TIMES, data, follow=True).content.decode()


@pytest.fixture
def run(make_trigger: MakeTrigger, make_execution: MakeExecution) -> None:
    make_execution(make_trigger(), started_at=STARTED)


@pytest.mark.parametrize(
    ("times", "zone", "shown"),
    [
        ("relative", "", 'title="Wed 2026-07-01 09:00 UTC">'),
        ("utc", "", ">Wed 2026-07-01 09:00 UTC</time>"),
        ("local", "Asia/Tokyo", ">Wed 2026-07-01 18:00 +09:00</time>"),
        ("local", "America/New_York", ">Wed 2026-07-01 05:00 -04:00</time>"),
    ],
)
def test_choice(viewer: Client, run: None, times: str, zone: str, shown: str) -> None:
    assert shown in choose(viewer, times, zone)


@pytest.mark.parametrize("times", ["relative", "utc"])
def test_both_forms_stand_in_a_list(viewer: Client, run: None, times: str) -> None:
    ago = f'<span class="fine">{"Wed 2026-07-01 09:00 UTC" if times == "relative" else ""}'
    assert ago in choose(viewer, times)


def test_choice_is_kept(viewer: Client, make_trigger: MakeTrigger) -> None:
    choose(viewer, "local", "Asia/Tokyo")
    trigger = make_trigger(created_at=STARTED)
    page = viewer.get(f"{TRIGGERS}/{trigger.pk}").content.decode()
    assert "Wed 2026-07-01 18:00 +09:00" in page


def test_next_run_in_the_zone_of_its_schedule(viewer: Client, make_trigger: MakeTrigger) -> None:
    config = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
    make_trigger(schedule_config=config)
    assert " 09:00 +09:00</span>" in viewer.get(TRIGGERS).content.decode()


def test_next_run_in_the_chosen_zone(viewer: Client, make_trigger: MakeTrigger) -> None:
    choose(viewer, "utc")
    config = {"expression": "cron(0 9 * * ? *)", "timezone": "Asia/Tokyo"}
    make_trigger(schedule_config=config)
    assert " 00:00 UTC</time>" in viewer.get(TRIGGERS).content.decode()


def test_hours_of_the_dashboard(viewer: Client, make_trigger: MakeTrigger) -> None:
    make_trigger()
    choose(viewer, "local", "Asia/Tokyo")
    page = viewer.get("/console/").content.decode()
    hour = f"{datetime.now(UTC) + timedelta(hours=9):%H:}"
    assert (">Asia/Tokyo</span>" in page, f">{hour}" in page) == (True, True)


@pytest.mark.parametrize(("times", "zone"), [("local", "Nowhere"), ("local", ""), ("soon", "UTC")])
def test_wrong_choice_is_refused(viewer: Client, times: str, zone: str) -> None:
    assert "Times: choose relative, UTC or local." in choose(viewer, times, zone)


@pytest.mark.parametrize("cookie", ["local:Nowhere", "soon", "", ":", "local:" + "x" * 5000])
def test_broken_cookie_counts_as_none(viewer: Client, run: None, cookie: str) -> None:
    viewer.cookies = SimpleCookie({**viewer.cookies, "times": cookie})
    assert 'title="Wed 2026-07-01 09:00 UTC"' in viewer.get(RUNS).content.decode()


def test_leads_to_no_other_site(viewer: Client) -> None:
    answer = viewer.post(TIMES, {"times": "utc", "next": "https://elsewhere.example/"})
    assert answer["Location"] == TRIGGERS


def test_strangers_are_sent_to_the_sign_in(client: Client, db: None) -> None:
    assert client.post(TIMES, {"times": "utc"})["Location"].startswith("/admin/login/")


def test_open_page_follows_the_choice(viewer: Client, run: None) -> None:
    page = viewer.get(RUNS)
    version = page.wsgi_request.page_version  # type: ignore[attr-defined]
    choose(viewer, "utc")
    headers = {"HX-Request": "true", "X-Page-Version": version, "X-Page-Turn": "0"}
    assert viewer.get(RUNS, headers=headers).status_code == 200


def test_rejected_message_in_the_chosen_form(viewer: Client) -> None:
    EventSource.objects.create(id="shop", name="Shop", kind="webhook", created_at=STARTED)
    SeenMessage.objects.create(
        source_id="shop", purpose="rejected", seen_at=STARTED, code="x", ttl=2**32
    )
    choose(viewer, "local", "Asia/Tokyo")
    page = viewer.get("/console/events/shop").content.decode()
    assert ">Wed 2026-07-01 18:00 +09:00</time>" in page
