"""Who may send: each way in which a message may not be signed is a 401, and leaves no trace."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.models import EventSource
from events.schemes import hmac as signatures
from tests.integration.events.conftest import (
    BATCHED,
    CLOUD,
    KEY,
    ORDER,
    OTHER,
    SECRET,
    STRUCTURED,
    Later,
    MakeSource,
    Send,
    signed,
    stored,
)

BODIES: dict[str, Any] = {
    "webhook": ORDER,
    "github": {"action": "opened"},
    "slack": {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}},
    "stripe": {"id": "evt_1", "type": "invoice.paid"},
}
DATED = ["webhook", "slack", "stripe"]
SIGNATURES = {
    "webhook": "webhook-signature",
    "github": "X-Hub-Signature-256",
    "slack": "X-Slack-Signature",
    "stripe": "Stripe-Signature",
}
NEEDED = [
    *(("webhook", name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")),
    *(("slack", name) for name in ("X-Slack-Request-Timestamp", "X-Slack-Signature")),
    ("github", "X-Hub-Signature-256"),
    ("stripe", "Stripe-Signature"),
]
TIMES = {"webhook": "webhook-timestamp", "slack": "X-Slack-Request-Timestamp"}


def without_id(body: dict[str, Any]) -> dict[str, Any]:
    """An error's body without what is another at each request."""
    return {name: value for name, value in body.items() if name not in ("requestId", "timestamp")}


def refused(answer: Any) -> tuple[int, str, int]:
    """The status, the code and how many events are on record."""
    return answer.status_code, answer.json().get("code", ""), len(stored())


NOTHING = (401, "INVALID_SIGNATURE", 0)


@pytest.mark.parametrize(("kind", "name"), NEEDED)
def test_missing_header(make_source: MakeSource, send: Send, kind: str, name: str) -> None:
    make_source(kind)
    assert refused(send(BODIES[kind], kind, headers={name: ""})) == NOTHING


@pytest.mark.parametrize(("kind", "name"), NEEDED)
def test_missing_header_is_named(make_source: MakeSource, send: Send, kind: str, name: str) -> None:
    make_source(kind)
    assert name.lower() in send(BODIES[kind], kind, headers={name: ""}).json()["message"]


@pytest.mark.parametrize("kind", BODIES)
def test_secret_of_another(make_source: MakeSource, send: Send, kind: str) -> None:
    make_source(kind)
    assert refused(send(BODIES[kind], kind, secret=OTHER)) == NOTHING


@pytest.mark.parametrize("kind", BODIES)
def test_body_changed_by_a_byte(make_source: MakeSource, send: Send, kind: str) -> None:
    make_source(kind)
    body = json.dumps(BODIES[kind]).encode()
    own = signed(kind, SECRET, body, "msg_1", int(time.time()))
    assert refused(send(body + b" ", kind, headers=own)) == NOTHING


@pytest.mark.parametrize("kind", DATED)
@pytest.mark.parametrize("ago", [310, -310, 10**8])
def test_time_of_another_day(make_source: MakeSource, send: Send, kind: str, ago: int) -> None:
    make_source(kind)
    assert refused(send(BODIES[kind], kind, ago=ago)) == NOTHING


@pytest.mark.parametrize("kind", DATED)
@pytest.mark.parametrize("ago", [290, -290])
def test_clocks_may_differ_a_little(
    make_source: MakeSource, send: Send, kind: str, ago: int
) -> None:
    make_source(kind)
    assert send(BODIES[kind], kind, ago=ago).status_code == 200


@pytest.mark.parametrize(("kind", "name"), TIMES.items())
@pytest.mark.parametrize("text", ["now", "1e9", "-1", "9" * 30, "1.5", "\u00b2", "2027-01-31"])
def test_time_that_is_none(
    make_source: MakeSource, send: Send, kind: str, name: str, text: str
) -> None:
    make_source(kind)
    assert refused(send(BODIES[kind], kind, headers={name: text})) == NOTHING


