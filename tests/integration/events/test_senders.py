"""Each sender of the table: its messages come in as events, and nobody else's do."""

import json
import re
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from events import senders, signing_keys
from tests.integration.events.conftest import Later, MakeSource, stored
from tests.senders import BY_KIND, CASES, TIMED, Case, Posted

# A token proves who sends, and not what.
TOKENS = {"alertmanager", "grafana", "eventbridge", "gitlab"}
SIGNED = [case for case in CASES if case.kind not in TOKENS]
CHANGING = ("requestId", "timestamp")
NOT_PRESETS = {"bus", "hmac", "token", "sns"}


def sealed(case: Case, secret: Any = None) -> list[dict[str, Any]]:
    shown = case.shown(case.secret if secret is None else secret)
    return signing_keys.seal(shown, timezone.now())


def deliver(posted: Posted, **headers: str) -> Any:
    """Post a message to the source, and return the answer."""
    path = posted.url.removeprefix("http://testserver")
    given = {**posted.headers, **headers}
    return Client().post(path, posted.body, content_type=posted.content_type, headers=given)


def now() -> int:
    return int(time.time())


def of_kind(case: Case) -> str:
    return case.kind


each_case = pytest.mark.parametrize("case", CASES, ids=of_kind)


def test_each_sender_has_a_case() -> None:
    assert {one.kind for one in senders.senders()} - set(BY_KIND) == NOT_PRESETS


