"""The page of a trigger's prompts."""

import pytest
from django.test import Client

from console.prompt_diff import GONE, NEW, SAME, difference
from moca import audit
from tests.integration.console.conftest import MakeTrigger
from triggers.models import Trigger
from triggers.prompt_versions import version_of


@pytest.fixture
def changed(make_trigger: MakeTrigger) -> Trigger:
    trigger = make_trigger(prompt="Report on <b>yesterday</b>.")
    trigger.prompt = "Report on last week."
    audit.save(trigger, by="olga")
    return trigger


def page(client: Client, trigger: Trigger, query: str = "") -> str:
    response = client.get(f"/console/triggers/{trigger.pk}/prompts{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_page_shows_the_difference_to_the_version_before(viewer: Client, changed: Trigger) -> None:
    shown = page(viewer, changed)
    assert "<del>&lt;b&gt;yesterday&lt;/b&gt;</del><ins>last week</ins>" in shown


def test_page_compares_the_version_that_is_asked_for(viewer: Client, changed: Trigger) -> None:
    first, present = version_of("Report on <b>yesterday</b>."), version_of("Report on last week.")
    assert "<del>last week</del>" in page(viewer, changed, f"?from={present}&to={first}")


def test_version_that_is_not_known_is_not_found(viewer: Client, changed: Trigger) -> None:
    assert viewer.get(f"/console/triggers/{changed.pk}/prompts?from=0").status_code == 404


def test_editor_restores_a_version(editor: Client, changed: Trigger) -> None:
    first = version_of("Report on <b>yesterday</b>.")
    editor.post(f"/console/triggers/{changed.pk}/prompts/restore", {"version": first})
    assert Trigger.objects.get(pk=changed.pk).prompt == "Report on <b>yesterday</b>."


def test_viewer_restores_nothing(viewer: Client, changed: Trigger) -> None:
    first = version_of("Report on <b>yesterday</b>.")
    answer = viewer.post(f"/console/triggers/{changed.pk}/prompts/restore", {"version": first})
    assert answer.status_code == 403


def test_trigger_of_one_prompt_has_one_version(viewer: Client, make_trigger: MakeTrigger) -> None:
    assert page(viewer, make_trigger(prompt="Report.")).count("</code>") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a\n"),
        ("a\nb\nc\n", "a\nc\n"),
        ("one two", "one three two"),
        ("a\r\nb", "a\nb"),
        ("x\n" * 4000, "y\n" * 4000),
        ("日本語の文。\n", "日本語の長い文。\n"),
    ],
)
def test_pieces_make_both_texts(before: str, after: str) -> None:
    pieces = difference(before, after)
    made = [
        "".join(piece.text for piece in pieces if piece.kind in kinds)
        for kinds in ((SAME, GONE), (SAME, NEW))
    ]
    assert made == [before, after]
