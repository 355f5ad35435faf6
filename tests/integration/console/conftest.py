from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.integration.admin.conftest import administrator, editor, make_execution, viewer
from triggers.models import Trigger

__all__ = ["administrator", "editor", "make_execution", "viewer"]

TRIGGERS = "/console/triggers"
ACT = "/console/triggers/act"

Act = Callable[..., str]
MakeTrigger = Callable[..., Trigger]


def ticked(trigger: Trigger) -> str:
    """The form value of a selected row of the list."""
    return f"{trigger.user_id}:{trigger.pk}"


@pytest.fixture
def act(editor: Client) -> Act:
    """Press a button of the list, and return the next page."""

    def press(action: str, *triggers: Trigger, **more: Any) -> str:
        ids = [ticked(trigger) for trigger in triggers]
        data = {"action": action, "id": ids, "next": TRIGGERS, **more}
        return editor.post(ACT, data, follow=True).content.decode()

    return press
