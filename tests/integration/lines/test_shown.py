"""What waits for its turn is shown: on pages, in the API, to doctor and in the health check."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from executions.models import TriggerExecution, Turn
from tests.conftest import wait_for
from tests.integration.admin.conftest import viewer
from tests.integration.api.conftest import API, VALID, alice
from tests.integration.lines.test_lines import MakeTrigger, arrive, begin, listen
from triggers.models import Trigger

__all__ = ["alice", "listen", "viewer"]


@pytest.fixture
def waiting(listen: MakeTrigger) -> TriggerExecution:
    """A run that waits, because another one of its customer is going."""
    trigger = listen(concurrency_key="{{ event.detail.customer }}")
    arrive(trigger, customer="ann")
    begin()
    found: TriggerExecution = TriggerExecution.objects.keyed(
        trigger.pk, arrive(trigger, customer="ann")
    ).get()
    return found


def test_page_of_the_run_says_why(waiting: TriggerExecution, viewer: Client) -> None:
    page = viewer.get(reverse("console:run", args=[waiting.trigger_id, waiting.pk]))
    assert "as many runs of the key ann are going as may" in page.content.decode()


def test_page_of_the_trigger_counts(listen: MakeTrigger, viewer: Client) -> None:
    trigger = listen(max_concurrent=1)
    for _ in range(3):
        arrive(trigger)
    page = viewer.get(reverse("console:trigger", args=[trigger.pk])).content.decode()
    assert "1 run of its key has a place, 2 wait for their turn" in " ".join(page.split())


def test_api_has_the_key(waiting: TriggerExecution, alice: API) -> None:
    answer = alice.get(f"/triggers/{waiting.trigger_id}/executions/{waiting.pk}").json()
    assert answer["execution"]["concurrencyKey"] == "ann"


def test_doctor_warns_of_a_long_wait(waiting: TriggerExecution) -> None:
    Turn.objects.filter(pk=waiting.pk).update(asked_at=timezone.now() - timedelta(hours=2))
    said = StringIO()
    try:
        call_command("doctor", stdout=said)
    except SystemExit:
        pass
    except Exception as error:  # noqa: BLE001  (other findings are of no concern here)
        said.write(str(error))
    assert "1 runs wait for their turn, the first for 120 minutes." in said.getvalue()


def test_health_counts_it(waiting: TriggerExecution, scheduler: Callable[..., Any]) -> None:
    def queue() -> Any:
        return Client().get("/health?deep=1").json().get("queue", {}).get("waiting")

    with scheduler():
        assert wait_for(lambda: queue() == 1)


class TestAPI:
    @pytest.mark.parametrize("policy", ["buffer_one", "cancel_other"])
    def test_new_policies(self, alice: API, policy: str) -> None:
        made = alice.post("/triggers", {**VALID, "overlapPolicy": policy}).json()["trigger"]
        assert made["overlapPolicy"] == policy

    def test_key_and_places(self, alice: API) -> None:
        body = {**VALID, "concurrencyKey": "{{ event.detail.customer.id }}", "maxConcurrent": 3}
        made = alice.post("/triggers", body).json()["trigger"]
        assert (made["concurrencyKey"], made["maxConcurrent"]) == (body["concurrencyKey"], 3)

    def test_a_key_that_cannot_be_read(self, alice: API) -> None:
        answer = alice.post("/triggers", {**VALID, "concurrencyKey": "{{ customer }}"})
        details = answer.json()["details"]
        assert (answer.status_code, details[0]["field"]) == (400, "concurrencyKey")

    def test_an_old_trigger_says_nothing_of_it(self, alice: API) -> None:
        made = alice.create()
        assert {"concurrencyKey", "maxConcurrent"} & made.keys() == set()


def test_the_scheduler_runs_all_in_turn(listen: MakeTrigger, scheduler: Callable[..., Any]) -> None:
    trigger: Trigger = listen(max_concurrent=1)
    for _ in range(4):
        arrive(trigger)
    rows = TriggerExecution.objects.of_trigger(trigger)
    with scheduler():
        assert wait_for(lambda: rows.filter(status="completed").count() == 4)
    runs = sorted((row.started_at, row.completed_at) for row in rows)
    assert all(one[1] <= after[0] for one, after in pairwise(runs))
