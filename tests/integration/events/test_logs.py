"""Nothing that is secret, and nothing of what senders say, stands in the logs."""

import base64
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from events import sources
from moca.aws import clients as aws
from tests.integration.events.conftest import KEY, OTHER, SECRET, MakeSource, Send, signed

WORD = "a-word-of-the-body"
BODY = {"type": "order.paid", "note": WORD, "id": "evt_1", "event_id": "Ev1"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    # Statements stand there with DEBUG alone, and hold what is written.
    caplog.set_level(logging.INFO, "django.db.backends")
    return caplog


def check(log: pytest.LogCaptureFixture, headers: dict[str, str]) -> None:
    """Fail where a line has the secret, the body, or a signature in any of its forms."""
    lines = "\n".join(logging.Formatter().format(record) for record in log.records)
    secret = [SECRET, SECRET.removeprefix("whsec_"), KEY.decode(), KEY.hex(), OTHER, WORD]
    given = [text.rpartition("=")[2] for text in headers.values() if len(text) > 40]
    given += [text.rpartition(",")[2] for text in headers.values() if len(text) > 40]
    assert [text for text in secret + given if text and text in lines] == []


@pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
@pytest.mark.parametrize("secret", [SECRET, OTHER])
@pytest.mark.parametrize("ago", [0, 400])
def test_messages_are_not_logged(
    make_source: MakeSource,
    send: Send,
    log: pytest.LogCaptureFixture,
    kind: str,
    secret: str,
    ago: int,
) -> None:
    make_source(kind)
    headers = signed(kind, secret, json.dumps(BODY).encode(), "msg_1", int(time.time()) - ago)
    send(BODY, kind, headers=headers)
    check(log, headers)


@pytest.mark.parametrize("body", [b'{"a": "a-word-of-the-body', b'{"a-word-of-the-body": NaN}'])
def test_bodies_that_are_no_events_are_not_logged(
    make_source: MakeSource, send: Send, log: pytest.LogCaptureFixture, body: bytes
) -> None:
    make_source()
    send(body)
    check(log, {})


@pytest.mark.sqlite
def test_database_that_is_away(
    make_source: MakeSource, send: Send, log: pytest.LogCaptureFixture
) -> None:
    make_source()

    def fail(*_: Any) -> Any:
        raise OperationalError("disk I/O error")

    headers = signed("webhook", SECRET, json.dumps(BODY).encode(), "msg_1", int(time.time()))
    with connection.execute_wrapper(fail):
        send(BODY, headers=headers)
    assert "disk I/O error" in log.text
    check(log, headers)


@pytest.fixture
def configured(moto: None, settings: Any) -> Iterator[str]:
    created = aws.client("secretsmanager").create_secret(Name="shop", SecretString=SECRET)
    entry = {"id": "shop", "name": "Shop", "secrets": [created["ARN"]]}
    settings.EVENT_SOURCES_CONFIG = json.dumps([entry])
    yield str(created["ARN"])
    sources.configured.cache_clear()


def test_secret_of_secrets_manager(
    configured: str, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    # The SDK's own lines at DEBUG hold its answers; LOG_LEVEL leaves it at WARNING.
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "moto", "urllib3"):
        caplog.set_level(logging.WARNING, name)
    send(BODY)
    check(caplog, {})


def test_secret_is_not_shown_by_its_source(make_source: MakeSource) -> None:
    source = make_source()
    shown = f"{source} {source!r} {source.secrets}"
    assert base64.b64encode(KEY).decode() not in shown
