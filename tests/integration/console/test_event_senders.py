"""The form of an event source: which sender, what to enter as its secret, and how it signs."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events import senders, signing_keys
from events.models import EventSource, ReceivedEvent
from tests.integration.admin.conftest import signed_in
from tests.senders import BY_KIND, CASES
from tests.sns import TOPIC

NEW = "/console/events/new"
ADMIN = "/admin/events/eventsource/"
ENTERED = {"id": "shop", "name": "The shop"}
DESCRIBED = {
    "kind": "hmac",
    "option_header": "X-Acme-Signature",
    "option_signed": "{time}.{body}",
    "option_prefix": "v1=",
    "option_split": ",",
    "option_time": "part:t",
    "option_tolerance": "60",
    "option_encoding": "base64",
    "option_id": "body:data.id",
}
STORED = {
    "header": "X-Acme-Signature",
    "signed": "{time}.{body}",
    "prefix": "v1=",
    "split": ",",
    "time": "part:t",
    "tolerance": 60,
    "encoding": "base64",
    "id": "body:data.id",
}


def stored() -> EventSource:
    found: EventSource = EventSource.objects.get(pk="shop")
    return found


def entered_secret(kind: str) -> str:
    if kind == "sns":
        return TOPIC
    case = BY_KIND.get(kind)
    return case.shown(case.secret) if case else "a-secret-that-nobody-guesses"


def test_kinds_are_offered_in_groups(editor: Client) -> None:
    html = editor.get(NEW).content.decode()
    found = re.findall(r'<optgroup label="(.*?)">(.*?)</optgroup>', html, re.DOTALL)
    groups = {label: re.findall(r'value="(.*?)"', options) for label, options in found}
    assert ([*groups], groups["General"], groups["Bus"], "shopify" in groups["Senders"]) == (
        ["Senders", "General", "Bus"],
        ["webhook", "hmac", "token"],
        ["bus"],
        True,
    )


def test_form_says_what_to_enter_for_each_sender(editor: Client) -> None:
    kinds = editor.get(NEW).context["kinds"]
    assert [kind for kind, said in kinds.items() if kind != "bus" and not said["secret"]] == []


@pytest.mark.parametrize("kind", [*BY_KIND, "sns"])
@pytest.mark.parametrize("door", [NEW, f"{ADMIN}add/"])
def test_each_sender_can_be_chosen(editor: Client, door: str, kind: str) -> None:
    secret = entered_secret(kind)
    editor.post(door, {**ENTERED, "kind": kind, "secret": secret})
    source = stored()
    assert (source.kind, source.active_secrets(timezone.now())) == (kind, [secret])


@pytest.mark.parametrize("kind", [one.kind for one in senders.senders() if one.makes_secret])
def test_secret_of_a_sender_that_makes_its_own_is_asked(editor: Client, kind: str) -> None:
    form = editor.post(NEW, {**ENTERED, "kind": kind}).context["form"]
    assert [*form.errors] == ["secret"]


@pytest.mark.parametrize(
    ("kind", "secret", "message"),
    [
        ("sns", "arn:aws:sqs:eu-central-1:123456789012:orders", "Give the ARN of the topic"),
        ("discord", "a-secret-that-nobody-guesses", "This is no public key"),
        ("sendgrid", "a-secret-that-nobody-guesses", "This is no public key"),
        ("svix", "whsec_" + "%" * 30, "After whsec_"),
        ("shopify", "short", "Give 16 to 256"),
    ],
)
def test_secret_that_is_none_is_refused(
    editor: Client, kind: str, secret: str, message: str
) -> None:
    form = editor.post(NEW, {**ENTERED, "kind": kind, "secret": secret}).context["form"]
    assert message in str(form.errors["secret"])


@pytest.mark.parametrize("door", [NEW, f"{ADMIN}add/"])
def test_sender_can_be_described(editor: Client, door: str) -> None:
    secret = "a-secret-that-nobody-guesses"
    editor.post(door, {**ENTERED, **DESCRIBED, "secret": secret})
    assert stored().options == STORED


@pytest.mark.parametrize(("form", "length"), [("hex", 64), ("base64", 44), ("standard", 50)])
def test_secret_is_made_in_the_form_of_the_key(editor: Client, form: str, length: int) -> None:
    editor.post(NEW, {**ENTERED, "kind": "hmac", "option_header": "x", "option_key": form})
    (secret,) = stored().active_secrets(timezone.now())
    assert (len(secret), len(stored().sender.scheme.keys(secret)[0])) == (length, 32)


@pytest.mark.parametrize(
    ("entered", "field", "message"),
    [
        ({"option_header": ""}, "option_header", "Give the header"),
        ({"option_time": "t"}, "option_time", "Give header:NAME"),
        ({"option_signed": "{time}"}, "option_signed", "Give a text with {body}"),
        ({"option_split": ""}, "option_split", "The time is a part"),
        ({"option_tolerance": "x"}, "option_tolerance", "whole number"),
        ({"option_encoding": "base32"}, "option_encoding", "not one of the available"),
    ],
)
@pytest.mark.parametrize("door", [NEW, f"{ADMIN}add/"])
def test_option_that_is_wrong_is_named(
    editor: Client, door: str, entered: dict[str, str], field: str, message: str
) -> None:
    answer = editor.post(door, {**ENTERED, **DESCRIBED, "secret": "x" * 20, **entered})
    form = answer.context["form"] if door == NEW else answer.context["adminform"].form
    assert (answer.status_code, message in str(form.errors[field])) == (200, True)


@pytest.mark.parametrize("door", ["/console/events/shop/edit", f"{ADMIN}shop/change/"])
def test_description_can_be_changed(editor: Client, door: str) -> None:
    editor.post(NEW, {**ENTERED, **DESCRIBED, "secret": "a-secret-that-nobody-guesses"})
    changed = {**DESCRIBED, "option_tolerance": "", "option_prefix": "v2="}
    editor.post(door, {"name": "The shop", "opened_version": 1, **changed})
    expected = {**STORED, "prefix": "v2="}
    del expected["tolerance"]
    assert stored().options == expected


@pytest.mark.parametrize("door", ["/console/events/shop/edit", f"{ADMIN}shop/change/"])
def test_form_shows_the_options_of_its_kind_only(editor: Client, door: str) -> None:
    editor.post(NEW, {**ENTERED, **DESCRIBED, "secret": "a-secret-that-nobody-guesses"})
    html = editor.get(door).content.decode()
    names = set(re.findall(r'name="(option_\w+)"', html))
    assert ("option_authorization" in names, "option_prefix" in names, "v1=" in html) == (
        False,
        True,
        True,
    )


@pytest.mark.parametrize("door", ["/console/events/shop/edit", f"{ADMIN}shop/change/"])
def test_form_of_a_preset_shows_no_options(editor: Client, door: str) -> None:
    editor.post(NEW, {**ENTERED, "kind": "shopify", "secret": "a-secret-that-nobody-guesses"})
    assert "option_" not in editor.get(door).content.decode()


def test_page_shows_how_the_sender_signs(editor: Client) -> None:
    editor.post(NEW, {**ENTERED, **DESCRIBED, "secret": "a-secret-that-nobody-guesses"})
    assert "part:t" in editor.get("/console/events/shop").content.decode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_test_event_of_each_sender(editor: Client, case: Any) -> None:
    """The page's own example becomes an event like the sender's."""
    secrets = signing_keys.seal(case.shown(case.secret), timezone.now())
    EventSource(id="shop", name="The shop", kind=case.kind, secrets=secrets).save()
    form = editor.get("/console/events/shop/test").context["form"]
    answer = editor.post("/console/events/shop/test", form.initial)
    (event,) = ReceivedEvent.objects.filter(source_id="shop")
    found = (
        event.contents["source"],
        bool(event.contents["detail-type"] not in ("event", "example")),
    )
    assert (answer.status_code, found) == (302, (case.source, True))


@pytest.mark.parametrize(("role", "shown"), [("editor", True), ("viewer", False)])
def test_verify_token_is_for_those_who_set_it_up(db: None, role: Any, shown: bool) -> None:
    secrets = signing_keys.seal("a-secret-that-nobody-guesses", timezone.now())
    EventSource(id="shop", name="The shop", kind="meta", secrets=secrets).save()
    html = signed_in(role).get("/console/events/shop").content.decode()
    assert ('id="verify-token"' in html) is shown
