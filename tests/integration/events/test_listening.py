"""Sources that listen: what they hear, what is proposed, and how a source takes a proposal."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events import listening, proposals
from events.models import EventSource, SeenMessage
from events.proposals import Proposal
from events.schemes.base import Message
from tests.integration.console.conftest import editor, viewer
from tests.integration.events.conftest import ORDER, SECRET, MakeSource, Send, signed, stored

__all__ = ["editor", "viewer"]

PAGE = "/console/events/shop/listen"
BODY = json.dumps(ORDER).encode()
TEXT = "a-secret-of-the-sender-0123456789"
NOW = str(int(time.time()))
ID = "0190a3c1-7d6b-7a51-8f6e-5f2d3c4b5a69"


@pytest.fixture
def hears(make_source: MakeSource) -> EventSource:
    return make_source(listening_until=timezone.now() + timedelta(minutes=5))


def shown(client: Client) -> str:
    return " ".join(client.get(PAGE).content.decode().split())


def choices(page: str) -> list[str]:
    return re.findall(r'name="choice" value="([^"]+)"', page)


class TestHearing:
    def test_nothing_runs(self, hears: EventSource, send: Send) -> None:
        answer = send(ORDER)
        found = answer.status_code, answer.json()["events"], stored()
        assert found == (200, [], [])

    def test_a_message_that_nobody_has_signed_is_heard(
        self, hears: EventSource, send: Send
    ) -> None:
        send(ORDER, headers={"webhook-signature": ""})
        assert [row.size for row in listening.heard(hears)] == [len(BODY)]

    def test_it_is_stored_encrypted(self, hears: EventSource, send: Send) -> None:
        send(ORDER, headers={"X-Api-Key": "abcdefgh-ijkl"})
        (row,) = listening.heard(hears)
        texts = json.dumps([row.headers, row.sealed])
        message = listening.opened(row)
        assert message is not None
        assert ("abcdefgh" in texts, message.headers["x-api-key"], message.body) == (
            False,
            "abcdefgh-ijkl",
            BODY,
        )

    def test_few_of_a_flood_are_kept(
        self, hears: EventSource, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "AT_ONCE", listening.MOST + 3)
        listening._limit.cache_clear()
        codes = {send(ORDER, key=f"m{number}").status_code for number in range(30)}
        heard = SeenMessage.objects.of("shop", "heard")
        assert (codes, len(list(heard))) == ({200}, listening.MOST)

    def test_a_large_body_is_not_kept_whole(self, hears: EventSource, send: Send) -> None:
        listening._limit.cache_clear()
        send({"a": "x" * 100_000})
        (row,) = listening.heard(hears)
        assert (row.sealed, row.size > 100_000, len(row.start)) == ("", True, 501)

    def test_it_ends_by_itself(self, make_source: MakeSource, send: Send) -> None:
        make_source(listening_until=timezone.now() - timedelta(seconds=1))
        assert (send(ORDER).status_code, len(stored())) == (200, 1)

    def test_slack_gets_the_answer_to_its_question(self, hears: EventSource, send: Send) -> None:
        answer = send({"type": "url_verification", "challenge": "3eZbrw1aB"})
        assert answer.json()["challenge"] == "3eZbrw1aB"

    def test_it_is_no_rejected_message(self, hears: EventSource, send: Send) -> None:
        send(ORDER, headers={"webhook-signature": ""})
        assert not SeenMessage.objects.of("shop", "rejected")[:1]


def message_of(headers: dict[str, str], body: bytes = BODY) -> Message:
    return Message({name.lower(): text for name, text in headers.items()}, body, "application/json")


class TestKnownSenders:
    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_headers_name_the_sender(self, kind: str) -> None:
        secret = SECRET if kind == "webhook" else TEXT
        message = message_of(signed(kind, secret, BODY, "msg_1", int(NOW)))
        assert proposals.propose(message)[0].kind == kind

    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_secret_verifies(self, kind: str) -> None:
        secret = SECRET if kind == "webhook" else TEXT
        message = message_of(signed(kind, secret, BODY, "msg_1", int(NOW)))
        assert proposals.verify(message, secret)[0] == Proposal(kind, is_verified=True)

    def test_another_secret_verifies_nothing(self) -> None:
        message = message_of(signed("github", TEXT, BODY, "", int(NOW)))
        assert proposals.verify(message, f"{TEXT}x") == []

    def test_token_of_gitlab(self) -> None:
        message = message_of({"X-Gitlab-Token": TEXT, "X-Gitlab-Event": "Push Hook"})
        assert proposals.verify(message, TEXT)[0].kind == "gitlab"


HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
TEMPLATES = {
    "{body}": BODY,
    "{time}.{body}": f"{NOW}.".encode() + BODY,
    "{time}:{body}": f"{NOW}:".encode() + BODY,
    "v0:{time}:{body}": f"v0:{NOW}:".encode() + BODY,
    "{time}{body}": NOW.encode() + BODY,
    "{body}{time}": BODY + NOW.encode(),
    "{id}.{time}.{body}": f"{ID}.{NOW}.".encode() + BODY,
    "{id}:{time}:{body}": f"{ID}:{NOW}:".encode() + BODY,
}


def digest(template: str, algorithm: str = "sha256", key: bytes = TEXT.encode()) -> bytes:
    return hmac.new(key, TEMPLATES[template], HASHES[algorithm]).digest()


class TestUnknownSenders:
    @pytest.mark.parametrize("template", TEMPLATES)
    @pytest.mark.parametrize("algorithm", HASHES)
    @pytest.mark.parametrize("encoding", ["hex", "base64"])
    @pytest.mark.parametrize("prefix", ["", "sha=", "v1,"])
    def test_the_way_is_found(
        self, template: str, algorithm: str, encoding: str, prefix: str
    ) -> None:
        raw = digest(template, algorithm)
        text = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()
        headers = {
            "X-Acme-Signature": f"{prefix}{text}",
            "X-Acme-Timestamp": NOW,
            "X-Acme-Delivery": ID,
        }
        (found,) = proposals.verify(message_of(headers), TEXT)
        options = found.options
        assert (
            found.kind,
            options["header"],
            options["encoding"],
            options["algorithm"],
            options.get("prefix", ""),
            options.get("signed", "{body}"),
        ) == ("hmac", "x-acme-signature", encoding, algorithm, prefix, template)

    def test_a_time_within_the_header(self) -> None:
        text = f"t={NOW},v1={digest('{time}.{body}').hex()}"
        (found,) = proposals.verify(message_of({"X-Acme-Signature": text}), TEXT)
        assert found.options == {
            "header": "x-acme-signature",
            "encoding": "hex",
            "algorithm": "sha256",
            "prefix": "v1=",
            "split": ",",
            "time": "part:t",
            "signed": "{time}.{body}",
        }

    def test_a_key_in_base64(self) -> None:
        key = b"k" * 32
        headers = {"X-Acme-Hmac": digest("{body}", key=key).hex()}
        (found,) = proposals.verify(message_of(headers), base64.b64encode(key).decode())
        assert found.options["key"] == "base64"

    def test_without_the_secret_header_and_form_are_filled_in(self) -> None:
        text = base64.b64encode(digest("{body}")).decode()
        (found,) = proposals.propose(message_of({"X-Acme-Hmac-Sha256": text}))
        assert found.options == {
            "header": "x-acme-hmac-sha256",
            "encoding": "base64",
            "algorithm": "sha256",
        }

    @pytest.mark.parametrize(
        ("headers", "options"),
        [
            ({"Authorization": f"Bearer {TEXT}"}, {"authorization": "bearer"}),
            ({"X-Acme-Token": TEXT}, {"header": "x-acme-token"}),
            ({"X-Api-Key": TEXT}, {"header": "x-api-key"}),
        ],
    )
    def test_a_token(self, headers: dict[str, str], options: dict[str, str]) -> None:
        found = proposals.verify(message_of(headers), TEXT)
        assert Proposal("token", options, is_verified=True) in found

    def test_nothing_is_proposed_without_a_sign(self) -> None:
        headers = {"User-Agent": "curl/8.5.0", "Content-Type": "application/json", "Host": "x"}
        assert proposals.propose(message_of(headers)) == []

    def test_many_headers_take_a_bounded_time(self) -> None:
        many = {f"X-{n}-Signature": digest("{body}").hex() for n in range(60)}
        many |= {f"X-{n}-Id": ID for n in range(60)} | {f"X-{n}-Time": NOW for n in range(60)}
        start = time.process_time()
        proposals.verify(message_of(many, b"x" * listening.MAX_BODY), "another-secret-0123456")
        assert time.process_time() - start < 5


class TestPage:
    def test_start_and_stop(self, editor: Client, make_source: MakeSource, send: Send) -> None:
        make_source()
        editor.post(PAGE, {"do": "start"})
        during = send(ORDER).json()["events"]
        editor.post(PAGE, {"do": "stop"})
        assert (during, len(send(ORDER).json()["events"])) == ([], 1)

    def test_shows_what_came(self, editor: Client, hears: EventSource, send: Send) -> None:
        send(ORDER, "github", secret=TEXT)
        page = shown(editor)
        assert ("GitHub webhooks" in page, "sha256=•••" in page) == (True, True)

    def test_one_click_and_the_source_takes_the_sender(
        self, editor: Client, hears: EventSource, send: Send
    ) -> None:
        send(ORDER, "github", secret=TEXT)
        page = editor.post(PAGE, {"do": "try", "secret": TEXT}).content.decode()
        editor.post(PAGE, {"do": "use", "choice": choices(page)[0]})
        assert (TEXT in page, send(ORDER, "github", secret=TEXT).json()["events"] != []) == (
            False,
            True,
        )

    def test_one_click_and_the_source_takes_a_sender_that_nobody_knows(
        self, editor: Client, hears: EventSource, send: Send, clock_from: Callable[[int], None]
    ) -> None:
        clock_from(int(NOW))
        headers = {
            "X-Acme-Signature": f"sha256={digest('{time}.{body}').hex()}",
            "X-Acme-Time": NOW,
            **dict.fromkeys(["webhook-id", "webhook-timestamp", "webhook-signature"], ""),
        }
        send(BODY, headers=headers)
        page = editor.post(PAGE, {"do": "try", "secret": TEXT}).content.decode()
        editor.post(PAGE, {"do": "use", "choice": choices(page)[0]})
        answer = send(BODY, headers=headers)
        assert (answer.status_code, len(stored())) == (200, 1)

    def test_what_was_heard_goes_when_settings_are_taken(
        self, editor: Client, hears: EventSource, send: Send
    ) -> None:
        send(ORDER, "github", secret=TEXT)
        editor.post(PAGE, {"do": "use", "choice": choices(shown(editor))[0]})
        source = EventSource.objects.get(pk="shop")
        assert (source.kind, listening.heard(source)) == ("github", [])

    def test_a_wrong_secret_proposes_nothing(
        self, editor: Client, hears: EventSource, send: Send
    ) -> None:
        send(ORDER, "github", secret=TEXT)
        page = editor.post(PAGE, {"do": "try", "secret": f"{TEXT}!"}).content.decode()
        assert ("No message is verified by this secret" in page, choices(page)) == (True, [])

    def test_a_choice_is_of_its_source(
        self, editor: Client, hears: EventSource, make_source: MakeSource
    ) -> None:
        other = make_source(id="other")
        choice = listening.sealed_choice(other, Proposal("github"))
        editor.post(PAGE, {"do": "use", "choice": choice})
        assert EventSource.objects.get(pk="shop").kind == "webhook"

    def test_a_forged_choice_changes_nothing(self, editor: Client, hears: EventSource) -> None:
        answer = editor.post(PAGE, {"do": "use", "choice": "forged"}, follow=True)
        found = "The proposal is too old" in answer.content.decode()
        assert (found, EventSource.objects.get(pk="shop").kind) == (True, "webhook")

    def test_a_strangers_page_is_text(self, editor: Client, hears: EventSource, send: Send) -> None:
        send(b"<script>alert(1)</script>", headers={"X-A-Type": "<b>"})
        page = shown(editor)
        assert ("<script>alert" in page, "&lt;script&gt;alert(1)" in page) == (False, True)

    def test_viewers_do_not_listen(self, viewer: Client, make_source: MakeSource) -> None:
        make_source()
        viewer.post(PAGE, {"do": "start"})
        assert EventSource.objects.get(pk="shop").listening_until is None

    def test_a_bus_does_not_listen(self, editor: Client, make_source: MakeSource) -> None:
        make_source("bus", pattern={"source": ["a"]})
        assert editor.post(PAGE, {"do": "start"}).status_code == 404

    def test_it_warns_if_events_would_be_lost(
        self, editor: Client, make_source: MakeSource, send: Send
    ) -> None:
        make_source()
        send(ORDER)
        assert "This source receives events already" in shown(editor)

    def test_the_change_is_on_record(self, editor: Client, hears: EventSource, send: Send) -> None:
        send(ORDER, "github", secret=TEXT)
        editor.post(PAGE, {"do": "use", "choice": choices(shown(editor))[0]})
        page = editor.get("/console/events/shop").content.decode()
        assert "Listening until" in page

    def test_the_secret_is_in_no_row(self, editor: Client, hears: EventSource, send: Send) -> None:
        send(ORDER, "github", secret=TEXT)
        editor.post(PAGE, {"do": "try", "secret": TEXT})
        rows: list[Any] = [
            *SeenMessage.objects.of("shop", "heard"),
            EventSource.objects.get(pk="shop"),
        ]
        texts = [str(vars(row)) for row in rows]
        assert (any(TEXT in text for text in texts), stored()) == (False, [])
