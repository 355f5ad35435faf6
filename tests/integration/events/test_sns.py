"""Amazon SNS: its certificates and confirmations are fetched from its own hosts only."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.models import EventSource
from events.schemes import sns as scheme
from tests import sns
from tests.integration.events.conftest import Later, MakeSource, stored


class Network:
    """Answers in place of the network, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pem, self.status = sns.certificate(), 200
        self.error: Exception | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.error:
            raise self.error
        return httpx.Response(self.status, content=self.pem)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    found = Network()
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda _, request: found.handle_request(request)
    )
    scheme._certificate.cache_clear()
    yield found
    scheme._certificate.cache_clear()


@pytest.fixture
def source(make_source: MakeSource) -> EventSource:
    return make_source("sns", secrets=signing_keys.seal(sns.TOPIC, timezone.now()))


def deliver(document: dict[str, Any]) -> Any:
    headers = {"x-amz-sns-message-type": str(document.get("Type"))}
    return Client().post(
        "/events?source=shop",
        sns.body_of(document),
        content_type="text/plain; charset=UTF-8",
        headers=headers,
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Paid", None])
def test_notification(
    network: Network, source: EventSource, version: str, subject: str | None
) -> None:
    answer = deliver(sns.message(version, Subject=subject))
    (event,) = stored()
    found = answer.status_code, event["source"], event["detail"]["Message"]
    assert found == (200, "sns.amazonaws.com", {"order": 4711})


def test_text_stays_a_text(network: Network, source: EventSource) -> None:
    deliver(sns.message(Message="The order is paid."))
    assert stored()[0]["detail"]["Message"] == "The order is paid."


def test_certificate_is_fetched_once(network: Network, source: EventSource) -> None:
    for number in "123":
        deliver(sns.message(MessageId=number))
    assert (network.asked, len(stored())) == ([sns.CERTIFICATE], 3)


def test_message_that_comes_again_is_known(
    network: Network, source: EventSource, later: Later
) -> None:
    first = sns.message()
    deliver(first)
    later(minutes=50)
    assert (deliver(first).json()["events"][0]["duplicate"], len(stored())) == (True, 1)


@pytest.mark.parametrize(("minutes", "status"), [(55, 200), (65, 401)])
def test_retries_of_an_hour_are_accepted(
    network: Network, source: EventSource, minutes: int, status: int
) -> None:
    sent = datetime.now(UTC) - timedelta(minutes=minutes)
    assert deliver(sns.message(at=sent)).status_code == status


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Subject"])
def test_changed_field_is_refused(network: Network, source: EventSource, name: str) -> None:
    changed = {**sns.message(), name: "2027-01-31T09:00:00.000Z"}
    if name == "Timestamp":
        changed[name] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.999Z")
    assert (deliver(changed).status_code, stored()) == (401, [])


def test_topic_of_another_is_refused_before_anything_is_fetched(
    network: Network, source: EventSource
) -> None:
    answer = deliver(sns.message(TopicArn=sns.TOPIC.replace("123456789012", "210987654321")))
    assert (answer.status_code, network.asked) == (401, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0a.pem",
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
        "https://evil@sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/SimpleNotificationService-0a.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://bucket.s3.eu-central-1.amazonaws.com/SimpleNotificationService-0a.pem",
        "https://sns.eu-central-1.amazonaws.com/other.pem",
        "https://sns.eu-central-1.amazonaws.com/a/SimpleNotificationService-0a.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a.pem?x=y",
        "https://[sns",
        "https://sns.eu-central-1.amazonaws.com:port/SimpleNotificationService-0a.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_certificate_of_another_host_is_never_fetched(
    network: Network, source: EventSource, url: str
) -> None:
    answer = deliver(sns.message(SigningCertURL=url))
    assert (answer.status_code, network.asked) == (401, [])


def test_certificate_that_has_ended_is_refused(network: Network, source: EventSource) -> None:
    network.pem = sns.certificate(-1)
    assert deliver(sns.message()).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", 500),
        ("status", 302),
        ("pem", b"<html>"),
        ("pem", b"x" * 50_000),
        ("error", httpx.ConnectTimeout("too slow")),
        ("error", httpx.ConnectError("unreachable")),
    ],
)
def test_certificate_that_cannot_be_had_is_a_503_until_it_can(
    network: Network, source: EventSource, field: str, value: Any
) -> None:
    setattr(network, field, value)
    before = deliver(sns.message()).status_code
    network.pem, network.status, network.error = sns.certificate(), 200, None
    assert (before, deliver(sns.message()).status_code) == (503, 200)


def test_subscription_is_confirmed(network: Network, source: EventSource) -> None:
    answer = deliver(sns.confirmation())
    asked = [httpx.URL(sns.CERTIFICATE), httpx.URL(sns.CONFIRM)]
    assert (answer.status_code, [httpx.URL(url) for url in network.asked], stored()) == (
        200,
        asked,
        [],
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription",
        "http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_confirmation_elsewhere_is_never_fetched(
    network: Network, source: EventSource, url: str
) -> None:
    answer = deliver(sns.confirmation(SubscribeURL=url))
    assert (answer.status_code, network.asked) == (401, [sns.CERTIFICATE])


def test_confirmation_that_is_not_signed_is_never_fetched(
    network: Network, source: EventSource
) -> None:
    answer = deliver({**sns.confirmation(), "Token": "another"})
    assert (answer.status_code, network.asked) == (401, [sns.CERTIFICATE])


def test_end_of_a_subscription_starts_nothing(network: Network, source: EventSource) -> None:
    answer = deliver(sns.confirmation(Type="UnsubscribeConfirmation"))
    assert (answer.status_code, network.asked, stored()) == (200, [sns.CERTIFICATE], [])


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Type": "Notification"},
        {"Type": ["x"]},
        {**sns.message(), "SignatureVersion": "3"},
        {**sns.message(), "Signature": "%"},
        {**sns.message(), "Timestamp": "yesterday"},
        {**sns.message(), "Message": 5},
    ],
)
def test_malformed_message_is_refused(
    network: Network, source: EventSource, document: dict[str, Any]
) -> None:
    assert (deliver(document).status_code, network.asked) == (401, [])


def test_topic_before_a_new_one_ends_after_a_day(
    network: Network, make_source: MakeSource, later: Later
) -> None:
    now = timezone.now()
    other = sns.TOPIC.replace("orders", "others")
    make_source("sns", secrets=signing_keys.seal(other, now, signing_keys.seal(sns.TOPIC, now)))
    before = deliver(sns.message(MessageId="1")).status_code
    later(hours=25)
    sent = datetime.now(UTC) + timedelta(hours=25)
    after = deliver(sns.message(MessageId="2", at=sent)).status_code
    assert (before, after) == (200, 401)
