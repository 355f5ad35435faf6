"""Going through lists page by page, on a database that neither counts nor skips rows."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from executions.models import TriggerExecution
from moca.authentication.models import AuditEntry, Operator
from tests.integration.admin.conftest import EXECUTIONS, OPERATORS, TRIGGERS
from triggers.models import Trigger

AUDIT = "/admin/authentication/auditentry/"
Make = Callable[..., Trigger]


@pytest.fixture
def triggers(db: None) -> list[str]:
    """120 triggers, every second one disabled; their ids, newest first."""
    made = [
        Trigger(name=f"T{number}", user_id="alice", enabled=number % 2 == 0)
        for number in range(120)
    ]
    # No more than a transaction holds.
    Trigger.objects.bulk_create(made[:60])
    Trigger.objects.bulk_create(made[60:])
    return sorted((trigger.pk for trigger in made), reverse=True)


def rows(client: Client, address: str) -> list[str]:
    return [row.pk for row in client.get(address).context["cl"].result_list]


def link(client: Client, address: str, words: str) -> str:
    """Where the link with these words leads; empty where there is none."""
    found = re.findall(rf'<a href="([^"]*)"[^>]*>{words}</a>', client.get(address).content.decode())
    return address.partition("?")[0] + unescape(found[0]) if found else ""


def walk(client: Client, address: str, words: str) -> Iterator[str]:
    """The addresses from one page on, each linked from the one before."""
    while address:
        yield address
        address = link(client, address, words)


def test_older_pages_show_every_trigger_once(viewer: Client, triggers: list[str]) -> None:
    shown = [pk for page in walk(viewer, TRIGGERS, "Older") for pk in rows(viewer, page)]
    assert shown == triggers


def test_newer_pages_lead_back_by_the_same_rows(viewer: Client, triggers: list[str]) -> None:
    there = list(walk(viewer, TRIGGERS, "Older"))
    back = list(walk(viewer, there[-1], "Newer"))
    assert [rows(viewer, page) for page in back[::-1]] == [rows(viewer, page) for page in there]


def test_a_page_has_fifty(viewer: Client, triggers: list[str]) -> None:
    assert "50 triggers on this page" in viewer.get(TRIGGERS).content.decode()


def test_a_list_of_one_page_has_no_other(viewer: Client, make_trigger: Make) -> None:
    make_trigger()
    shown = viewer.get(TRIGGERS).content.decode()
    assert (">1 trigger<" in shown, "Older" in shown, "Newer" in shown) == (True, False, False)


def test_exactly_one_full_page_has_no_older_one(viewer: Client, make_trigger: Make) -> None:
    for _ in range(50):
        make_trigger()
    assert link(viewer, TRIGGERS, "Older") == ""


def test_newest_leads_to_the_first_page(viewer: Client, triggers: list[str]) -> None:
    last = list(walk(viewer, TRIGGERS, "Older"))[-1]
    assert rows(viewer, link(viewer, last, "Newest")) == triggers[:50]


def test_filter_and_search_are_kept_over_pages(viewer: Client, triggers: list[str]) -> None:
    first = f"{TRIGGERS}?enabled__exact=0&q=T"
    shown = {pk for page in walk(viewer, first, "Older") for pk in rows(viewer, page)}
    assert shown == set(Trigger.objects.filter(enabled=False).values_list("pk", flat=True))


def test_another_filter_begins_with_the_first_page(viewer: Client, triggers: list[str]) -> None:
    second = link(viewer, TRIGGERS, "Older")
    assert "p=" not in link(viewer, second, "Failing")


def test_rows_that_come_meanwhile_move_no_page(
    viewer: Client, triggers: list[str], make_trigger: Make
) -> None:
    second = link(viewer, TRIGGERS, "Older")
    make_trigger()
    assert rows(viewer, second) == triggers[50:100]


def test_an_action_leads_back_to_its_page(editor: Client, triggers: list[str]) -> None:
    second = link(editor, TRIGGERS, "Older")
    data = {"action": "disable", "_selected_action": triggers[50]}
    assert editor.post(second, data)["Location"] == second


def test_a_page_whose_rows_are_gone_leads_back(viewer: Client, triggers: list[str]) -> None:
    second = link(viewer, TRIGGERS, "Older")
    for first in range(50, len(triggers), 20):
        Trigger.objects.filter(pk__in=triggers[first : first + 20]).delete()
    assert rows(viewer, link(viewer, second, "Back to the newest")) == triggers[:50]


@pytest.mark.parametrize(
    "cursor",
    [
        "3",
        "-1",
        "older",
        "older.",
        "newer.%00",
        "older." + "x" * 37,
        "sideways.0198",
        "%F0%9F%90%91",
    ],
)
def test_a_senseless_place_is_the_first_page(
    viewer: Client, triggers: list[str], cursor: str
) -> None:
    assert rows(viewer, f"{TRIGGERS}?p={cursor}") == triggers[:50]


@pytest.mark.parametrize("parameter", ["o=1.-2", "o=x", "all=", "e=1"])
def test_a_list_is_neither_sorted_otherwise_nor_shown_whole(
    viewer: Client, triggers: list[str], parameter: str
) -> None:
    assert rows(viewer, f"{TRIGGERS}?{parameter}") == triggers[:50]


@pytest.mark.sqlite
def test_no_page_costs_more_than_the_first(viewer: Client, triggers: list[str]) -> None:
    pages = list(walk(viewer, TRIGGERS, "Older"))
    counts = []
    for page in [*pages, link(viewer, pages[-1], "Newer")]:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(page)
        counts.append(len(captured))
    # The operator, and the page.
    assert counts == [2, 2, 2, 2]


@pytest.mark.parametrize("address", [TRIGGERS, EXECUTIONS, OPERATORS, AUDIT, "/admin/"])
@pytest.mark.sqlite
def test_nothing_is_counted_or_skipped_or_joined(
    administrator: Client,
    make_trigger: Make,
    make_execution: Callable[..., TriggerExecution],
    address: str,
) -> None:
    trigger = make_trigger()
    for number in range(51):
        make_execution(trigger)
        make_trigger()
        Operator.objects.create(username=f"o{number}")
        AuditEntry.objects.create(actor="ann", action="run", object_type="x", object_id="1")
    older = link(administrator, address, "Older")
    with CaptureQueriesContext(connection) as captured:
        for page in filter(None, [address, older]):
            administrator.get(page)
    unwanted = re.compile("COUNT|OFFSET|JOIN|DISTINCT|GROUP BY")
    assert [query["sql"] for query in captured if unwanted.search(query["sql"])] == []
