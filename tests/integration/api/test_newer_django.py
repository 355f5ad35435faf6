"""What newer versions of Django hand to the models, and get from them, passes through them."""

from typing import Any

import pytest
from django.db import models

from executions.models import TriggerExecution
from moca.authentication.models import Role
from moca.concurrency import StaleVersionError
from tests.integration.admin.conftest import TRIGGERS, signed_in
from triggers.admin import TriggerAdmin
from triggers.models import Trigger


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Updates give rows with the values of returned fields, as those of Django 6.0 do."""
    rows = [("value",)]

    def do_update(self: Any, *args: Any, returning_fields: Any, **_: Any) -> list[Any]:
        return rows

    monkeypatch.setattr(models.Model, "_do_update", do_update)
    return rows


@pytest.mark.parametrize("model", [Trigger, TriggerExecution])
def test_rows_of_an_update_are_passed_on(model: Any, returned: list[Any]) -> None:
    given = model.objects.all()
    assert model(pk="t1")._do_update(given, returning_fields=["name"]) == returned


def test_an_update_without_rows_is_stale(returned: list[Any]) -> None:
    returned.clear()
    with pytest.raises(StaleVersionError):
        Trigger(pk="t1")._do_update(Trigger.objects.all(), returning_fields=["name"])


def test_fetch_mode_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def from_db(cls: Any, db: Any, names: Any, values: Any, *, fetch_mode: Any) -> Any:
        seen.append(fetch_mode)
        return cls(**dict(zip(names, values, strict=True)))

    monkeypatch.setattr(models.Model, "from_db", classmethod(from_db))
    Trigger.from_db("default", ["id"], ["t1"], fetch_mode="peers")
    assert seen == ["peers"]


def test_an_action_of_the_admin_may_say_where_it_was_chosen(
    monkeypatch: pytest.MonkeyPatch, make_trigger: Any
) -> None:
    trigger = make_trigger()
    act = TriggerAdmin.response_action
    monkeypatch.setattr(
        TriggerAdmin,
        "response_action",
        lambda self, request, queryset: act(self, request, queryset, action_location="list"),
    )
    posted = {"action": "disable", "_selected_action": [trigger.pk]}
    signed_in(Role.EDITOR).post(TRIGGERS, posted)
    trigger.refresh_from_db()
    assert not trigger.enabled