@each_case
def test_event_comes_in(make_source: MakeSource, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    answer = deliver(case.post(at=now()))
    (event,) = stored()
    found = answer.status_code, event["source"], event["detail-type"]
    assert found == (200, case.source, case.detail_type)


@each_case
def test_secret_of_another_is_refused(make_source: MakeSource, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    answer = deliver(case.post(at=now(), secret=case.other))
    assert (answer.status_code, stored()) == (401, [])


@pytest.mark.parametrize("case", SIGNED, ids=of_kind)
def test_body_of_another_is_refused(make_source: MakeSource, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    right = case.post(at=now())
    changed = Posted(case.body("2", now()), right.headers, right.content_type, right.url)
    assert (deliver(changed).status_code, stored()) == (401, [])


@pytest.mark.parametrize("case", TIMED, ids=of_kind)
def test_old_message_is_refused(make_source: MakeSource, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    answer = deliver(case.post(at=now() - case.seconds))
    assert (answer.status_code, stored()) == (401, [])


@each_case
def test_event_that_comes_again_is_known(make_source: MakeSource, later: Later, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    first = case.post(at=now())
    deliver(first)
    # Those whose events have no id are known for ten seconds.
    later(seconds=5)
    assert (deliver(first).status_code, len(stored())) == (200, 1)


@each_case
def test_another_event_is_another(make_source: MakeSource, case: Case) -> None:
    make_source(case.kind, secrets=sealed(case))
    deliver(case.post("1", at=now()))
    deliver(case.post("2", at=now()))
    assert len(stored()) == 2


@each_case
@pytest.mark.parametrize(("hours", "status"), [(23, 200), (25, 401)])
def test_secret_before_a_new_one_ends_after_a_day(
    make_source: MakeSource, later: Later, case: Case, hours: int, status: int
) -> None:
    kept = signing_keys.seal(case.shown(case.other), timezone.now(), sealed(case))
    make_source(case.kind, secrets=kept)
    later(hours=hours)
    assert deliver(case.post(at=now() + hours * 3600)).status_code == status


@pytest.mark.parametrize(
    "case",
    [one for one in CASES if senders.sender_of(one.kind).has_unsigned_id],
    ids=of_kind,
)
def test_replay_under_another_id_is_the_same_event(make_source: MakeSource, case: Case) -> None:
    """Whoever has a message may send it again with another id, which is not signed."""
    make_source(case.kind, secrets=sealed(case))
    first = case.post(at=now())
    deliver(first)
    other = {name: "another" for name, text in first.headers.items() if text == "1"}
    answer = deliver(first, **other)
    assert (answer.status_code, len(stored()), bool(other)) == (200, 1, True)


@each_case
def test_name_of_a_sender_is_its_own(make_source: MakeSource, case: Case) -> None:
    """No webhook may say that it is another sender's event."""
    make_source()
    body = json.dumps({"source": case.source, "detail-type": "x", "detail": {}}).encode()
    own = BY_KIND["webhook"]
    answer = deliver(Posted(body, own.sign(own.secret, body, now(), "1")))
    assert answer.status_code == 400


def test_table_of_the_documents_has_each_sender() -> None:
    text = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    rows = re.findall(
        r"^\| [^|]+: `([a-z-]+)` \|.*\| `([a-z.]+)`[^|]* \| [^|]+ \|$", text, re.MULTILINE
    )
    known = {one.kind: one.name for one in senders.senders() if one.group == senders.SENDERS}
    known["eventbridge"] += "."
    assert dict(rows) == known


def answer_of(posted: Posted, source: str) -> tuple[int, dict[str, Any]]:
    """The status and the body, without what is another at each request."""
    path = posted.url.removeprefix("http://testserver").replace("shop", source)
    headers = dict(posted.headers)
    answer = Client().post(path, posted.body, content_type=posted.content_type, headers=headers)
    told = {name: text for name, text in answer.json().items() if name not in CHANGING}
    return answer.status_code, told


@each_case
@pytest.mark.parametrize("ago", [0, 100_000])
def test_answer_does_not_say_whether_there_is_a_source(
    make_source: MakeSource, case: Case, ago: int
) -> None:
    make_source(case.kind, secrets=sealed(case))
    posted = case.post(at=now() - ago, secret=case.other)
    known, unknown = (answer_of(posted, source) for source in ("shop", "nobody"))
    assert (known[0], known) == (401, unknown)


@pytest.mark.dynamodb
@pytest.mark.parametrize("kind", ["github", "webhook"])
def test_row_from_before_there_were_options(
    make_source: MakeSource, editor: Client, kind: str
) -> None:
    case = BY_KIND[kind]
    source = make_source(kind, secrets=sealed(case))
    table = boto3.resource("dynamodb", region_name=settings.AWS_REGION).Table(
        connection.settings_dict["NAME"]
    )
    (item,) = [each for each in table.scan()["Items"] if each.get("_kind") == source.kind]
    table.update_item(
        Key={"PK": item["PK"], "SK": item["SK"]},
        UpdateExpression="REMOVE #options",
        ExpressionAttributeNames={"#options": "_options"},
    )
    pages = [editor.get(f"/console/events/shop{page}").status_code for page in ("", "/edit")]
    assert (deliver(case.post(at=now())).status_code, pages) == (200, [200, 200])


class TestLinear:
    def test_retry_has_another_time_and_is_known(
        self, make_source: MakeSource, later: Later
    ) -> None:
        case = BY_KIND["linear"]
        make_source("linear", secrets=sealed(case))
        deliver(case.post(at=now()))
        later(hours=1)
        deliver(case.post(at=now() + 3600))
        assert len(stored()) == 1

    def test_replay_is_known_as_long_as_it_is_fresh(
        self, make_source: MakeSource, later: Later
    ) -> None:
        case = BY_KIND["linear"]
        make_source("linear", secrets=sealed(case))
        first = case.post(at=now())
        deliver(first)
        later(seconds=200)
        answer = deliver(first, **{"Linear-Delivery": "another"})
        assert (answer.status_code, len(stored())) == (200, 1)


class TestSendgrid:
    def test_large_batch_is_stored_in_parts(self, make_source: MakeSource) -> None:
        case = BY_KIND["sendgrid"]
        make_source("sendgrid", secrets=sealed(case))
        events = [{"event": "open", "sg_event_id": f"e-{number}"} for number in range(120)]
        body = json.dumps([*events, events[0]]).encode()
        posted = Posted(body, case.sign(case.secret, body, now(), "1"))
        first, again = deliver(posted).json()["events"], deliver(posted).json()["events"]
        assert (len(first), len(stored()), {one["duplicate"] for one in again}) == (
            121,
            120,
            {True},
        )

    @pytest.mark.parametrize("body", [b"{}", b'["x"]', b'[{"event": "x"}, 5]'])
    def test_anything_but_a_list_of_events_is_refused(
        self, make_source: MakeSource, body: bytes
    ) -> None:
        case = BY_KIND["sendgrid"]
        make_source("sendgrid", secrets=sealed(case))
        answer = deliver(Posted(body, case.sign(case.secret, body, now(), "1")))
        assert (answer.status_code, stored()) == (400, [])


class TestForms:
    @pytest.mark.parametrize("body", ["Body=%00", "&".join(f"f{n}=1" for n in range(1001))])
    def test_form_that_cannot_be_stored_is_refused(
        self, make_source: MakeSource, body: str
    ) -> None:
        case = BY_KIND["twilio"]
        make_source("twilio", secrets=sealed(case))
        raw = body.encode()
        headers = case.sign(case.secret, raw, 0, "1")
        assert deliver(Posted(raw, headers, case.content_type)).status_code == 400
