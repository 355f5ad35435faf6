"""The stored reasons that the pages know are those that the sources write."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from console.reasons import KNOWN

ROOT = Path(__file__).resolve().parents[3]
PART = "…"


def texts(folder: str) -> Iterator[str]:
    """The texts of the sources, with a mark in place of each part that is put in."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                pieces = [getattr(piece, "value", None) for piece in node.values]
                yield "".join(piece if isinstance(piece, str) else PART for piece in pieces)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def outline(text: str) -> str:
    """The text with one mark for parts that stand side by side."""
    return re.sub(rf"{PART}(?: ?{PART})*", PART, text)


def test_known_reasons_are_written_somewhere() -> None:
    written = {
        outline(text) for folder in ("agents", "triggers", "executions") for text in texts(folder)
    }
    known = {outline(re.sub(r"%\(\w+\)s", PART, template)) for template in KNOWN}
    assert known - written == set()
