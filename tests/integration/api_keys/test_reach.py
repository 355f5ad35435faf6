"""A key for some triggers reaches no others of its owner by what it writes to its own."""

from collections.abc import Callable
from typing import Any

import pytest

from events.models import EventSource
from tests.integration.api.conftest import API
from tests.integration.api_keys.conftest import api_with, make_key
from tests.integration.mcp_server.conftest import MCP
from triggers.models import Trigger

Make = Callable[..., Trigger]
ALL_ENDS = {"source": ["moca.triggers"]}
ORDERS = {"source": ["shop"], "detail-type": ["order"]}


def ends_of(*trigger_ids: Any) -> dict[str, Any]:
    return {**ALL_ENDS, "detail": {"triggerId": [*trigger_ids]}}


def listening_to(pattern: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The fields of an event trigger with a pattern of its own."""
    config = {"eventPattern": pattern, **more}
    return {"type": "event", "schedule_config": None, "event_config": config}


@pytest.fixture
def mine(make_trigger: Make) -> Trigger:
    """The trigger that the key is for. It listens to orders."""
    return make_trigger(name="Mine", overlap_policy="allow", **listening_to(ORDERS))


@pytest.fixture
def other(make_trigger: Make) -> Trigger:
    return make_trigger(pk="other", name="Payroll")


@pytest.fixture
def limited(mine: Trigger) -> API:
    """The API with a key for `mine` alone."""
    return api_with(make_key(trigger_ids=[mine.pk])[1])


def faults(response: Any) -> list[str]:
    """The fields that an answer refuses, if the reason is the key."""
    found = response.json().get("details", [])
    return [each["field"] for each in found if "This API key is for some" in each["message"]]


def change(limited: API, mine: Trigger, config: dict[str, Any], **more: Any) -> Any:
    return limited.patch(f"/triggers/{mine.pk}", {"eventConfig": config, **more})


REFUSED = ["eventConfig.eventPattern"]


class TestEndsOfRuns:
    def test_the_error_names_the_remedy(self, limited: API, mine: Trigger) -> None:
        said = change(limited, mine, {"eventPattern": ALL_ENDS}).json()["message"]
        assert "only those that the key is for" in said

    def test_nothing_is_stored(self, limited: API, mine: Trigger, other: Trigger) -> None:
        change(limited, mine, {"eventPattern": ends_of(other.pk)})
        mine.refresh_from_db()
        assert mine.event_config == {"eventPattern": ORDERS}

    def test_by_put(self, limited: API, mine: Trigger) -> None:
        body = {"eventConfig": {"eventPattern": ALL_ENDS}}
        assert faults(limited("PUT", f"/triggers/{mine.pk}", body)) == REFUSED

    def test_by_another_name_of_the_bus(self, limited: API, mine: Trigger, settings: Any) -> None:
        settings.EVENT_BUSES = ["*"]
        bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
        response = change(limited, mine, {"eventPattern": ALL_ENDS, "eventBusName": bus})
        assert faults(response) == REFUSED

    @pytest.mark.parametrize(
        "detail",
        [
            {"triggerId": ["other"]},
            {"triggerId": [{"prefix": "oth"}]},
            {"triggerName": ["Payroll"]},
            {"triggerName": ["not created yet"]},
            {"$or": [{"triggerId": ["other"]}, {"triggerName": ["Payroll"]}]},
        ],
    )
    @pytest.mark.usefixtures("other")
    def test_by_its_detail(self, limited: API, mine: Trigger, detail: dict[str, Any]) -> None:
        response = change(limited, mine, {"eventPattern": {**ALL_ENDS, "detail": detail}})
        assert faults(response) == REFUSED

    def test_by_an_event_source(self, limited: API, mine: Trigger, other: Trigger) -> None:
        EventSource(id="runs", name="Runs", kind="bus", pattern=ends_of(other.pk)).save()
        response = change(limited, mine, {"eventSourceId": "runs"})
        assert faults(response) == REFUSED

    def test_of_those_that_the_key_is_for(self, mine: Trigger, other: Trigger) -> None:
        api = api_with(make_key(trigger_ids=[mine.pk, other.pk])[1])
        assert change(api, mine, {"eventPattern": ends_of(other.pk)}).status_code == 200

    def test_by_another_type(self, limited: API, mine: Trigger) -> None:
        """A schedule hears nothing, so its map of events may have anything."""
        schedule = {"type": "schedule", "scheduleConfig": {"expression": "rate(1 day)"}}
        change(limited, mine, {"eventPattern": ALL_ENDS}, **schedule)
        response = limited.patch(f"/triggers/{mine.pk}", {"type": "event"})
        assert faults(response) == REFUSED

    def test_a_loop_names_no_other_trigger(
        self, limited: API, mine: Trigger, make_trigger: Make
    ) -> None:
        fields = listening_to(ends_of(mine.pk))
        next_one = make_trigger(name="Payroll", overlap_policy="allow", **fields)
        pattern = ends_of(next_one.pk)
        assert b"Payroll" not in change(limited, mine, {"eventPattern": pattern}).content

    def test_over_mcp(self, mine: Trigger) -> None:
        client = MCP(token=make_key(trigger_ids=[mine.pk])[1])
        given = {"triggerId": mine.pk, "eventConfig": {"eventPattern": ALL_ENDS}}
        assert "This API key is for some" in client.refusal("update_trigger", **given)


class TestOfItsOwner:
    """The owner has `mine` listen to another trigger. The key may change all the rest."""

    @pytest.fixture(autouse=True)
    def _listen(self, mine: Trigger, other: Trigger) -> None:
        mine.event_config = {"eventPattern": ends_of(other.pk)}
        mine.save()

    def test_the_whole_trigger_sent_back(self, limited: API, mine: Trigger) -> None:
        path = f"/triggers/{mine.pk}"
        assert limited("PUT", path, limited.get(path).json()["trigger"]).status_code == 200

    def test_most_runs_in_an_hour(self, limited: API, mine: Trigger) -> None:
        assert change(limited, mine, {"maxRunsPerHour": 5}).status_code == 200

    def test_the_same_events_with_another_prompt(
        self, limited: API, mine: Trigger, other: Trigger
    ) -> None:
        config = {"eventPattern": ends_of(other.pk)}
        assert change(limited, mine, config, prompt="Another.").status_code == 200


class TestConcurrencyKey:
    @pytest.mark.parametrize(
        "fields",
        [
            {"concurrencyKey": "orders"},
            {"concurrencyKey": "orders", "overlapPolicy": "cancel_other"},
        ],
    )
    def test_is_not_entered(self, limited: API, mine: Trigger, fields: dict[str, Any]) -> None:
        response = limited.patch(f"/triggers/{mine.pk}", fields)
        fields_refused = [each["field"] for each in response.json().get("details", [])]
        assert (response.status_code, fields_refused) == (400, ["concurrencyKey"])

    def test_its_runs_are_not_cancelled(self, limited: API, mine: Trigger) -> None:
        Trigger.objects.filter(user_id=mine.user_id, pk=mine.pk).update(concurrency_key="orders")
        response = limited.patch(f"/triggers/{mine.pk}", {"overlapPolicy": "cancel_other"})
        assert response.status_code == 400

    def test_own_runs_are_limited_without_one(self, limited: API, mine: Trigger) -> None:
        fields = {"maxConcurrent": 2, "overlapPolicy": "buffer_one"}
        assert limited.patch(f"/triggers/{mine.pk}", fields).status_code == 200


class TestWhoHearsOfIt:
    """What a trigger is called, tagged with and runs on is what others may listen for."""

    @pytest.fixture
    def payroll(self, make_trigger: Make) -> Trigger:
        """A trigger that starts after runs of any `Report`, by any of its parts."""
        named: list[dict[str, Any]] = [
            {"triggerName": ["Report"]},
            {"tags": ["report"]},
            {"agentId": ["accountant"]},
        ]
        pattern = {**ALL_ENDS, "detail": {"$or": named}}
        return make_trigger(name="Payroll", overlap_policy="allow", **listening_to(pattern))

    @pytest.mark.parametrize(
        ("field", "value"), [("name", "Report"), ("tags", ["report"]), ("agentId", "accountant")]
    )
    def test_no_other_trigger_starts_after_it(
        self, limited: API, mine: Trigger, payroll: Trigger, field: str, value: Any
    ) -> None:
        response = limited.patch(f"/triggers/{mine.pk}", {field: value})
        assert faults(response) == [field]

    def test_the_error_names_no_other_trigger(
        self, limited: API, mine: Trigger, payroll: Trigger
    ) -> None:
        mine.event_config = {"eventPattern": ends_of(payroll.pk)}
        mine.save()
        response = limited.patch(f"/triggers/{mine.pk}", {"name": "Report"})
        assert b"Payroll" not in response.content

    def test_one_that_starts_already(self, limited: API, mine: Trigger, make_trigger: Make) -> None:
        make_trigger(overlap_policy="allow", **listening_to(ends_of(mine.pk)))
        response = limited.patch(f"/triggers/{mine.pk}", {"name": "Report"})
        assert response.status_code == 200

    def test_one_that_the_key_is_for(self, mine: Trigger, payroll: Trigger) -> None:
        both = api_with(make_key(trigger_ids=[mine.pk, payroll.pk])[1])
        response = both.patch(f"/triggers/{mine.pk}", {"name": "Report"})
        assert response.status_code == 200

    def test_a_key_for_all(self, mine: Trigger, payroll: Trigger) -> None:
        response = api_with(make_key()[1]).patch(f"/triggers/{mine.pk}", {"name": "Report"})
        assert response.status_code == 200

    def test_a_loop_through_others_names_none(self, mine: Trigger, make_trigger: Make) -> None:
        """Between the two of the key is one that it is not for."""
        payroll = make_trigger(
            name="Payroll", overlap_policy="allow", **listening_to(ends_of(mine.pk))
        )
        fields = listening_to(ends_of(payroll.pk))
        last = make_trigger(name="Last", overlap_policy="allow", **fields)
        both = api_with(make_key(trigger_ids=[mine.pk, last.pk])[1])
        response = change(both, mine, {"eventPattern": ends_of(last.pk)})
        assert (response.status_code, b"Payroll" in response.content) == (400, False)
