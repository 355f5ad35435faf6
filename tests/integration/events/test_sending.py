"""What the page of a source says to enter at its sender: each text works as it is."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from django.test import Client
from django.utils import timezone

from console.sending import guide_of
from events import senders, signing_keys
from events.models import EventSource
from tests.integration.api.conftest import API
from tests.integration.aws.conftest import moto
from tests.integration.console.conftest import editor, viewer
from tests.integration.events.conftest import SECRET, MakeSource, stored

__all__ = ["editor", "moto", "viewer"]

ADDRESS = "http://127.0.0.1:8000/events?source=shop"
TEXT = "a-secret-of-the-sender-0123456789"
CURL = """#!/bin/sh
for each in "$@"; do printf '%s\\0' "$each"; done
"""
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl signs the examples")

# Options of general kinds, for each of which the page has a script.
HMACS: dict[str, dict[str, str]] = {
    "the body": {"header": "x-acme-signature"},
    "a prefix": {"header": "x-acme-signature", "prefix": "sha256="},
    "base64": {"header": "x-acme-signature", "encoding": "base64"},
    "sha512": {"header": "x-acme-signature", "algorithm": "sha512"},
    "sha1": {"header": "x-acme-signature", "algorithm": "sha1"},
    "a time": {"header": "x-a", "signed": "{time}.{body}", "time": "header:x-time"},
    "milliseconds": {
        "header": "x-a",
        "signed": "{time}{body}",
        "time": "header:x-time",
        "timeForm": "ms",
    },
    "a text as time": {
        "header": "x-a",
        "signed": "{time}:{body}",
        "time": "header:x-time",
        "timeForm": "iso",
    },
    "a time in the header": {
        "header": "x-a",
        "signed": "{time}.{body}",
        "time": "part:t",
        "split": ",",
        "prefix": "v1=",
    },
    "a time in the body": {"header": "x-a", "time": "body:meta.sent"},
    "a text as time in the body": {"header": "x-a", "time": "body:sent", "timeForm": "iso"},
    "an id": {
        "header": "x-a",
        "signed": "{id}.{time}.{body}",
        "time": "header:x-time",
        "id": "header:x-id",
    },
    "signs of the shell": {"header": "x-a", "signed": '$(x)`y`"\\{body}', "prefix": "a$b="},
    "a type in a header": {"header": "x-a", "type": "header:x-event"},
    "an id in the body": {"header": "x-a", "id": "body:data.id"},
}
TOKENS: dict[str, dict[str, str]] = {
    "a header": {"header": "x-acme-token"},
    "bearer": {"authorization": "bearer"},
    "basic": {"authorization": "basic"},
    "any": {"authorization": "any"},
}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Run a script in a shell whose curl hands the request to the test's API."""
    curl = tmp_path / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    api = API()

    def run(script: str, secret: str) -> Any:
        environment = {**os.environ, "SECRET": secret, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-euc", script], env=environment, capture_output=True, check=True, timeout=20
        )
        url, *arguments = done.stdout.decode().split("\0")[:-1]
        given = dict(zip(arguments[::2], arguments[1::2], strict=True))
        headers = dict(
            value.split(": ", 1)
            for flag, value in zip(arguments[::2], arguments[1::2], strict=True)
            if flag == "-H"
        )
        if user := given.get("-u"):
            headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        content_type = headers.pop("Content-Type")
        path = "/events" + url.partition("/events")[2]
        return api.raw("POST", path, given["--data-binary"].encode(), content_type, **headers)

    return run


def script_of(source: EventSource) -> str:
    return guide_of(source, ADDRESS).pastes[0].text


@needs_openssl
class TestScripts:
    @pytest.mark.parametrize("name", HMACS)
    def test_of_a_signature_is_accepted(self, make_source: MakeSource, run: Any, name: str) -> None:
        source = self.source(make_source, "hmac", HMACS[name], TEXT)
        answer = run(script_of(source), TEXT)
        assert (answer.status_code, len(stored())) == (200, 1), answer.content

    @pytest.mark.parametrize(
        ("key", "secret"), [("base64", SECRET.removeprefix("whsec_")), ("hex", "0123456789" * 4)]
    )
    def test_of_a_key_that_is_no_text_is_accepted(
        self, make_source: MakeSource, run: Any, key: str, secret: str
    ) -> None:
        source = self.source(make_source, "hmac", {"header": "x-a", "key": key}, secret)
        assert run(script_of(source), secret).status_code == 200

    @pytest.mark.parametrize("name", TOKENS)
    def test_of_a_token_is_accepted(self, make_source: MakeSource, run: Any, name: str) -> None:
        source = self.source(make_source, "token", TOKENS[name], TEXT)
        assert run(script_of(source), TEXT).status_code == 200

    def test_of_standard_webhooks_is_accepted(self, make_source: MakeSource, run: Any) -> None:
        answer = run(script_of(make_source()), SECRET)
        assert (answer.status_code, stored()[0]["detail-type"]) == (200, "order.paid")

    @staticmethod
    def source(
        make_source: MakeSource, kind: str, options: dict[str, str], secret: str
    ) -> EventSource:
        return make_source(kind, options=options, secrets=signing_keys.seal(secret, timezone.now()))


