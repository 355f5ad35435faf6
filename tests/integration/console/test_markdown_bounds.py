"""Bounds of Markdown that would make huge HTML or take long."""

import time
from collections.abc import Callable

import pytest
from django.test import Client

from console.markdown import render
from executions.models import TriggerExecution
from tests.integration.console.conftest import TRIGGERS, MakeTrigger

MakeExecution = Callable[..., TriggerExecution]
STOPPED = "The rest is not formatted"
KEPT = 64 * 1024

# Texts of about a number of characters that multiply something.
MULTIPLIERS: dict[str, Callable[[int], str]] = {
    "references": lambda n: f"[a]: /{'u' * (n // 2)}\n\n" + "[a]\n" * (n // 8),
    "empty cells": lambda n: f"{'a|' * 100}\n{'-|' * 100}\n" + "a\n" * (n // 2),
    "many small tables": lambda n: f"{'a|' * 9}\n{'-|' * 9}\n{'a' * 9}\n\n" * (n // 50),
    "lists on a line": lambda n: "- - - - - - a\n" * (n // 14),
    "quotes in lists": lambda n: ("> - " * 9 + "a\n") * (n // 38),
    "emphasis": lambda n: ("*a _b " * 40 + "\n") * (n // 240),
    "brackets": lambda n: ("[" * 200 + "\n") * (n // 200),
    "images": lambda n: ("![" * 100 + "\n") * (n // 200),
    "links": lambda n: "[a](b)\n" * (n // 7),
    "addresses": lambda n: "<a:b>\n" * (n // 6),
    "a long address": lambda n: f"[a]({'é' * n})",
    "entities": lambda n: "&lt;&quot;\n" * (n // 11),
    "headings": lambda n: "# a\n" * (n // 4),
    "lines": lambda n: "a  \n" * (n // 4),
    "fences in lists": lambda n: "- a\n\n  ```\n" + ("[*" * 30 + "\n") * (n // 61),
    "fences that do not end": lambda n: "```\n~~~\n" * (n // 8),
}


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_html_grows_with_the_text(name: str) -> None:
    text = MULTIPLIERS[name](2 * KEPT)
    assert len(render(text)) < 6 * len(text)


def cpu_seconds(text: str) -> float:
    """The least time of three, which other processes disturb least."""
    taken = []
    for _turn in range(3):
        start = time.process_time()
        render(text)
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_twice_the_text_is_at_most_twice_the_work(name: str) -> None:
    make = MULTIPLIERS[name]
    # As much as one run keeps is the longest text; below 0.2 s other things count.
    assert cpu_seconds(make(2 * KEPT)) < max(0.2, 3.5 * cpu_seconds(make(KEPT)))


def test_rest_is_shown_as_it_is() -> None:
    html = render("*a*\n\n" + "[\n" * 10_000 + "*the <end>*")
    assert (html.startswith("<p><em>a</em></p>"), STOPPED in html, html.endswith("</pre>")) == (
        True,
        True,
        True,
    )
    assert "*the &lt;end&gt;*</pre>" in html


def test_tables_stop_at_the_row_that_is_too_much() -> None:
    rows = "".join(f"|{number}|x|\n" for number in range(3000))
    html = render(f"|a|b|\n|-|-|\n{rows}\n*end*")
    before, _, after = html.partition(STOPPED)
    assert 1000 < before.count("<tr>") == 3001 - after.count("|x|")


def test_table_after_full_ones_is_told_of() -> None:
    wide = f"{'a|' * 200}\n{'-|' * 200}\n" + "a\n" * 19
    assert STOPPED in render(f"{wide}\n|a|b|\n|-|-|\n|c|d|\n" * 2)


def test_long_report_is_formatted_whole() -> None:
    part = (
        "## Findings of the day\n\nThe service was *slow* for `/orders`: see [the log](https://x.y)"
        f".\n\n{'Many words say what was done, and why. ' * 30}\n\n- one\n- two\n  - three\n\n"
        '```json\n{"a": [{"b": {"c": [1, 2, 3]}}]}\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n'
    )
    html = render(part * (KEPT // len(part)))
    assert (STOPPED in html, html.count("<h2>")) == (False, KEPT // len(part))


def test_code_between_fences_is_not_counted() -> None:
    code = '{"a": [{"b": [[], {}]}]}, ' * 4
    html = render(f"```json\n{(code + chr(10)) * 1000}```\n\n*end*")
    assert (STOPPED in html, html.endswith("<p><em>end</em></p>\n")) == (False, True)


@pytest.mark.parametrize("item", ["- a\n\n  ```\n", "1. a\n\n   ~~~\n", "- ```\n  ```\n"])
def test_fence_in_a_list_hides_no_marks_behind_the_list(item: str) -> None:
    assert STOPPED in render(item + ("[*" * 300 + "\n") * 100)


def test_code_in_a_list_is_not_counted() -> None:
    code = "  " + "[*" * 300 + "\n"
    assert STOPPED not in render("- a\n\n  ```\n" + code * 30 + "  ```\n")


def test_page_says_where_formatting_stopped(
    viewer: Client, make_trigger: MakeTrigger, make_execution: MakeExecution
) -> None:
    said = "[a]\n" * 15_000
    made = make_execution(make_trigger(), status="completed", output=said, output_bytes=len(said))
    page = viewer.get(f"{TRIGGERS}/{made.trigger_id}/runs/{made.pk}").content.decode()
    assert (page.count(STOPPED), len(page) < 20 * len(said)) == (1, True)
