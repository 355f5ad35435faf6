"""The general kinds: operators describe how a sender signs, or where it sends its token."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.test import Client
from django.utils import timezone

from events import signing_keys, sources
from events.models import EventSource
from tests.integration.events.conftest import Later, MakeSource, stored
from tests.senders import BY_KIND
from tests.sns import TOPIC

SECRET, OTHER = "a-secret-that-nobody-guesses", "a-secret-that-somebody-else-has"
BODY = json.dumps({"type": "order.paid", "data": {"id": "A-1", "at": "2027-01-31T09:00:00Z"}})
NOW = int(time.time())


@pytest.fixture(autouse=True)
def _clock_of_the_messages(clock_from: Callable[[int], None]) -> None:
    clock_from(NOW)


def signature(text: str, key: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.digest(key, text.encode(), algorithm)


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


# Options, and headers with the signature of BODY.
WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "hex": ({"header": "X-Acme-Signature"}, {"X-Acme-Signature": signature(BODY).hex()}),
    "prefix": (
        {"header": "x-acme-signature", "prefix": "sha256="},
        {"X-Acme-Signature": f"sha256={signature(BODY).hex()}"},
    ),
    "base64": (
        {"header": "x-acme-signature", "encoding": "base64"},
        {"X-Acme-Signature": encoded(signature(BODY))},
    ),
    "sha512": (
        {"header": "x-acme-signature", "algorithm": "sha512"},
        {"X-Acme-Signature": signature(BODY, algorithm="sha512").hex()},
    ),
    "parts": (
        {
            "header": "x-acme-signature",
            "split": ";",
            "prefix": "h1=",
            "time": "part:ts",
            "signed": "{time}:{body}",
        },
        {"X-Acme-Signature": f"ts={NOW}; h1=00; h1={signature(f'{NOW}:{BODY}').hex()}"},
    ),
    "time in a header": (
        {
            "header": "x-acme-signature",
            "time": "header:X-Acme-Time",
            "timeForm": "ms",
            "signed": "v0:{time}:{body}",
        },
        {
            "X-Acme-Signature": signature(f"v0:{NOW}000:{BODY}").hex(),
            "X-Acme-Time": f"{NOW}000",
        },
    ),
    "id and time": (
        {
            "header": "x-acme-signature",
            "time": "header:x-acme-time",
            "id": "header:X-Acme-Id",
            "signed": "{id}.{time}.{body}",
        },
        {
            "X-Acme-Signature": signature(f"E-1.{NOW}.{BODY}").hex(),
            "X-Acme-Time": str(NOW),
            "X-Acme-Id": "E-1",
        },
    ),
    "address": (
        {"header": "x-acme-signature", "signed": "{url}{body}"},
        {"X-Acme-Signature": signature(f"http://testserver/events?source=shop{BODY}").hex()},
    ),
    "several": (
        {"header": "x-acme-signature", "split": ","},
        {"X-Acme-Signature": f"{'0' * 64}, {signature(BODY).hex()}"},
    ),
}


def described(make_source: MakeSource, kind: str, options: dict[str, Any], **fields: Any) -> Any:
    secrets = signing_keys.seal(fields.pop("secret", SECRET), timezone.now())
    return make_source(kind, secrets=secrets, options=options, **fields)


def post(headers: dict[str, str], body: str = BODY, content_type: str = "application/json") -> Any:
    return Client().post("/events?source=shop", body, content_type=content_type, headers=headers)


class TestHmac:
    @pytest.mark.parametrize(("options", "headers"), WAYS.values(), ids=WAYS)
    def test_signature_of_this_way(
        self, make_source: MakeSource, options: dict[str, Any], headers: dict[str, str]
    ) -> None:
        described(make_source, "hmac", options)
        answer = post(headers)
        found = answer.status_code, [(one["source"], one["detail-type"]) for one in stored()]
        assert found == (200, [("webhook.shop", "order.paid")])

    @pytest.mark.parametrize(("options", "headers"), WAYS.values(), ids=WAYS)
    def test_secret_of_another(
        self, make_source: MakeSource, options: dict[str, Any], headers: dict[str, str]
    ) -> None:
        described(make_source, "hmac", options, secret=OTHER)
        assert (post(headers).status_code, stored()) == (401, [])

    @pytest.mark.parametrize(("options", "headers"), WAYS.values(), ids=WAYS)
    def test_body_of_another(
        self, make_source: MakeSource, options: dict[str, Any], headers: dict[str, str]
    ) -> None:
        described(make_source, "hmac", options)
        assert (post(headers, BODY + " ").status_code, stored()) == (401, [])

    @pytest.mark.parametrize("name", ["parts", "time in a header", "id and time"])
    @pytest.mark.parametrize(("tolerance", "status"), [(60, 401), (600, 200)])
    def test_old_message(
        self, make_source: MakeSource, later: Later, name: str, tolerance: int, status: int
    ) -> None:
        options, headers = WAYS[name]
        described(make_source, "hmac", {**options, "tolerance": tolerance})
        later(seconds=400)
        assert post(headers).status_code == status

    @pytest.mark.parametrize(
        ("form", "key"), [("hex", b"k" * 32), ("base64", b"k" * 32), ("standard", b"k" * 32)]
    )
    def test_form_of_the_secret(self, make_source: MakeSource, form: str, key: bytes) -> None:
        text = {"hex": key.hex(), "base64": encoded(key), "standard": f"whsec_{encoded(key)}"}
        options = {"header": "x-acme-signature", "key": form}
        described(make_source, "hmac", options, secret=text[form])
        assert post({"X-Acme-Signature": signature(BODY, key).hex()}).status_code == 200

    def test_signed_id_is_the_deduplication_key(
        self, make_source: MakeSource, later: Later
    ) -> None:
        options, headers = WAYS["id and time"]
        described(make_source, "hmac", options)
        post(headers)
        other = {
            **headers,
            "X-Acme-Time": str(NOW + 60),
            "X-Acme-Signature": signature(f"E-1.{NOW + 60}.{BODY}").hex(),
        }
        assert (post(other).json()["events"][0]["duplicate"], len(stored())) == (True, 1)

    def test_id_of_the_body_is_the_deduplication_key(self, make_source: MakeSource) -> None:
        options = {"header": "x-acme-signature", "id": "body:data.id"}
        described(make_source, "hmac", options)
        for body in (BODY, BODY + " "):
            post({"X-Acme-Signature": signature(body).hex()}, body)
        assert len(stored()) == 1

    @pytest.mark.parametrize(("seconds", "number"), [(9, 1), (11, 2)])
    def test_without_an_id_the_body_counts_within_the_window(
        self, make_source: MakeSource, later: Later, seconds: int, number: int
    ) -> None:
        options, headers = WAYS["hex"]
        described(make_source, "hmac", options)
        post(headers)
        later(seconds=seconds)
        post(headers)
        assert len(stored()) == number

    def test_without_an_id_the_signed_time_counts(
        self, make_source: MakeSource, later: Later
    ) -> None:
        options, headers = WAYS["time in a header"]
        described(make_source, "hmac", options)
        post(headers)
        post(headers)
        moment = f"{NOW + 1}000"
        again = {
            "X-Acme-Time": moment,
            "X-Acme-Signature": signature(f"v0:{moment}:{BODY}").hex(),
        }
        post(again)
        assert len(stored()) == 2

    @pytest.mark.parametrize("key", ["E.1", "\u00e9"])
    def test_id_that_could_be_split_elsewhere(self, make_source: MakeSource, key: str) -> None:
        options, _ = WAYS["id and time"]
        described(make_source, "hmac", options)
        signed = signature(f"{key}.{NOW}.{BODY}").hex()
        headers = {"X-Acme-Signature": signed, "X-Acme-Time": str(NOW), "X-Acme-Id": key}
        assert post(headers).status_code == 401

    def test_places_of_type_and_time(self, make_source: MakeSource) -> None:
        options = {
            "header": "x-acme-signature",
            "type": "header:X-Acme-Event",
            "eventTime": "body:data.at",
        }
        described(make_source, "hmac", options)
        post({"X-Acme-Signature": signature(BODY).hex(), "X-Acme-Event": "paid"})
        (event,) = stored()
        assert (event["detail-type"], event["time"]) == ("paid", "2027-01-31T09:00:00.000Z")

    def test_form(self, make_source: MakeSource) -> None:
        body = f"type=order.paid&note={quote('é +')}"
        described(make_source, "hmac", {"header": "x-acme-signature"})
        headers = {"X-Acme-Signature": signature(body).hex()}
        post(headers, body, "application/x-www-form-urlencoded")
        (event,) = stored()
        assert (event["detail-type"], event["detail"]["note"]) == ("order.paid", "é +")


class TestToken:
    BASIC = encoded(f"user:{SECRET}".encode())

    @pytest.mark.parametrize(
        ("options", "headers"),
        [
            ({"header": "X-Acme-Token"}, {"X-Acme-Token": SECRET}),
            ({"authorization": "bearer"}, {"Authorization": f"Bearer {SECRET}"}),
            ({"authorization": "bearer"}, {"Authorization": f"bearer  {SECRET}"}),
            ({"authorization": "basic"}, {"Authorization": f"Basic {BASIC}"}),
            ({"authorization": "any"}, {"Authorization": f"Basic {BASIC}"}),
            ({"header": "x-key", "authorization": "any"}, {"Authorization": f"Bearer {SECRET}"}),
        ],
    )
    def test_token(self, make_source: MakeSource, options: Any, headers: Any) -> None:
        described(make_source, "token", options)
        assert (post(headers).status_code, len(stored())) == (200, 1)

    @pytest.mark.parametrize(
        ("options", "headers"),
        [
            ({"header": "x-acme-token"}, {"X-Acme-Token": OTHER}),
            ({"header": "x-acme-token"}, {"X-Acme-Token": ""}),
            ({"header": "x-acme-token"}, {"Authorization": f"Bearer {SECRET}"}),
            ({"authorization": "bearer"}, {"Authorization": f"Basic {BASIC}"}),
            ({"authorization": "bearer"}, {"Authorization": SECRET}),
            ({"authorization": "basic"}, {"Authorization": f"Bearer {SECRET}"}),
            ({"authorization": "basic"}, {"Authorization": "Basic %"}),
            ({"authorization": "any"}, {}),
        ],
    )
    def test_anything_else(self, make_source: MakeSource, options: Any, headers: Any) -> None:
        described(make_source, "token", options)
        assert (post(headers).status_code, stored()) == (401, [])

    def test_user_and_password_may_both_be_the_secret(self, make_source: MakeSource) -> None:
        both = f"moca:{SECRET}"
        described(make_source, "token", {"authorization": "basic"}, secret=both)
        answers = [
            post({"Authorization": f"Basic {encoded(text.encode())}"}).status_code
            for text in (both, f"other:{SECRET}", SECRET)
        ]
        assert answers == [200, 401, 401]

    def test_id_in_a_header_is_the_deduplication_key(
        self, make_source: MakeSource, later: Later
    ) -> None:
        described(make_source, "token", {"header": "x-acme-token", "id": "header:X-Acme-Id"})
        for key in ("1", "1", "2"):
            post({"X-Acme-Token": SECRET, "X-Acme-Id": key})
        assert len(stored()) == 2

    def test_other_answer_says_that_the_token_is_wrong(self, make_source: MakeSource) -> None:
        described(make_source, "token", {"authorization": "bearer"})
        message = post({"Authorization": f"Bearer {OTHER}"}).json()["message"]
        assert "the token is another one" in message


HMAC = {"header": "x-acme-signature"}
WRONG: list[tuple[str, Any, str]] = [
    ("hmac", {}, "header: Give the header that has the signature"),
    ("token", {}, "header: Give the header that has the token"),
    ("hmac", {"header": "x acme"}, "header: Give the name of a header"),
    ("hmac", {**HMAC, "signed": "{time}"}, "signed: Give a text with {body}"),
    ("hmac", {**HMAC, "signed": "{body}{nothing}"}, "signed: Give a text with {body}"),
    ("hmac", {**HMAC, "signed": "{time}.{body}"}, "time: The signature covers {time}"),
    ("hmac", {**HMAC, "time": "header:x"}, "signed: A time that is not signed"),
    ("hmac", {**HMAC, "signed": "{id}.{body}"}, "id: The signature covers {id}"),
    (
        "hmac",
        {**HMAC, "signed": "{id}{body}", "id": "header:x"},
        "signed: Have a sign on each side of {id}",
    ),
    ("hmac", {**HMAC, "signed": "{time}{body}", "time": "part:t"}, "split: The time is a part"),
    ("hmac", {**HMAC, "time": "somewhere"}, "time: Give header:NAME, body:PATH or part:NAME"),
    ("hmac", {**HMAC, "type": "part:x"}, "type: Give header:NAME or body:PATH"),
    ("hmac", {**HMAC, "encoding": "base32"}, "encoding: Give one of hex, base64"),
    ("hmac", {**HMAC, "algorithm": "md5"}, "algorithm: Give one of sha256, sha512, sha1"),
    ("hmac", {**HMAC, "tolerance": 0}, "tolerance: Give whole seconds from 1 to 86400"),
    ("hmac", {**HMAC, "tolerance": "60"}, "tolerance: Give whole seconds"),
    ("hmac", {**HMAC, "prefix": 5}, "prefix: Give a text"),
    ("hmac", {**HMAC, "prefix": "x" * 21}, "prefix: Give at most 20"),
    ("hmac", {**HMAC, "split": "ab"}, "split: Give a space"),
    ("hmac", {**HMAC, "authorization": "bearer"}, "no option 'authorization'"),
    ("token", {"authorization": "digest"}, "authorization: Give one of bearer, basic, any"),
    ("token", {**HMAC, "prefix": "x"}, "no option 'prefix': give some of header"),
    ("github", HMAC, "Only sources of the kinds hmac and token have options"),
    ("hmac", ["x"], "Give an object"),
]


@pytest.mark.parametrize(("kind", "options", "message"), WRONG)
def test_options_that_are_wrong_are_named(kind: str, options: Any, message: str) -> None:
    source = EventSource(id="shop", name="Shop", kind=kind, options=options)
    with pytest.raises(ValidationError) as raised:
        source.full_clean(validate_unique=False)
    assert message in " ".join(raised.value.message_dict["options"])


class TestAddress:
    """The address that a sender signed is that of the request, or the one below PUBLIC_URL."""

    OPTIONS = {"header": "x-acme-signature", "signed": "{url}{body}"}

    def send(self, url: str, **environ: str) -> int:
        headers = {"X-Acme-Signature": signature(f"{url}{BODY}").hex()}
        answer = Client().post(
            "/events?source=shop",
            BODY,
            content_type="application/json",
            headers=headers,
            **environ,
        )
        return int(answer.status_code)

    @pytest.mark.parametrize(
        ("public", "url", "status"),
        [
            ("", "http://testserver/events?source=shop", 200),
            ("", "https://triggers.example.com/events?source=shop", 401),
            (
                "https://triggers.example.com",
                "https://triggers.example.com/events?source=shop",
                200,
            ),
            ("https://a.example/web", "https://a.example/web/events?source=shop", 200),
            ("https://a.example/web", "https://a.example/events?source=shop", 401),
            ("https://a.example", "http://testserver/events?source=shop", 200),
        ],
    )
    def test_public_url(
        self, make_source: MakeSource, settings: Any, public: str, url: str, status: int
    ) -> None:
        described(make_source, "hmac", self.OPTIONS)
        settings.PUBLIC_URL = public
        assert self.send(url) == status

    @pytest.mark.parametrize(("trusts", "status"), [(True, 200), (False, 401)])
    def test_proxy_that_is_trusted(
        self, make_source: MakeSource, settings: Any, trusts: bool, status: int
    ) -> None:
        described(make_source, "hmac", self.OPTIONS)
        settings.TRUST_PROXY_HEADERS = trusts
        if trusts:
            settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        url = "https://testserver/events?source=shop"
        assert self.send(url, HTTP_HOST="testserver", HTTP_X_FORWARDED_PROTO="https") == status


class TestSettings:
    def test_source_describes_its_sender(self, settings: Any, db: None) -> None:
        options, headers = WAYS["parts"]
        entry = {
            "id": "shop",
            "name": "Shop",
            "kind": "hmac",
            "options": options,
            "secrets": [SECRET],
        }
        settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
        assert (post(headers).status_code, len(stored())) == (200, 1)

    @pytest.mark.parametrize("kind", [*BY_KIND, "sns"])
    def test_source_has_any_sender(self, settings: Any, db: None, kind: str) -> None:
        case = BY_KIND.get(kind)
        secret = case.shown(case.secret) if case else TOPIC
        entry = {"id": "shop", "name": "Shop", "kind": kind, "secrets": [secret]}
        settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
        assert sources.configured()["shop"].active_secrets(timezone.now()) == [secret]

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({"kind": "hmac", "secrets": [SECRET]}, "EVENT_SOURCES_CONFIG[0].options: header:"),
            ({"kind": "sns", "secrets": ["x" * 20]}, "secrets: Give the ARN of the topic"),
            ({"kind": "github", "options": {"header": "x"}, "secrets": [SECRET]}, "hmac and token"),
            ({"kind": "hmac", "options": "x", "secrets": [SECRET]}, "options: Give an object"),
        ],
    )
    def test_mistake_is_told(self, settings: Any, entry: dict[str, Any], message: str) -> None:
        settings.EVENT_SOURCES_CONFIG = json.dumps([{"id": "shop", "name": "Shop", **entry}])
        with pytest.raises(ImproperlyConfigured) as raised:
            sources.configured()
        assert message in str(raised.value)
