"""How many triggers a user may have, whoever else writes to the same table."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from moca.authentication.models import AuditEntry, Operator
from tests.integration.api.conftest import API, VALID
from triggers.models import Trigger, TriggerCount

pytestmark = pytest.mark.django_db(transaction=True)


def uncounted() -> Trigger:
    """Make a trigger as another program does."""
    config = {"expression": "rate(1 hour)"}
    trigger = Trigger(user_id="alice", name="T", agent_id="a", prompt="p", schedule_config=config)
    Trigger.objects.bulk_create([trigger])
    return trigger


def created(alice: API, tries: int) -> int:
    """How many of so many tries to create a trigger succeed."""
    return [alice.post("/triggers", VALID).status_code for _ in range(tries)].count(201)


def test_deleting_what_was_never_counted_makes_no_room(alice: API, settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 2
    for trigger in [uncounted() for _ in range(3)]:
        assert alice("DELETE", f"/triggers/{trigger.pk}").status_code == 200
    assert created(alice, 4) == 2


def test_count_that_is_too_high_is_set_right(alice: API, settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 2
    TriggerCount.objects.create(user_id="alice", triggers=2)
    assert created(alice, 4) == 2


@pytest.mark.parametrize("counted", [0, 6, -3])
def test_quota_holds_for_requests_at_once(alice: API, settings: Any, counted: int) -> None:
    if settings.TEST_DATABASE == "moto":
        pytest.skip("moto's transactions are no transactions between threads")
    settings.MAX_TRIGGERS_PER_USER = 6
    TriggerCount.objects.create(user_id="alice", triggers=counted)

    def create(_: int) -> None:
        try:
            API("alice").post("/triggers", VALID)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(create, range(24)))
    count = TriggerCount.objects.get(user_id="alice").triggers
    assert (Trigger.objects.filter(user_id="alice").count(), count) == (6, 6)


def test_samples_say_that_there_are_too_many(settings: Any) -> None:
    settings.MAX_TRIGGERS_PER_USER = 1
    Operator.objects.create_operator("olga", password="correct horse")
    with pytest.raises(CommandError, match="the most a user may have"):
        call_command("create_samples", "olga")


def test_operator_of_a_name_taken_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("create_operator", "olga")
    monkeypatch.setattr(Operator, "validate_unique", lambda *_, **__: None)
    with pytest.raises(CommandError, match="Another operator named olga"):
        call_command("create_operator", "olga")
    assert AuditEntry.objects.count() == 1
