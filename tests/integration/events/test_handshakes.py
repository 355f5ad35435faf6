"""What senders ask before they send, and what they read back at once."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from slack_sdk.signature import SignatureVerifier

from tests.integration.events.conftest import SECRET, MakeSource, stored
from tests.integration.events.test_senders import deliver, sealed
from tests.senders import BY_KIND, FORM, JSON, Posted

COMMAND = {
    "command": "/count",
    "text": "sheep",
    "trigger_id": "13345224609.738474920",
    "token": "T",
}
BUTTON = {"type": "block_actions", "trigger_id": "1", "actions": [{"value": "yes"}], "token": "T"}


def post(kind: str, body: Any, content_type: str = JSON) -> Any:
    """Post a body, signed as the sender of a kind signs."""
    case = BY_KIND[kind]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = case.sign(case.secret, raw, int(time.time()), "1")
    return deliver(Posted(raw, headers, content_type))


class TestSlack:
    def form(self, **fields: Any) -> Any:
        """A form that Slack's own library signs."""
        body = urlencode(fields)
        now = str(int(time.time()))
        signature = SignatureVerifier(SECRET).generate_signature(timestamp=now, body=body)
        headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": str(signature)}
        return deliver(Posted(body.encode(), headers, FORM))

    def test_command_is_an_event(self, make_source: MakeSource) -> None:
        make_source("slack")
        self.form(**COMMAND)
        (event,) = stored()
        expected = {name: text for name, text in COMMAND.items() if name != "token"}
        assert (event["detail-type"], event["detail"]) == ("command", expected)

    def test_author_of_a_command_reads_a_note(self, make_source: MakeSource) -> None:
        make_source("slack")
        answer = self.form(**COMMAND)
        assert (answer.status_code, answer.json()["response_type"]) == (200, "ephemeral")

    def test_button_is_an_event(self, make_source: MakeSource) -> None:
        make_source("slack")
        answer = self.form(payload=json.dumps(BUTTON))
        (event,) = stored()
        found = answer.status_code, answer.content, event["detail-type"], event["detail"]["actions"]
        assert found == (200, b"", "block_actions", [{"value": "yes"}])

    def test_form_that_comes_again_is_known(self, make_source: MakeSource) -> None:
        make_source("slack")
        self.form(**COMMAND)
        self.form(**COMMAND)
        assert len(stored()) == 1

    def test_check_of_the_certificate_starts_nothing(self, make_source: MakeSource) -> None:
        make_source("slack")
        answer = self.form(ssl_check="1")
        assert (answer.status_code, stored()) == (200, [])

    @pytest.mark.parametrize("fields", [{"payload": "{"}, {"payload": "[]"}, {"x": "y"}])
    def test_other_forms_are_no_events(self, make_source: MakeSource, fields: Any) -> None:
        make_source("slack")
        assert (self.form(**fields).status_code, stored()) == (400, [])


class TestDiscord:
    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [({"type": 1}, 200, 1), ({"type": 4, "id": "1"}, 200, 8), ({"type": 0}, 204, None)],
    )
    def test_question_is_answered_and_starts_nothing(
        self, make_source: MakeSource, body: Any, status: int, kind: int | None
    ) -> None:
        make_source("discord", secrets=sealed(BY_KIND["discord"]))
        answer = post("discord", body)
        found = answer.json()["type"] if answer.content else None
        assert (answer.status_code, found, stored()) == (status, kind, [])

    @pytest.mark.parametrize(
        ("number", "kind", "answered"),
        [(2, "application_command", 4), (3, "message_component", 6), (5, "modal_submit", 4)],
    )
    def test_interaction_is_an_event(
        self, make_source: MakeSource, number: int, kind: str, answered: int
    ) -> None:
        make_source("discord", secrets=sealed(BY_KIND["discord"]))
        answer = post("discord", {"type": number, "id": "846462639134605312"})
        assert (answer.json()["type"], stored()[0]["detail-type"]) == (answered, kind)

    def test_event_of_the_application(self, make_source: MakeSource) -> None:
        make_source("discord", secrets=sealed(BY_KIND["discord"]))
        event = {"type": "APPLICATION_AUTHORIZED", "timestamp": "2027-01-31T09:00:00Z"}
        answer = post("discord", {"type": 1, "application_id": "1", "event": event})
        found = answer.status_code, stored()[0]["detail-type"], stored()[0]["time"]
        assert found == (204, "APPLICATION_AUTHORIZED", "2027-01-31T09:00:00.000Z")


