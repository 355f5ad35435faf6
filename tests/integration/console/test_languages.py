"""The operators' pages in Japanese, and everything else in English whatever the browser asks."""

from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client

from tests.integration.console.conftest import TRIGGERS, MakeTrigger, ticked

CATALOG = Path(settings.BASE_DIR) / "locale" / "ja" / "LC_MESSAGES" / "django.po"
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
    assert "<h1>サインイン</h1>" in page


@pytest.mark.parametrize("page", ["/admin/", "/health", "/openapi.json"])
def test_the_rest_is_english(administrator: Client, page: str) -> None:
    administrator.get("/console/", headers=JAPANESE)
    japanese = administrator.get(page, headers=JAPANESE)
    varies = "Accept-Language" in japanese.get("Vary", "")
    assert (varies, "Content-Language" in japanese) == (False, False)


def test_catalog_is_whole() -> None:
    catalog = polib.pofile(str(CATALOG))
    assert [entry.msgid for entry in catalog.untranslated_entries() + catalog.fuzzy_entries()] == []


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


def _placeholders(text: str) -> list[str]:
    return [part.partition(")")[0] for part in text.split("%(")[1:]]