@pytest.mark.parametrize("text", ["now", "", "9" * 30])
def test_time_of_stripe_that_is_none(make_source: MakeSource, send: Send, text: str) -> None:
    make_source("stripe")
    header = {"Stripe-Signature": f"t={text},v1={'0' * 64}"}
    assert refused(send(BODIES["stripe"], "stripe", headers=header)) == NOTHING


@pytest.mark.parametrize(
    "text",
    ["v1,", "v1", ",", "v1,%%%", "v2,AAAA", "v1a,AAAA", "sha256=", "v0=zz", "\u00e9", "x" * 5000],
)
@pytest.mark.parametrize(("kind", "name"), SIGNATURES.items())
def test_signature_that_is_none(
    make_source: MakeSource, send: Send, kind: str, name: str, text: str
) -> None:
    make_source(kind)
    given = f"t={int(time.time())},{text}" if kind == "stripe" else text
    assert refused(send(BODIES[kind], kind, headers={name: given})) == NOTHING


@pytest.mark.parametrize("kind", BODIES)
def test_signature_of_another_form(make_source: MakeSource, send: Send, kind: str) -> None:
    make_source(kind)
    body = json.dumps(BODIES[kind]).encode()
    own = signed(kind, SECRET, body, "msg_1", int(time.time()))
    name = SIGNATURES[kind]
    # v0 of Stripe stands for test events, v1a of Standard Webhooks for other keys.
    for right, wrong in (("v1,", "v1a,"), ("v1=", "v0="), ("v0=", "v1="), ("sha256=", "sha1=")):
        if right in own[name]:
            own[name] = own[name].replace(right, wrong)
            break
    assert refused(send(body, kind, headers=own)) == NOTHING


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("webhook", "v1,AAAA v1a,AAAA ", " v2,AAAA"),
        ("stripe", "v1=00,v0=00,", ",v0=11"),
    ],
)
def test_one_right_signature_of_several_is_enough(
    make_source: MakeSource, send: Send, kind: str, before: str, after: str
) -> None:
    make_source(kind)
    body = json.dumps(BODIES[kind]).encode()
    own = signed(kind, SECRET, body, "msg_1", int(time.time()))
    text = own[SIGNATURES[kind]]
    time_part, _, rest = text.rpartition(",") if kind == "stripe" else ("", "", text)
    header = f"{time_part},{before}{rest}{after}" if time_part else f"{before}{rest}{after}"
    assert send(body, kind, headers={**own, SIGNATURES[kind]: header}).status_code == 200


def test_secret_without_the_prefix_is_a_text(make_source: MakeSource, send: Send) -> None:
    make_source(secrets=signing_keys.seal("a plain text", timezone.now()))
    assert send(ORDER, secret="a plain text").status_code == 200


def test_secret_needs_no_padding(make_source: MakeSource, send: Send) -> None:
    bare = "whsec_" + base64.b64encode(KEY[:-1]).decode().rstrip("=")
    make_source(secrets=signing_keys.seal(bare, timezone.now()))
    padded = "whsec_" + base64.b64encode(KEY[:-1]).decode()
    assert send(ORDER, secret=padded).status_code == 200


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", ""])
def test_secret_that_is_none_lets_nobody_in(
    make_source: MakeSource, send: Send, secret: str
) -> None:
    make_source(secrets=signing_keys.seal(secret, timezone.now()))
    assert refused(send(ORDER, secret="whsec_")) == NOTHING


@pytest.mark.parametrize("kind", BODIES)
def test_source_without_a_secret_takes_nothing(
    make_source: MakeSource, send: Send, kind: str
) -> None:
    make_source(kind, secrets=[])
    assert refused(send(BODIES[kind], kind, secret="")) == NOTHING


def test_sender_is_told_that_there_is_no_secret(make_source: MakeSource, send: Send) -> None:
    make_source(secrets=[])
    assert "has no secret" in send(ORDER).json()["message"]


