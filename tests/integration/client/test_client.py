"""The client in Python, `moca_triggers.Client`."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from moca_triggers import ChangedError, Client, NotFoundError, RefusedError
from pytest_django.live_server_helper import LiveServer

from tests.conftest import make_many
from triggers.models import Trigger

MakeTrigger = Callable[..., Trigger]


@pytest.fixture
def client(live_server: LiveServer, token: Callable[[str], str]) -> Iterator[Client]:
    with Client(live_server.url, token("alice")) as made:
        yield made


def test_pages_are_read_while_one_iterates(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_many(6, user_id="alice")
    sent, send = [], client._transport.send
    monkeypatch.setattr(
        client._transport, "send", lambda *args, **more: sent.append(args) or send(*args, **more)
    )
    names = [each["name"] for each in islice(client.triggers(order="asc", page_size=2), 3)]
    assert (names, len(sent)) == (["T0000", "T0001", "T0002"], 2)


def test_an_error_names_the_field_and_what_is_meant(client: Client) -> None:
    with pytest.raises(RefusedError) as raised:
        client.preview("0 9 * * 1-5")
    error = raised.value
    assert (error.status, error.code, error.field, error.suggestion) == (
        400,
        "VALIDATION_ERROR",
        "expression",
        "0 9 ? * MON-FRI *",
    )


def test_anothers_change_is_not_overwritten(client: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger()
    client.update(trigger.pk, {"prompt": "First."}, version=1)
    with pytest.raises(ChangedError, match="Read the trigger again"):
        client.update(trigger.pk, {"prompt": "Second."}, version=1)


def test_null_clears_a_field(client: Client, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(description="Old.")
    assert "description" not in client.update(trigger.pk, {"description": None})


def test_an_id_is_no_path(client: Client) -> None:
    with pytest.raises(NotFoundError):
        client.trigger("../events")


def test_create_with_a_key_creates_once(client: Client) -> None:
    made = [
        client.create(
            {
                "name": "Report",
                "type": "schedule",
                "agentId": "reporter",
                "prompt": "Report.",
                "scheduleConfig": {"expression": "rate(1 hour)"},
            },
            idempotency_key="once",
        )["id"]
        for _twice in range(2)
    ]
    assert made[0] == made[1]


def test_the_token_is_in_no_text_of_the_client() -> None:
    with Client("http://127.0.0.1:8000", "s3cret") as client:
        assert "s3cret" not in repr(client) + repr(client._transport)
