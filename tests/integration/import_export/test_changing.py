"""Changes of the TypeScript service's items keep the attributes that only it knows."""

from django.core.management import call_command
from django.test import Client

from tests.integration.admin.conftest import TRIGGERS, form_data
from tests.integration.api.conftest import API
from tests.integration.import_export.conftest import ALICE, Item, Table, trigger_item
from triggers.models import Trigger


def changed(table: Table, before: Item) -> dict[str, object]:
    """The attributes that differ from before, with their present values."""
    now = table.get(before)
    assert now is not None
    names = {name for name in {**before, **now} if before.get(name) != now.get(name)}
    return {name: now.get(name) for name in names}


def test_the_api_changes_one_attribute(alice: API, table: Table, trigger: Item) -> None:
    response = alice.patch(f"/triggers/{trigger['id']}", {"prompt": "Write it short."})
    assert response.status_code == 200, response.content
    now = changed(table, trigger)
    assert now.pop("updatedAt") > trigger["updatedAt"]
    assert now == {"prompt": "Write it short.", "version": 2}


def test_a_new_schedule_keeps_other_parts_of_the_map(
    alice: API, table: Table, trigger: Item
) -> None:
    config = {"expression": "cron(0 10 ? * MON *)", "timezone": "Europe/Berlin"}
    response = alice.patch(f"/triggers/{trigger['id']}", {"scheduleConfig": config})
    assert response.status_code == 200, response.content
    assert changed(table, trigger)["scheduleConfig"] == {**trigger["scheduleConfig"], **config}


def test_the_admin_changes_it(editor: Client, table: Table, trigger: Item) -> None:
    data = form_data(Trigger.objects.get(user_id=ALICE, pk=trigger["id"]), name="Digest")
    response = editor.post(f"{TRIGGERS}{trigger['id']}/change/", data)
    assert response.status_code == 302, response.context["errors"]
    now = table.get(trigger)
    assert now is not None
    assert now["name"] == "Digest"
    assert now["legacyFlag"] == trigger["legacyFlag"]
    assert now["scheduleConfig"] == trigger["scheduleConfig"]
    assert now["createdAt"] == trigger["createdAt"]


def test_enable_and_disable(alice: API, table: Table, trigger: Item) -> None:
    assert alice.post(f"/triggers/{trigger['id']}/disable").status_code == 200
    assert changed(table, trigger)["enabled"] is False
    assert alice.post(f"/triggers/{trigger['id']}/enable").status_code == 200
    assert "enabled" not in changed(table, trigger)


def test_another_type_moves_it_in_the_indexes(alice: API, table: Table) -> None:
    event = table.put(trigger_item(type="event"))
    body = {"type": "schedule", "scheduleConfig": {"expression": "rate(1 day)"}}
    response = alice.patch(f"/triggers/{event['id']}", body)
    assert response.status_code == 200, response.content
    now = table.get(event)
    assert now is not None
    assert now["GSI1PK"] == "TYPE#schedule"
    assert not now.keys() & {"GSI2PK", "GSI2SK"}
    assert now["legacyFlag"] == event["legacyFlag"]


def test_a_change_of_the_other_service_meanwhile_is_not_undone(
    alice: API, table: Table, trigger: Item
) -> None:
    ours = Trigger.objects.get(user_id=ALICE, pk=trigger["id"])
    table.put({**trigger, "name": "Theirs", "updatedAt": "2026-03-03T00:00:00.000Z"})
    ours.prompt = "Ours."
    ours.save()
    now = table.get(trigger)
    assert now is not None
    assert (now["name"], now["prompt"]) == ("Theirs", "Ours.")


def test_delete(alice: API, table: Table, trigger: Item) -> None:
    assert alice("DELETE", f"/triggers/{trigger['id']}").status_code == 200
    assert table.get(trigger) is None


def test_a_trigger_of_2026_is_handed_back_whole(alice: API, table: Table) -> None:
    item = table.put(trigger_item(reasoningEffort="max", workingDirectory="/"))
    path = f"/triggers/{item['id']}"
    shown = alice.get(path).json()["trigger"]
    response = alice("PUT", path, {**shown, "prompt": "Write it short."})
    assert response.status_code == 200, response.content
    now = changed(table, item)
    assert (shown["reasoningEffort"], now.keys()) == ("max", {"prompt", "updatedAt", "version"})


def test_adoption_keeps_the_reasoning_effort(table: Table) -> None:
    item = table.put(trigger_item(reasoningEffort="low"))
    call_command("adopt_table")
    now = table.get(item)
    assert now is not None
    assert now["reasoningEffort"] == "low"