class TestReplay:
    @pytest.mark.parametrize("kind", DATED)
    def test_same_message_again(self, make_source: MakeSource, send: Send, kind: str) -> None:
        make_source(kind)
        body = json.dumps(BODIES[kind]).encode()
        own = signed(kind, SECRET, body, "msg_1", int(time.time()))
        first = send(body, kind, headers=own).json()["events"]
        again = send(body, kind, headers=own)
        assert (again.status_code, again.json()["events"], len(stored())) == (
            200,
            [{**first[0], "duplicate": True}],
            1,
        )

    @pytest.mark.parametrize("kind", DATED)
    def test_same_message_again_when_it_is_old(
        self, make_source: MakeSource, send: Send, later: Later, kind: str
    ) -> None:
        make_source(kind)
        body = json.dumps(BODIES[kind]).encode()
        own = signed(kind, SECRET, body, "msg_1", int(time.time()))
        send(body, kind, headers=own)
        later(minutes=20)
        answer = send(body, kind, headers=own)
        assert (answer.json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    @pytest.mark.parametrize("kind", DATED)
    def test_old_message_of_an_event_that_never_came(
        self, make_source: MakeSource, send: Send, later: Later, kind: str
    ) -> None:
        make_source(kind)
        body = json.dumps(BODIES[kind]).encode()
        own = signed(kind, SECRET, body, "msg_1", int(time.time()))
        later(minutes=20)
        assert refused(send(body, kind, headers=own)) == NOTHING

    def test_old_message_with_one_event_that_never_came(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send(CLOUD, key="msg_1", content_type=STRUCTURED)
        batch = [CLOUD, {**CLOUD, "id": "A-2"}]
        answer = send(batch, key="msg_2", content_type=BATCHED, ago=400)
        assert refused(answer) == (401, "INVALID_SIGNATURE", 1)

    @pytest.mark.parametrize("kind", DATED)
    def test_old_message_of_another_secret(
        self, make_source: MakeSource, send: Send, kind: str
    ) -> None:
        make_source(kind)
        send(BODIES[kind], kind)
        answer = send(BODIES[kind], kind, secret=OTHER, ago=400)
        assert refused(answer) == (401, "INVALID_SIGNATURE", 1)

    def test_old_challenge_is_not_answered(self, make_source: MakeSource, send: Send) -> None:
        make_source("slack")
        body = {"type": "url_verification", "challenge": "abc"}
        assert refused(send(body, "slack", ago=400)) == NOTHING

    @pytest.mark.parametrize("kind", DATED)
    def test_same_event_signed_anew(self, make_source: MakeSource, send: Send, kind: str) -> None:
        make_source(kind)
        send(BODIES[kind], kind, ago=5)
        answer = send(BODIES[kind], kind, headers={"X-Slack-Retry-Num": "1"})
        assert (answer.json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    def test_same_body_of_github(self, make_source: MakeSource, send: Send) -> None:
        # Its deliveries have no time, and their ids are not signed.
        make_source("github")
        send(BODIES["github"], "github", headers={"X-GitHub-Delivery": "1"})
        answer = send(BODIES["github"], "github", headers={"X-GitHub-Delivery": "2"})
        assert (answer.json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    @pytest.mark.parametrize(
        ("body", "before", "after"),
        [
            (CLOUD, STRUCTURED, "application/json"),
            (CLOUD, "application/json", STRUCTURED),
            (CLOUD, STRUCTURED, "text/plain"),
            ([CLOUD], BATCHED, "application/json"),
            ([CLOUD], "application/json", BATCHED),
            (ORDER, "application/json", "text/plain"),
        ],
    )
    def test_same_message_in_another_guise(
        self, make_source: MakeSource, send: Send, body: Any, before: str, after: str
    ) -> None:
        make_source()
        data = json.dumps(body).encode()
        own = signed("webhook", SECRET, data, "msg_1", int(time.time()))
        send(data, content_type=before, headers=own)
        # No header but those of the signature is signed.
        other = {"ce-specversion": "1.0", "ce-id": "X", "ce-source": "/x", "ce-type": "x"}
        answer = send(data, content_type=after, headers={**own, **other})
        told = [each["duplicate"] for each in answer.json()["events"]]
        assert (answer.status_code, told, len(stored())) == (200, [True], 1)

    def test_same_binary_event_under_another_id(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        own = signed("webhook", SECRET, b"{}", "msg_1", int(time.time()))
        event = {**own, "ce-specversion": "1.0", "ce-source": "/x", "ce-type": "x"}
        send(b"{}", headers={**event, "ce-id": "1"})
        answer = send(b"{}", headers={**event, "ce-id": "2"})
        assert (answer.json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    def test_same_text_divided_otherwise(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        now = int(time.time())
        # What is signed is m.now.now.5, of which the id could be m or m.now.
        own = signed("webhook", SECRET, f"{now}.5".encode(), "m", now)
        send(f"{now}.5".encode(), headers=own)
        answer = send(b"5", headers={**own, "webhook-id": f"m.{now}"})
        assert refused(answer) == (401, "INVALID_SIGNATURE", 1)

    def test_at_the_address_of_another(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        make_source(id="bank", secrets=signing_keys.seal(OTHER, timezone.now()))
        assert send(ORDER, source="bank").status_code == 401
        assert stored("bank") == []

    def test_batch_with_events_of_other_messages(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        send(CLOUD, key="msg_1", content_type=STRUCTURED)
        data = json.dumps([CLOUD, {**CLOUD, "id": "A-2"}]).encode()
        own = signed("webhook", SECRET, data, "msg_2", int(time.time()))
        send(data, content_type=BATCHED, headers=own)
        answer = send(data, content_type=BATCHED, headers=own)
        told = [each["duplicate"] for each in answer.json()["events"]]
        assert (told, len(stored())) == ([True, True], 2)

    def test_batch_tells_which_of_its_events_are_known(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send(CLOUD, key="msg_1", content_type=STRUCTURED)
        answer = send([CLOUD, {**CLOUD, "id": "A-2"}], key="msg_2", content_type=BATCHED)
        assert [each["duplicate"] for each in answer.json()["events"]] == [True, False]

    def test_same_event_of_another_source_is_another(
        self, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        make_source(id="bank")
        send(ORDER)
        answer = send(ORDER, source="bank")
        assert answer.json()["events"][0]["duplicate"] is False


class TestRotation:
    @pytest.fixture
    def rotated(self, make_source: MakeSource) -> EventSource:
        return make_source()

    @pytest.mark.parametrize("secret", [SECRET, OTHER])
    @pytest.mark.parametrize("hours", [0, 23])
    def test_both_secrets_hold_for_a_day(
        self, rotated: EventSource, send: Send, secret: str, hours: int
    ) -> None:
        self.rotate(rotated, hours)
        assert send(ORDER, secret=secret).status_code == 200

    def test_old_secret_ends_after_its_day(self, rotated: EventSource, send: Send) -> None:
        self.rotate(rotated, 25)
        assert refused(send(ORDER, secret=SECRET)) == NOTHING

    def test_new_secret_stays(self, rotated: EventSource, send: Send) -> None:
        self.rotate(rotated, 25)
        assert send(ORDER, secret=OTHER).status_code == 200

    def test_replay_with_the_other_of_two_signatures_runs_nothing(
        self, rotated: EventSource, send: Send
    ) -> None:
        self.rotate(rotated, 0)
        body, at = json.dumps(ORDER).encode(), int(time.time())
        old, new = (signed("webhook", each, body, "msg_1", at) for each in (SECRET, OTHER))
        both = f"{old['webhook-signature']} {new['webhook-signature']}"
        send(body, headers={**new, "webhook-signature": both})
        answer = send(body, headers=old)
        assert (answer.json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    def rotate(self, source: EventSource, hours: int) -> None:
        """Have the source get a new secret so many hours ago."""
        then = timezone.now() - timedelta(hours=hours)
        source.secrets = signing_keys.seal(OTHER, then, source.secrets)
        source.save()


class TestSecretKey:
    @pytest.fixture
    def sealed(self, make_source: MakeSource, settings: Any) -> None:
        """A source whose secrets were sealed with a key that is no longer set."""
        make_source()
        settings.SECRET_KEY_FALLBACKS = []
        settings.SECRET_KEY = "another"

    def test_sender_is_to_come_again(self, sealed: None, send: Send) -> None:
        answer = send(ORDER)
        told = "The secrets of this source cannot be read here" in answer.json()["message"]
        assert (answer.status_code, told, stored()) == (503, True, [])

    def test_operator_sees_the_remedy(
        self, sealed: None, send: Send, caplog: pytest.LogCaptureFixture
    ) -> None:
        send(ORDER)
        assert "source shop are refused: its secrets were sealed with another" in caplog.text

    def test_fallback_opens_them(self, sealed: None, send: Send, settings: Any) -> None:
        from tests.settings import SECRET_KEY

        settings.SECRET_KEY_FALLBACKS = [SECRET_KEY]
        assert send(ORDER).status_code == 200

    def test_new_secret_mends_it(self, sealed: None, send: Send) -> None:
        source = EventSource.objects.get(pk="shop")
        source.secrets = signing_keys.seal(OTHER, timezone.now(), source.secrets)
        source.save()
        assert send(ORDER, secret=OTHER).status_code == 200

    def test_messages_without_a_signature_do_not_ask_for_them(
        self, sealed: None, send: Send
    ) -> None:
        assert refused(send(ORDER, headers={"webhook-signature": ""})) == NOTHING


class TestAddress:
    @pytest.mark.parametrize(
        "source", ["nobody", "Shop", "sh op", "a" * 3000, "%00", "%ff", "orders", "%F0%9F%99%82"]
    )
    def test_no_source_there(self, make_source: MakeSource, send: Send, source: str) -> None:
        make_source()
        assert refused(send(ORDER, source=source)) == NOTHING

    def test_bus_has_none(self, make_source: MakeSource, send: Send) -> None:
        make_source("bus", pattern={"source": ["my.shop"]})
        assert refused(send(ORDER)) == NOTHING

    @pytest.mark.parametrize("kind", BODIES)
    @pytest.mark.parametrize("other", BODIES)
    @pytest.mark.parametrize("fault", ["secret", "header", "age", "form", "nothing"])
    def test_answer_does_not_say_whether_there_is_a_source(
        self, make_source: MakeSource, send: Send, kind: str, other: str, fault: str
    ) -> None:
        make_source(kind)
        body = json.dumps(BODIES[other]).encode()
        headers = signed(other, OTHER, body, "msg_1", int(time.time()) - 400 * (fault == "age"))
        if fault in ("header", "form"):
            headers[SIGNATURES[other]] = "" if fault == "header" else "v9,nothing"
        headers = {} if fault == "nothing" else headers
        address = "/events?source={}"
        told = [
            Client().post(
                address.format(source), body, content_type="application/json", headers=headers
            )
            for source in ("shop", "nobody")
        ]
        known, unknown = ((each.status_code, without_id(each.json())) for each in told)
        assert (known[0], known) == (401, unknown)

    def test_no_source_costs_the_check_of_a_signature(
        self, make_source: MakeSource, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_source()
        checked = []
        digest = signatures.hmac.digest
        monkeypatch.setattr(
            signatures.hmac, "digest", lambda *given: checked.append(1) or digest(*given)
        )
        counts = []
        for source in ("shop", "nobody"):
            own = signed("webhook", OTHER, b"{}", "msg_1", int(time.time()))
            del checked[:]
            send(b"{}", source=source, headers=own)
            counts.append(len(checked))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("query", ["", "?source=", "?sourceId=shop"])
    def test_address_names_a_source(self, make_source: MakeSource, query: str) -> None:
        make_source()
        answer = Client().post(f"/events{query}", ORDER, content_type="application/json")
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "source")

    def test_token_is_no_signature(self, make_source: MakeSource, alice: Any) -> None:
        make_source()
        assert refused(alice.post("/events?source=shop", ORDER)) == NOTHING

    def test_bad_token_does_not_matter(self, make_source: MakeSource, send: Send) -> None:
        make_source()
        assert send(ORDER, headers={"Authorization": "Bearer x"}).status_code == 200

    def test_trailing_slash_is_taken(self, make_source: MakeSource) -> None:
        make_source()
        body = json.dumps(ORDER).encode()
        headers = signed("webhook", SECRET, body, "msg_1", int(time.time()))
        answer = Client().post(
            "/events/?source=shop", body, content_type="application/json", headers=headers
        )
        assert answer.status_code == 200
