"""Sources in the settings, their secrets in Secrets Manager, and the list of all sources."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.utils import timezone

from events import signing_keys, sources
from moca.aws import clients as aws
from tests.integration.api.conftest import API, VALID
from tests.integration.aws.test_doctor import findings
from tests.integration.events.conftest import (
    BUSES,
    ORDER,
    OTHER,
    SECRET,
    MakeSource,
    Send,
    stored,
)

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:moca-handler"
SHOP = {"id": "shop", "name": "Shop", "secrets": [SECRET]}

Configure = Callable[..., None]
Queries = Callable[[int], AbstractContextManager[Any]]


@pytest.fixture
def configure(settings: Any) -> Iterator[Configure]:
    """Have the settings list these sources, or hold this text."""

    def configure(*entries: Any) -> None:
        is_text = len(entries) == 1 and isinstance(entries[0], str)
        settings.EVENT_SOURCES_CONFIG = entries[0] if is_text else json.dumps(entries)

    yield configure
    sources.configured.cache_clear()


def found(number: str) -> list[str]:
    """What the system checks say under a number."""
    return [f"{each.msg} {each.hint}" for each in run_checks() if each.id == f"moca.{number}"]


class TestConfigured:
    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_takes_events(self, configure: Configure, send: Send, kind: str) -> None:
        configure({**SHOP, "kind": kind})
        assert send({"event_id": "1", "id": "1", "type": "x"}, kind).status_code == 200

    def test_source_with_secrets_is_a_webhook(self, configure: Configure, send: Send) -> None:
        configure(SHOP)
        send(ORDER)
        assert stored()[0]["source"] == "webhook.shop"

    def test_source_without_secrets_is_a_bus(self, configure: Configure, send: Send) -> None:
        configure({"id": "shop", "name": "Shop"})
        assert sources.configured()["shop"].kind == "bus"
        assert send(ORDER).status_code == 401

    @pytest.mark.parametrize("secret", [SECRET, OTHER])
    def test_each_secret_of_the_list_holds(
        self, configure: Configure, send: Send, secret: str
    ) -> None:
        configure({**SHOP, "secrets": [SECRET, OTHER]})
        assert send(ORDER, secret=secret).status_code == 200

    @pytest.mark.parametrize("kind", ["webhook", "github", "slack", "stripe"])
    def test_line_break_after_a_secret_is_none_of_it(
        self, configure: Configure, send: Send, kind: str
    ) -> None:
        configure(f"- id: shop\n  name: Shop\n  kind: {kind}\n  secrets:\n  - |\n    {SECRET}\n")
        assert send({"event_id": "1", "id": "1", "type": "x"}, kind).status_code == 200

    def test_other_secrets_do_not(self, configure: Configure, send: Send) -> None:
        configure(SHOP)
        assert (send(ORDER, secret=OTHER).status_code, stored()) == (401, [])

    def test_file_of_yaml(self, settings: Any, send: Send, tmp_path: Path) -> None:
        path = tmp_path / "sources.yaml"
        path.write_text(f"- id: shop\n  name: \u5e97\n  secrets: [{SECRET}]\n", encoding="utf-8")
        settings.EVENT_SOURCES_FILE = str(path)
        assert send(ORDER).status_code == 200

    def test_settings_come_before_rows(
        self, configure: Configure, make_source: MakeSource, send: Send
    ) -> None:
        make_source(secrets=signing_keys.seal(OTHER, timezone.now()))
        configure(SHOP)
        assert [send(ORDER, secret=each).status_code for each in (OTHER, SECRET)] == [401, 200]

    def test_row_comes_back_when_the_settings_leave_it_out(
        self, configure: Configure, make_source: MakeSource, send: Send
    ) -> None:
        make_source(secrets=signing_keys.seal(OTHER, timezone.now()))
        configure(SHOP)
        configure()
        assert send(ORDER, secret=OTHER).status_code == 200


class TestSecretsManager:
    @pytest.fixture
    def arn(self, moto: None, configure: Configure) -> str:
        """The ARN of the secret of a source, stored as from a file."""
        created = aws.client("secretsmanager").create_secret(
            Name="shop", SecretString=f"{SECRET}\n"
        )
        configure({**SHOP, "secrets": [created["ARN"]]})
        return str(created["ARN"])

    def test_secret_is_read_from_its_arn(self, arn: str, send: Send) -> None:
        assert (send(ORDER).status_code, len(stored())) == (200, 1)

    def test_other_secrets_do_not_hold(self, arn: str, send: Send) -> None:
        assert (send(ORDER, secret=OTHER).status_code, stored()) == (401, [])

    def test_arn_itself_is_no_secret(self, arn: str, send: Send) -> None:
        assert send(ORDER, secret=arn).status_code == 401

    def test_storm_does_not_read_it_each_time(
        self, arn: str, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # No boundary of a period falls into this test.
        monkeypatch.setattr(signing_keys, "REREAD_SECONDS", 1e9)
        reads = self.count_reads()
        for number in range(20):
            send(ORDER, key=str(number), secret=[SECRET, OTHER][number % 2])
        assert len(reads) == 1

    @pytest.mark.parametrize(
        ("stored_text", "reason"),
        [
            ("whsec_%%%", "no base64 after whsec_"),
            (json.dumps({"secret": SECRET}), "is a JSON object"),
        ],
    )
    def test_secret_that_signs_nothing_says_why(
        self,
        arn: str,
        send: Send,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        stored_text: str,
        reason: str,
    ) -> None:
        aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=stored_text)
        monkeypatch.setattr(signing_keys, "REREAD_SECONDS", 1e-6)
        assert (send(ORDER).status_code, reason in caplog.text) == (503, True)

    def test_new_secret_is_known_after_a_while(
        self, arn: str, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send(ORDER)
        aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=OTHER)
        monkeypatch.setattr(signing_keys, "REREAD_SECONDS", 1e-6)
        assert send(ORDER, secret=OTHER).status_code == 200

    def test_messages_that_are_too_old_do_not_read_it(self, arn: str, send: Send) -> None:
        reads = self.count_reads()
        send(ORDER, ago=400)
        assert reads == []

    @pytest.fixture
    def missing(self, moto: None, configure: Configure) -> None:
        configure({**SHOP, "secrets": [ARN]})

    def test_sender_is_to_come_again(self, missing: None, send: Send) -> None:
        answer = send(ORDER)
        told = ARN not in answer.content.decode()
        assert (answer.status_code, answer["Retry-After"], told) == (503, "60", True)

    def test_operator_sees_which_is_missing(
        self, missing: None, send: Send, caplog: pytest.LogCaptureFixture
    ) -> None:
        send(ORDER)
        assert f"{ARN}, cannot be read: there is no such secret" in caplog.text

    def count_reads(self) -> list[Any]:
        reads: list[Any] = []
        client = aws.client("secretsmanager", "eu-central-1")
        client.meta.events.register_first(
            "before-call.secrets-manager.GetSecretValue", lambda **call: reads.append(call)
        )
        return reads


# What stands in EVENT_SOURCES_CONFIG, and what the operator is told.
MISTAKES = {
    "- {id: shop": "neither JSON nor YAML: expected ',' or '}'",
    "- {id: shop, day: 2027-13-45}": "neither JSON nor YAML: it cannot be read",
    "[" * 5000: "neither JSON nor YAML",
    "id: shop": "EVENT_SOURCES_CONFIG is no list",
    "- shop": "EVENT_SOURCES_CONFIG[0] is no map with id and name",
    "- {id: shop}": "EVENT_SOURCES_CONFIG[0].name: This field cannot be blank",
    "- {name: Shop}": "EVENT_SOURCES_CONFIG[0].id: This field cannot be blank",
    "- {id: Shop, name: Shop}": "EVENT_SOURCES_CONFIG[0].id: Give lower-case letters",
    "- {id: 5, name: Shop}": "EVENT_SOURCES_CONFIG[0].id is no text: put it in quotes",
    f"- {{id: {'a' * 37}, name: Shop}}": "EVENT_SOURCES_CONFIG[0].id: Ensure this value has at",
    "- {id: a, name: A}\n- {id: a, name: B}": "has the id 'a' twice",
    "- {id: a, name: A, sekrets: [x]}": "EVENT_SOURCES_CONFIG[0] has 'sekrets': give some of id,",
    "- {id: a, name: A, kind: pigeon}": "kind is 'pigeon': give one of bus, webhook, github",
    "- {id: a, name: A, kind: slack}": "secrets: Give a list with the secret",
    "- {id: a, name: A, kind: bus, secrets: [x]}": "secrets: A bus has no senders that sign",
    "- {id: a, name: A, secrets: x}": "EVENT_SOURCES_CONFIG[0].secrets is no list of texts",
    "- {id: a, name: A, secrets: [1]}": "EVENT_SOURCES_CONFIG[0].secrets is no list of texts",
    "- {id: a, name: A, secrets: ['']}": "secrets: A secret is empty",
    "- {id: a, name: A, secrets: [whsec_]}": "secrets: A secret is empty",
    "- {id: a, name: A, secrets: ['whsec_%']}": "no base64 after whsec_",
    "- {id: a, name: A, kind: stripe, secrets: [sk_live_1]}": "This is an API key of Stripe",
    "- {id: a, name: A, kind: slack, secrets: [xoxb-1]}": "This is a token of Slack",
    '- {id: a, name: A, kind: github, secrets: ["a\\nb"]}': "holds a line break",
    "- {id: a, name: A, replayWindowSeconds: x}": "replayWindowSeconds is no whole number",
    "- {id: a, name: A, replayWindowSeconds: true}": "replayWindowSeconds is no whole number",
    "- {id: a, name: A, replayWindowSeconds: -1}": "replayWindowSeconds: Ensure this value is gr",
    "- {id: a, name: A, secrets: ['arn:aws:sqs:x']}": "arn:aws:sqs:x is no ARN of a secret",
    "- {id: a, name: A, eventPattern: {source: [{prefix: 1}]}}": ".eventPattern: source[0]",
    "- {id: a, name: A, eventPattern: {detailType: [x]}}": "a field detailType: write detail-type",
    "- {id: a, name: A, eventPattern: {$or: [{Source: [x]}, {id: [y]}]}}": "Source: write source",
    "- {id: a, name: A, eventPattern: {a: ['100%', '100%']}, eventBusName: ' '}": ".eventBusName: ",
    "- {id: a, name: A, eventPattern: {resources: [x]}, secrets: [x]}": "Leave out resources",
}


class TestMistakes:
    @pytest.mark.parametrize("text", MISTAKES)
    def test_check_tells_them(self, configure: Configure, text: str) -> None:
        configure(text)
        assert MISTAKES[text] in found("E026")[0]

    @pytest.mark.parametrize("key", ["detailType", "detail_type", "DetailType", "Detail-Type"])
    def test_in_the_pattern_of_a_trigger(self, db: None, key: str) -> None:
        body = {**VALID, "type": "event", "eventConfig": {"eventPattern": {key: ["order.paid"]}}}
        [fault] = API("alice").post("/triggers", body).json()["details"]
        assert (fault["field"], "write detail-type" in fault["message"]) == (
            "eventConfig.eventPattern",
            True,
        )

    def test_in_the_pattern_of_a_stored_source(self, make_source: MakeSource) -> None:
        source = make_source("bus", id="a", pattern={"source": ["a"]})
        source.pattern = {"detailType": ["x"]}
        with pytest.raises(ValidationError, match="write detail-type"):
            source.full_clean()

    def test_such_names_within_the_detail_are_the_senders_own(self, configure: Configure) -> None:
        configure("- {id: a, name: A, eventPattern: {detail: {detailType: [x]}}}")
        assert found("E026") == []

    def test_second_entry_is_named(self, configure: Configure) -> None:
        configure(SHOP, {"id": "b"})
        assert "EVENT_SOURCES_CONFIG[1].name" in found("E026")[0]

    def test_secret_of_a_broken_list_is_not_told(self, configure: Configure) -> None:
        configure(f"- {{id: shop, secrets: [{SECRET}}}")
        assert "line 1" in found("E026")[0]
        assert SECRET not in found("E026")[0]

    def test_secret_of_a_broken_list_is_not_logged(
        self, configure: Configure, send: Send, caplog: pytest.LogCaptureFixture
    ) -> None:
        configure(f"- {{id: shop, secrets: [{SECRET}}}")
        assert (send(ORDER).status_code, SECRET in caplog.text) == (500, False)

    @pytest.mark.parametrize(
        ("data", "reason"), [(None, "No such file"), (b"- {id: \xff}", "it is not UTF-8")]
    )
    def test_file_that_cannot_be_read(
        self, settings: Any, tmp_path: Path, data: bytes | None, reason: str
    ) -> None:
        path = tmp_path / "sources.yaml"
        if data is not None:
            path.write_bytes(data)
        settings.EVENT_SOURCES_FILE = str(path)
        assert f"{path}, cannot be read: {reason}" in found("E026")[0]

    @pytest.mark.parametrize("text", ["", " \n", "[]"])
    def test_no_list_is_none(self, configure: Configure, text: str) -> None:
        configure(text)
        assert found("E026") == []

    def test_parts_may_be_null(self, configure: Configure) -> None:
        names = ("description", "icon", "kind", "eventPattern", "eventBusName")
        configure({**SHOP, **dict.fromkeys(names)})
        assert found("E026") == []


class TestWarnings:
    @pytest.mark.parametrize(
        ("secret", "arn", "expected"),
        [(SECRET, FUNCTION, ["shop"]), (SECRET, "", []), (ARN, FUNCTION, [])],
    )
    def test_secret_in_the_settings_of_a_function(
        self, configure: Configure, settings: Any, secret: str, arn: str, expected: list[str]
    ) -> None:
        configure({**SHOP, "secrets": [secret]})
        settings.TRIGGER_LAMBDA_ARN = arn
        assert [name for name in ("shop",) for each in found("W006") if name in each] == expected

    def test_secret_itself_is_not_told(self, configure: Configure, settings: Any) -> None:
        configure(SHOP)
        settings.TRIGGER_LAMBDA_ARN = FUNCTION
        assert SECRET not in found("W006")[0]

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({"secrets": ["short"]}, "Give 16 to 256 letters, digits and signs without spaces."),
            ({"secrets": [SECRET, "f" * 15]}, "Give 16 to 256 letters"),
            ({"secrets": ["whsec_c2hvcnQgc2VjcmV0"]}, "the base64 of 24 to 64 bytes."),
            ({"kind": "gitlab", "secrets": ["short"]}, "Give 16 to 256 letters"),
            (
                {"kind": "token", "options": {"header": "X-Token"}, "secrets": ["short"]},
                "Give 16 to 256 letters",
            ),
        ],
    )
    def test_secret_that_the_page_would_refuse(
        self, configure: Configure, entry: dict[str, Any], message: str
    ) -> None:
        configure({**SHOP, **entry})
        assert [message in each for each in found("W008")] == [True]

    def test_such_a_secret_is_not_told(self, configure: Configure) -> None:
        configure({**SHOP, "secrets": ["hunter2"]})
        assert "hunter2" not in found("W008")[0]

    def test_such_a_source_takes_events(self, configure: Configure, send: Send) -> None:
        configure({**SHOP, "secrets": ["hunter2-hunter"]})
        assert send(ORDER, secret="hunter2-hunter").status_code == 200

    @pytest.mark.parametrize("secret", [SECRET, ARN])
    def test_other_secrets(self, configure: Configure, secret: str) -> None:
        configure({**SHOP, "secrets": [secret]})
        assert found("W008") == []

    @pytest.mark.parametrize(("secret", "expected"), [("x" * 15, 1), ("x" * 16, 0)])
    def test_secret_that_could_be_guessed(
        self, configure: Configure, secret: str, expected: int
    ) -> None:
        configure({**SHOP, "kind": "github", "secrets": [secret]})
        assert len(found("W008")) == expected

    def test_list_and_file(self, settings: Any, tmp_path: Path) -> None:
        path = tmp_path / "sources.yaml"
        path.write_text("[]")
        settings.EVENT_SOURCES_FILE = str(path)
        assert "only the file is read. Unset one of them." in found("W007")[0]

    def test_list_alone(self, configure: Configure) -> None:
        configure(SHOP)
        assert found("W007") == []


class TestList:
    def test_needs_a_sign_in(self, nobody: API) -> None:
        answer = nobody.get("/events")
        assert (answer.status_code, answer.json()["code"]) == (401, "MISSING_AUTHORIZATION")

    def test_signature_is_no_sign_in(self, make_source: MakeSource, nobody: API) -> None:
        make_source()
        assert nobody.get("/events?source=shop", webhook_signature="v1,x").status_code == 401

    def test_shape(self, configure: Configure, make_source: MakeSource, alice: API) -> None:
        configure({**SHOP, "id": "b", "description": "Orders.", "icon": "cart"})
        make_source("bus", id="a", name="Alarms", pattern={"source": ["my.alarm"]})
        answer = alice.get("/events").json()
        assert answer["eventSources"] == [
            {
                "id": "a",
                "name": "Alarms",
                "description": "",
                "eventPattern": {"source": ["my.alarm"]},
            },
            {"id": "b", "name": "Shop", "description": "Orders.", "icon": "cart"},
        ]

    def test_replay_window_of_github(self, configure: Configure, alice: API) -> None:
        configure({**SHOP, "kind": "github", "replayWindowSeconds": 0})
        (told,) = alice.get("/events").json()["eventSources"]
        assert told["replayWindowSeconds"] == 0

    def test_metadata_counts_them(self, alice: API) -> None:
        assert alice.get("/events").json()["metadata"]["count"] == len(BUSES)

    def test_no_source_is_an_empty_list(self, configure: Configure, alice: API) -> None:
        configure("")
        assert alice.get("/events").json()["eventSources"] == []

    def test_settings_come_before_rows(
        self, configure: Configure, make_source: MakeSource, alice: API
    ) -> None:
        make_source(name="Row")
        configure(SHOP)
        assert [each["name"] for each in alice.get("/events").json()["eventSources"]] == ["Shop"]

    def test_secrets_are_not_told(self, make_source: MakeSource, alice: API) -> None:
        source = make_source()
        answer = alice.get("/events").content.decode()
        assert (SECRET in answer, source.secrets[0]["sealed"] in answer) == (False, False)

    @pytest.mark.sqlite
    @pytest.mark.parametrize("number", [1, 30])
    def test_is_one_query(
        self,
        make_source: MakeSource,
        alice: API,
        django_assert_num_queries: Queries,
        number: int,
    ) -> None:
        for each in range(number):
            make_source(id=f"shop-{each}")
        with django_assert_num_queries(1):
            alice.get("/events")


class TestDoctor:
    def test_source_that_takes_events(self, make_source: MakeSource) -> None:
        make_source()
        assert findings()["event sources"][0] == "ok"

    def test_source_without_a_secret(self, make_source: MakeSource) -> None:
        make_source(secrets=[])
        assert findings()["event sources"][0] == "warn"

    def test_secret_key_of_another(self, make_source: MakeSource, settings: Any) -> None:
        make_source()
        settings.SECRET_KEY = "another"
        verdict, text = findings()["event sources"]
        assert (verdict, "shop takes no events: its secrets were sealed" in text) == ("fail", True)

    def test_buses_need_none(self, db: None) -> None:
        assert "event sources" not in findings()

    def test_broken_list_is_told_once(self, configure: Configure, db: None) -> None:
        configure("x")
        told = findings()
        assert ("event sources" in told, "moca.E026" in told["settings"][1]) == (False, True)
