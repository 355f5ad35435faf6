"""The doors through which people change triggers and event sources: one function each."""

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
    """What the audit entries say, but for who did so and why."""
    return [
        (entry.action, entry.object_type, entry.object_name, entry.changes)
        for entry in AuditEntry.objects.order_by("id")
    ]


def page(client: Client, address: str, data: Any) -> str:
    """What an operator reads after a form was sent."""
    return client.post(address, data, follow=True).content.decode()


def command(*args: str) -> str:
    """What a command says, also if it fails."""
    out = io.StringIO()
    try:
        call_command(*args, stdout=out, stderr=out)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Import a file with these sections, and return what the command says."""

    def imported(sections: dict[str, Any]) -> str:
        path = tmp_path / "file.json"
        path.write_text(json.dumps(sections))
        return command("import_triggers", str(path))

    return imported
