"""Helpers for tests that make one change through each interface: API, admin, pages, commands."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from moca.authentication.models import AuditEntry
from tests.integration.admin.conftest import administrator, editor

__all__ = ["administrator", "editor"]

Record = list[tuple[str, str, str, dict[str, Any]]]
Import = Callable[[dict[str, Any]], str]


def record() -> Record:
    """The audit entries without actor and reason, the oldest first."""
    return [
        (entry.action, entry.object_type, entry.object_name, entry.changes)
        for entry in AuditEntry.objects.order_by("id")
    ]


def page(client: Client, address: str, data: Any) -> str:
    """The page that an operator sees after sending a form."""
    return client.post(address, data, follow=True).content.decode()


def command(*args: str) -> str:
    """The output of a command, with the error if it fails."""
    out = io.StringIO()
    try:
        call_command(*args, stdout=out, stderr=out)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Imports a file with these sections, and returns the output of the command."""

    def imported(sections: dict[str, Any]) -> str:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(sections))
        return command("import_triggers", str(path))

    return imported
