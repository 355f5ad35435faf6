"""Libraries of npm accept the very messages that a source accepts, and refuse those it refuses."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.models import EventSource
from events.schemes import sns as scheme
from tests import sns
from tests.contract.conftest import HERE, MissingError, _installed, _run
from tests.senders import BY_KIND, Posted

SENDERS = HERE / "senders"
SECONDS = 60
# Headers that Shopify's library requires beside the signature.
OF_SHOPIFY = {
    "X-Shopify-API-Version": "2026-07",
    "X-Shopify-Shop-Domain": "acme.myshopify.com",
    "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
}


def _install(folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(SENDERS / "package.json", folder)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=folder)


@pytest.fixture(scope="session")
def folder() -> Path:
    """A folder with the libraries; skips the test without a network."""
    try:
        found = _installed("senders", SENDERS / "package.json", _install)
    except MissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    shutil.copy(SENDERS / "verify.mjs", found)
    return found


def accepts(folder: Path, kind: str, posted: Posted, secret: str) -> bool:
    """Whether a sender's own library accepts a message."""
    asked = {
        "kind": kind,
        "secret": secret,
        "body": posted.body.decode(),
        "headers": dict(posted.headers),
        "pem": sns.certificate().decode(),
    }
    done = subprocess.run(
        ["node", "verify.mjs"],
        input=json.dumps(asked),
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout.strip() in ("true", "false"), done.stderr
    return done.stdout.strip() == "true"


def status(posted: Posted) -> int:
    path = posted.url.removeprefix("http://testserver")
    headers = dict(posted.headers)
    answer = Client().post(path, posted.body, content_type=posted.content_type, headers=headers)
    return int(answer.status_code)


def make_source(kind: str, secret: str) -> None:
    secrets = signing_keys.seal(secret, timezone.now())
    EventSource(id="shop", name="Shop", kind=kind, secrets=secrets).save()


@pytest.mark.parametrize("kind", ["github", "linear", "paddle", "shopify", "discord"])
@pytest.mark.parametrize("is_right", [True, False])
def test_library_and_source_agree(db: None, folder: Path, kind: str, is_right: bool) -> None:
    case = BY_KIND[kind]
    posted = case.post(at=int(time.time()), secret=None if is_right else case.other)
    if kind == "shopify":
        posted = Posted(posted.body, {**posted.headers, **OF_SHOPIFY})
    shown = case.shown(case.secret)
    make_source(kind, shown)
    expected = (True, 200) if is_right else (False, 401)
    assert (accepts(folder, kind, posted, shown), status(posted)) == expected


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("make", [sns.message, sns.confirmation])
@pytest.mark.parametrize("is_right", [True, False])
def test_validator_of_sns_and_source_agree(
    db: None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Any,
    version: str,
    is_right: bool,
) -> None:
    pem = sns.certificate()
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda *_: httpx.Response(200, content=pem)
    )
    scheme._certificate.cache_clear()
    document = make(SignatureVersion=version)
    if not is_right:
        document["Message"] = "another"
    make_source("sns", sns.TOPIC)
    posted = Posted(sns.body_of(document), {"x-amz-sns-message-type": document["Type"]})
    expected = (True, 200) if is_right else (False, 401)
    assert (accepts(folder, "sns", posted, sns.TOPIC), status(posted)) == expected
