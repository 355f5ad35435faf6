"""The language of the pages, and of the rest, which is always English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from tests.integration.api.conftest import API
from tests.integration.console.conftest import TRIGGERS, MakeTrigger, ticked

CATALOG = Path(settings.BASE_DIR) / "locale" / "ja" / "LC_MESSAGES" / "django.po"
# By what a text is marked, and which argument it is.
MARKS = {"_": 0, "gettext": 0, "gettext_lazy": 0, "gettext_noop": 0, "ngettext": 0, "pgettext": 1}
TEXT = r"""u(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
CALL = re.compile(rf"\bn?p?gettext\({TEXT}(?:, {TEXT})?")
JAPANESE = {"accept-language": "ja,en;q=0.5"}


def test_browser_asks_for_japanese(viewer: Client) -> None:
    page = viewer.get("/console/", headers=JAPANESE).content.decode()
    assert '<html lang="ja">' in page
    assert "ダッシュボード" in page


def test_choice_stays(viewer: Client) -> None:
    viewer.post("/console/language", {"language": "ja", "next": TRIGGERS})
    assert "すべての状態" in viewer.get(TRIGGERS).content.decode()


def test_choice_comes_before_the_browser(viewer: Client) -> None:
    viewer.post("/console/language", {"language": "en"})
    assert '<html lang="en">' in viewer.get("/console/", headers=JAPANESE).content.decode()


def test_schedule_in_words(viewer: Client, make_trigger: MakeTrigger) -> None:
    make_trigger()
    assert "毎日 09:00 (UTC)" in viewer.get(TRIGGERS, headers=JAPANESE).content.decode()


def test_state_in_words(viewer: Client, make_trigger: MakeTrigger) -> None:
    make_trigger(enabled=False)
    assert ">無効</span>" in viewer.get(TRIGGERS, headers=JAPANESE).content.decode()


def test_what_was_done_is_said(editor: Client, make_trigger: MakeTrigger) -> None:
    data = {"action": "disable", "id": [ticked(make_trigger(name="羊"))], "next": TRIGGERS}
    page = editor.post(f"{TRIGGERS}/act", data, headers=JAPANESE, follow=True)
    assert "羊: 無効化しました。" in page.content.decode()


def test_sign_in(client: Client) -> None:
    page = client.get("/admin/login/", headers=JAPANESE).content.decode()
    assert "<h1>ログイン</h1>" in page


@pytest.mark.parametrize("page", ["/admin/", "/health", "/openapi.json"])
def test_the_rest_is_english(administrator: Client, page: str) -> None:
    administrator.get("/console/", headers=JAPANESE)
    japanese = administrator.get(page, headers=JAPANESE)
    varies = "Accept-Language" in japanese.get("Vary", "")
    assert (varies, "Content-Language" in japanese) == (False, False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/schedules/preview", {"expression": "cron(0 9 31 * ? *)"}),
        ("/schedules/preview", {"expression": "cron(0 9 * * MON *)", "timezone": "Tokio"}),
        (
            "/triggers",
            {
                "name": "",
                "type": "schedule",
                "agentId": "shepherd",
                "prompt": "Count.",
                "sessionId": "short",
                "timeoutSeconds": 1,
                "tags": ["?"],
                "scheduleConfig": {
                    "expression": "rate(0 days)",
                    "startDate": "tomorrow",
                    "flexibleTimeWindowMinutes": -1,
                },
            },
        ),
    ],
)
def test_api_answers_in_english(administrator: Client, path: str, body: dict[str, Any]) -> None:
    alice = API("alice")
    english = alice.post(path, body).json()
    # The thread that answers has served a Japanese page before.
    administrator.get("/console/", headers=JAPANESE)
    japanese = alice.post(path, body, **JAPANESE).json()
    own = {name: english.get(name) for name in ("metadata", "requestId", "timestamp")}
    assert str(japanese | own) == str(english | own)


def test_catalog_is_whole() -> None:
    catalog = polib.pofile(str(CATALOG))
    assert [entry.msgid for entry in catalog.untranslated_entries() + catalog.fuzzy_entries()] == []


def test_nothing_is_missing_in_the_catalog() -> None:
    catalog = {entry.msgid for entry in polib.pofile(str(CATALOG))}
    assert {text for text in _marked() if text not in catalog} == set()


def test_compiled_catalog_is_that_of_the_text() -> None:
    compiled = polib.mofile(str(CATALOG.with_suffix(".mo")))
    text = polib.pofile(str(CATALOG))
    assert {(each.msgid, each.msgstr, str(each.msgstr_plural)) for each in compiled} == {
        (each.msgid, each.msgstr, str(each.msgstr_plural)) for each in text
    }


def test_placeholders_survive_translation() -> None:
    wrong = [
        entry.msgid
        for entry in polib.pofile(str(CATALOG))
        if not entry.msgid_plural
        and sorted(_placeholders(entry.msgid)) != sorted(_placeholders(entry.msgstr))
    ]
    assert wrong == []


def _marked() -> Iterator[str]:
    """The texts that are marked for translation in the sources and templates."""
    for folder in {app.partition(".")[0] for app in settings.INSTALLED_APPS} - {"django"}:
        for path in (settings.BASE_DIR / folder).rglob("*.py"):
            yield from _arguments(path.read_text())
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        calls = CALL.findall(templatize(path.read_text()))
        yield from _arguments("\n".join(f"{call})" for call in calls))


def _arguments(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = MARKS.get(node.func.id)
            if place is not None and isinstance(node.args[place], ast.Constant):
                yield node.args[place].value


def _placeholders(text: str) -> list[str]:
    return [part.partition(")")[0] for part in text.split("%(")[1:]]
