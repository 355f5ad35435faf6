"""The documentation keeps up with the code."""

import re
from pathlib import Path

from django.core.management import get_commands

from triggers.api.body_limit import LARGEST_BODY

ROOT = Path(__file__).resolve().parents[3]
SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text()
DOCUMENTED = set(re.findall(r"^\| `(\w+)`", SETTINGS_PAGE, re.MULTILINE))


def test_every_setting_is_documented() -> None:
    settings = (ROOT / "moca" / "settings.py").read_text()
    assert (
        set(re.findall(r'(?:env\.\w+|whole_number|choice|flag|texts)\(\s*"(\w+)"', settings))
        - DOCUMENTED
        == set()
    )


def test_every_documented_setting_is_read() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "moca").rglob("*.py"))
    assert {name for name in DOCUMENTED if f'"{name}"' not in sources} == set()


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = {
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
        if not (document.parent / target).exists()
    }
    assert broken == set()


def test_the_largest_body_is_documented() -> None:
    told = f"Bodies may have {LARGEST_BODY // 1024} KB"
    assert told in (ROOT / "docs" / "api.md").read_text()


def test_the_largest_result_is_documented() -> None:
    told = f"A body may have {LARGEST_BODY // 1024} KB"
    assert told in (ROOT / "docs" / "agent-protocol.md").read_text()


def test_commands_in_the_documentation_exist() -> None:
    commands = set(get_commands()) | {"help"}
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        name
        for document in documents
        for name in re.findall(r"manage\.py ([a-z_]+)", document.read_text())
    }
    assert named - commands == set()