KINDS = [one.kind for one in senders.senders() if one.has_address]


class TestGuides:
    @pytest.mark.parametrize("kind", KINDS)
    def test_each_sender_has_one(self, kind: str) -> None:
        options = {"hmac": HMACS["the body"], "token": TOKENS["bearer"]}.get(kind, {})
        source = EventSource(id="shop", name="Shop", kind=kind, options=options)
        guide = guide_of(source, ADDRESS)
        texts = [paste.text for paste in guide.pastes]
        found = len(guide.steps) > 1, any("ADDRESS" in text for text in texts)
        assert found == (True, False)

    @pytest.mark.parametrize("kind", KINDS)
    def test_no_page_has_the_secret(
        self, editor: Client, make_source: MakeSource, kind: str
    ) -> None:
        options = {"hmac": HMACS["the body"], "token": TOKENS["bearer"]}.get(kind, {})
        sealed = signing_keys.seal(TEXT, timezone.now())
        make_source(secrets=sealed)
        EventSource.objects.filter(pk="shop").update(kind=kind, options=options)
        page = editor.get("/console/events/shop").content.decode()
        assert (TEXT in page, "source=shop" in page) == (False, True)

    def test_copy_buttons_have_what_they_copy(
        self, viewer: Client, make_source: MakeSource
    ) -> None:
        make_source("stripe")
        page = viewer.get("/console/events/shop").content.decode()
        wanted = re.findall(r'data-copy="([^"]+)"', page)
        assert [f'id="{each}"' in page for each in wanted] == [True] * 3

    @pytest.mark.parametrize(
        ("public", "address"),
        [
            ("https://moca.example/run", "https://moca.example/run/events?source=shop"),
            ("", "/events?source=shop"),
        ],
    )
    def test_the_address_is_that_which_senders_reach(
        self, viewer: Client, make_source: MakeSource, settings: Any, public: str, address: str
    ) -> None:
        settings.PUBLIC_URL = public
        make_source("stripe")
        page = viewer.get("/console/events/shop").content.decode()
        assert page.count(address) == 3

    def test_the_new_secret_is_shown_beside_it_once(
        self, editor: Client, make_source: MakeSource
    ) -> None:
        make_source("github")
        page = editor.post("/console/events/shop/secret", {}).content.decode()
        assert ("gh api" in page, 'id="secret"' in page) == (True, True)


class TestFiles:
    def test_alertmanager_reads_its_receiver(self) -> None:
        text = guide_of(EventSource(id="shop", kind="alertmanager"), ADDRESS).pastes[0].text
        found = yaml.safe_load(text)
        (receiver,) = found["receivers"]
        assert (found["route"]["receiver"], receiver["webhook_configs"][0]["url"]) == (
            receiver["name"],
            ADDRESS,
        )

    def test_grafana_reads_its_contact_point(self) -> None:
        text = guide_of(EventSource(id="shop", kind="grafana"), ADDRESS).pastes[0].text
        (point,) = yaml.safe_load(text)["contactPoints"]
        assert point["receivers"][0]["settings"]["url"] == ADDRESS

    def test_cloudformation_has_what_eventbridge_takes(self, moto: None) -> None:
        guide = guide_of(EventSource(id="shop", kind="eventbridge"), ADDRESS)
        made = yaml.load(guide.pastes[0].text, Loader=Template)["Resources"]
        events = boto3.client("events", "eu-central-1")
        connection = events.create_connection(Name="moca", **made["MocaConnection"]["Properties"])
        destination = made["MocaDestination"]["Properties"]
        destination["ConnectionArn"] = connection["ConnectionArn"]
        events.create_api_destination(Name="moca", **destination)
        rule = made["MocaRule"]["Properties"]
        events.put_rule(Name="moca", EventPattern=json.dumps(rule["EventPattern"]))
        events.put_targets(Rule="moca", Targets=rule["Targets"])
        (found,) = events.list_api_destinations()["ApiDestinations"]
        assert (found["InvocationEndpoint"], found["HttpMethod"]) == (ADDRESS, "POST")


class Template(yaml.SafeLoader):
    """Reads a template; its functions are the names that they are given."""


for function in ("!Ref", "!GetAtt"):
    Template.add_constructor(function, lambda _loader, node: f"arn:aws:x:{node.value}")