class TestZoom:
    BODY = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}

    def test_address_is_validated(self, make_source: MakeSource) -> None:
        case = BY_KIND["zoom"]
        make_source("zoom", secrets=sealed(case))
        plain = self.BODY["payload"]["plainToken"]  # type: ignore[index]
        right = hmac.new(case.secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        expected = {"plainToken": plain, "encryptedToken": right}
        assert (post("zoom", self.BODY).json(), stored()) == (expected, [])

    def test_nobody_else_learns_what_the_secret_makes(self, make_source: MakeSource) -> None:
        case = BY_KIND["zoom"]
        make_source("zoom", secrets=sealed(case, case.other))
        assert post("zoom", self.BODY).status_code == 401

    def test_half_a_character_is_refused(self, make_source: MakeSource) -> None:
        make_source("zoom", secrets=sealed(BY_KIND["zoom"]))
        body = {"event": "endpoint.url_validation", "payload": {"plainToken": "\ud800"}}
        assert post("zoom", body).status_code == 400


class TestTwilio:
    def test_answer_holds_no_instructions(self, make_source: MakeSource) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        answer = deliver(case.post(at=0))
        assert (answer["Content-Type"], answer.content) == ("text/xml", b"<Response/>")

    def test_call_is_named_by_its_status(self, make_source: MakeSource) -> None:
        make_source("twilio", secrets=sealed(BY_KIND["twilio"]))
        post("twilio", urlencode({"CallSid": "CA1", "CallStatus": "ringing"}).encode(), FORM)
        assert stored()[0]["detail-type"] == "call.ringing"

    @pytest.mark.parametrize("kind", ["twilio", "bitbucket"])
    def test_host_with_an_impossible_port_is_refused(
        self, make_source: MakeSource, kind: str
    ) -> None:
        make_source(kind, secrets=sealed(BY_KIND[kind]))
        answer = deliver(BY_KIND["twilio"].post(at=0), Host="testserver:99999")
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "again", ["To=1&Body=Hi", "Body=H%69&To=1", "Body=Hi&To=1&To=1", "Body=Hi&&To=1"]
    )
    def test_fields_in_another_order_are_the_same_message(
        self, make_source: MakeSource, again: str
    ) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        headers = case.sign(case.secret, b"Body=Hi&To=1", 0, "1")
        for number, body in enumerate(("Body=Hi&To=1", again)):
            own = {**headers, "I-Twilio-Idempotency-Token": str(number)}
            assert deliver(Posted(body.encode(), own, FORM)).status_code == 200
        assert len(stored()) == 1


class TestMeta:
    def shake(self, **query: str) -> Any:
        found = {"source": "shop", "hub.mode": "subscribe", "hub.challenge": "1158201444", **query}
        return Client().get("/events", found)

    def token(self, editor: Client) -> str:
        """The token that the page of the source shows."""
        html = editor.get("/console/events/shop").content.decode()
        return html.partition('<code id="verify-token">')[2].partition("<")[0]

    def test_token_of_the_page_is_the_right_one(
        self, make_source: MakeSource, editor: Client
    ) -> None:
        make_source("meta")
        answer = self.shake(**{"hub.verify_token": self.token(editor)})
        assert (answer.status_code, answer.content, answer["Content-Type"]) == (
            200,
            b"1158201444",
            "text/plain",
        )

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"hub.verify_token": "another"},
            {"hub.mode": "unsubscribe"},
            {"hub.challenge": "x" * 300},
            {"hub.challenge": ""},
            {"source": "other"},
        ],
    )
    def test_anything_else_is_refused(
        self, make_source: MakeSource, editor: Client, query: dict[str, str]
    ) -> None:
        make_source("meta")
        token = {"hub.verify_token": self.token(editor)} if query else {}
        assert self.shake(**{**token, **query}).status_code == 403


class TestCloudEvents:
    """HTTP 1.1 Web Hooks for Event Delivery, abuse protection."""

    ASKED = {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"}

    @pytest.mark.parametrize("source", ["shop", "nobody"])
    def test_sender_may_send(self, make_source: MakeSource, source: str) -> None:
        make_source()
        answer = Client().options(f"/events?source={source}", headers=self.ASKED)
        names = ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
        found = answer.status_code, *(answer[name] for name in names), "POST" in answer["Allow"]
        assert found == (200, "eventemitter.example.com", "*", True)

    def test_others_are_not_told(self, make_source: MakeSource) -> None:
        make_source()
        answer = Client().options("/events?source=shop")
        assert "WebHook-Allowed-Origin" not in answer
