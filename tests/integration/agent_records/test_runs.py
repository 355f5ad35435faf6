"""Runs of triggers whose agents have records."""

import json
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.db import OperationalError

from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS
from executions.agent_records import clients, lookup
from executions.agent_records.model import Agent
from moca.aws import clients as aws
from tests.integration.agent_records.conftest import VARIABLE, Fire, MakeAgent, MakeTrigger
from tests.integration.aws.test_doctor import findings

SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:agents/reporter-AbCdEf"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_run_speaks_the_protocol_of_the_record(
    protocol: str, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire
) -> None:
    make_agent(protocol=protocol)
    execution = fire(make_trigger(prompt="Report."))
    assert (execution.status, "Report." in execution.output) == ("completed", True)


def test_only_the_agent_of_the_record_is_called(
    make_agent: MakeAgent,
    make_trigger: MakeTrigger,
    fire: Fire,
    demo_agent: DemoAgent,
    default_agent: DemoAgent,
) -> None:
    make_agent()
    fire(make_trigger())
    assert (len(demo_agent.requests), len(default_agent.requests)) == (1, 0)


def test_without_a_record_the_default_agent_is_called(
    make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, default_agent: DemoAgent
) -> None:
    make_agent(id="another")
    fire(make_trigger())
    assert len(default_agent.requests) == 1


def test_deleted_record_leaves_the_default_agent(
    make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, default_agent: DemoAgent
) -> None:
    make_agent().delete()
    fire(make_trigger())
    assert len(default_agent.requests) == 1


def test_key_goes_into_the_header_of_the_record(
    make_agent: MakeAgent,
    make_trigger: MakeTrigger,
    fire: Fire,
    demo_agent: DemoAgent,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, f"Bearer {token}")
    make_agent(auth="api-key", key_header="Authorization")
    assert fire(make_trigger()).status == "completed"


def test_client_credentials_are_those_of_the_record(
    make_agent: MakeAgent,
    make_trigger: MakeTrigger,
    fire: Fire,
    demo_agent: DemoAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "demo")
    make_agent(auth="cognito", client_id="demo", token_domain=demo_agent.url)
    assert fire(make_trigger()).status == "completed"


def test_authorization_may_be_that_of_the_settings(
    make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, settings: Any, token: str
) -> None:
    settings.AGENT_AUTH, settings.AGENT_TOKEN = "static", token
    make_agent(auth="settings", secret_ref="")
    assert fire(make_trigger()).status == "completed"


def test_secret_is_read_from_secrets_manager(
    moto: None, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, token: str
) -> None:
    made = aws.client("secretsmanager", "eu-central-1").create_secret(
        Name="agents/reporter", SecretString=token
    )
    make_agent(secret_ref=made["ARN"])
    assert fire(make_trigger()).status == "completed"


class TestWrongRecords:
    def test_unset_variable_fails_the_run_before_anything_is_sent(
        self,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        demo_agent: DemoAgent,
        default_agent: DemoAgent,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_agent()
        monkeypatch.delenv(VARIABLE)
        execution = fire(make_trigger())
        sent = len(demo_agent.requests) + len(default_agent.requests)
        assert (execution.error_code, execution.reached_agent, sent) == (
            "agent_record_variable_unset",
            False,
            0,
        )

    def test_reason_names_the_field_and_the_remedy(
        self,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_agent()
        monkeypatch.delenv(VARIABLE)
        assert (
            f"Secret of the agent reporter is the environment variable {VARIABLE}, which is not "
            "set in this process: set it and restart"
        ) in fire(make_trigger()).error

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"secret_ref": "SECRET_KEY"}, "agent_record_secret_refused"),
            ({"secret_ref": SECRET_ARN.replace("agents/", "")}, "agent_record_secret_refused"),
            ({"secret_ref": ""}, "agent_record_field_missing"),
            ({"auth": "cognito"}, "agent_record_field_missing"),
            ({"auth": "magic"}, "agent_record_auth"),
            ({"protocol": "soap"}, "agent_record_protocol"),
            ({"address": "ftp://agent"}, "agent_record_address"),
        ],
    )
    def test_row_that_was_written_past_the_rules_sends_nothing(
        self,
        wrong: dict[str, str],
        code: str,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SECRET_KEY", "key")
        agent = make_agent()
        Agent.objects.filter(pk=agent.pk).update(**wrong)
        assert fire(make_trigger()).error_code == code

    def test_unreadable_record_never_falls_back_to_the_default_agent(
        self,
        make_trigger: MakeTrigger,
        fire: Fire,
        default_agent: DemoAgent,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def away(_: str) -> None:
            raise OperationalError("away")

        monkeypatch.setattr(lookup, "find", away)
        execution = fire(make_trigger())
        assert (execution.error_code, len(default_agent.requests)) == (
            "agent_record_unreadable",
            0,
        )

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("secret_ref", "SECRET_KEY"),
            ("secret_ref", "agent_token"),
            ("secret_ref", "eyJhbGciOiJIUzI1NiJ9.secret"),
            ("secret_ref", SECRET_ARN.replace("agents/", "moca/")),
            ("address", "ftp://agent"),
            ("address", "http://user:password@agent"),
            ("address", "http://169.254.169.254/latest"),
            ("token_domain", "http://[fe80::1]"),
            ("key_header", "X Key"),
            ("id", "a//b"),
            ("id", ".."),
            ("id", "a\nb"),
            ("protocol", "soap"),
            ("connect_seconds", 0),
        ],
    )
    def test_rule_names_the_field(self, make_agent: MakeAgent, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            make_agent(**{field: value})
        assert field in caught.value.message_dict

    def test_error_does_not_quote_a_secret_that_was_entered(self, make_agent: MakeAgent) -> None:
        with pytest.raises(ValidationError) as caught:
            make_agent(secret_ref="sk-live-4711")
        assert "sk-live-4711" not in str(caught.value)

    @pytest.mark.parametrize("agent_id", ["reporter", "team/reporter", "Агент 7", "a" * 200])
    def test_ids_of_triggers_are_ids_of_records(
        self, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, agent_id: str
    ) -> None:
        make_agent(id=agent_id, protocol="ag-ui")
        assert fire(make_trigger(agent_id=agent_id)).status == "completed"


class TestDefaults:
    """A trigger's own values win, then the record's."""

    def test_options_of_the_record_are_sent(
        self, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        make_agent(model_id="haiku", reasoning_effort="low", enabled_tools=["search"])
        fire(make_trigger())
        body = demo_agent.requests[0].body
        sent = (body["modelId"], body["reasoningEffort"], body["enabledTools"])
        assert sent == ("haiku", "low", ["search"])

    def test_options_of_the_trigger_win(
        self, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire, demo_agent: DemoAgent
    ) -> None:
        make_agent(model_id="haiku", enabled_tools=["search"])
        fire(make_trigger(model_id="opus", enabled_tools=[]))
        body = demo_agent.requests[0].body
        assert (body["modelId"], body["enabledTools"]) == ("opus", [])


class TestCache:
    def test_record_is_read_once_a_minute(
        self,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_agent()
        reads = 0
        find = lookup.find

        def counted(agent_id: str) -> Agent | None:
            nonlocal reads
            reads += 1
            return find(agent_id)

        monkeypatch.setattr(lookup, "find", counted)
        trigger = make_trigger()
        fire(trigger)
        fire(trigger)
        assert reads == 1

    def test_change_by_another_process_counts_after_a_minute(
        self,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        agent, trigger = make_agent(), make_trigger()
        fire(trigger)
        # An update without signals is what another process's save looks like here.
        Agent.objects.filter(pk=agent.pk).update(protocol="soap")
        before = fire(trigger).status
        now = lookup.time.monotonic()
        monkeypatch.setattr(lookup.time, "monotonic", lambda: now + lookup.KEPT_SECONDS + 1)
        record = lookup.record_of("reporter")
        assert (before, record and record.protocol) == ("completed", "soap")

    def test_change_in_this_process_counts_at_once(
        self, make_agent: MakeAgent, make_trigger: MakeTrigger, fire: Fire
    ) -> None:
        agent, trigger = make_agent(), make_trigger()
        fire(trigger)
        agent.address = "http://127.0.0.1:1"
        agent.save()
        assert fire(trigger).error_code == "unreachable"

    def test_token_is_fetched_once_for_several_runs(
        self,
        make_agent: MakeAgent,
        make_trigger: MakeTrigger,
        fire: Fire,
        demo_agent: DemoAgent,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(VARIABLE, "demo")
        make_agent(auth="cognito", client_id="demo", token_domain=demo_agent.url)
        trigger = make_trigger()
        fire(trigger)
        fire(trigger)
        assert demo_agent.token_requests == 1

    def test_client_is_closed_after_its_last_run_once_the_record_has_changed(
        self, make_agent: MakeAgent, demo_agent: DemoAgent
    ) -> None:
        agent = make_agent()
        default: Any = None
        with clients.client_for(agent, default) as old:
            agent.protocol = "ag-ui"
            with clients.client_for(agent, default):
                in_use = old._http.is_closed
        assert (in_use, old._http.is_closed) == (False, True)

    def test_clients_are_bounded(
        self, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clients, "MOST_CLIENTS", 2)
        default: Any = None
        used = []
        for number in range(3):
            with clients.client_for(make_agent(id=f"a{number}"), default) as client:
                used.append(client)
        assert [client._http.is_closed for client in used] == [True, False, False]


class TestSettings:
    """Agents that AGENTS_CONFIG lists."""

    def test_agent_of_the_settings_is_called(
        self,
        make_trigger: MakeTrigger,
        fire: Fire,
        demo_agent: DemoAgent,
        token: str,
        settings: Any,
    ) -> None:
        entry = {"id": "reporter", "name": "R", "address": demo_agent.url, "protocol": "a2a"}
        settings.AGENTS_CONFIG = json.dumps([{**entry, "auth": "static", "secret": VARIABLE}])
        assert (fire(make_trigger()).status, len(demo_agent.requests)) == ("completed", 1)

    def test_settings_win_over_a_row(self, make_agent: MakeAgent, settings: Any) -> None:
        make_agent(name="Row")
        settings.AGENTS_CONFIG = "[{id: reporter, name: Listed, address: 'https://a.example'}]"
        assert [agent.name for agent in lookup.all_agents()] == ["Listed"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{id: a}", "AGENTS_CONFIG is no list: give a list of agents"),
            ("[{id: a, adress: x}]", "AGENTS_CONFIG[0] has 'adress'"),
            ("[{id: a, name: A, address: x, idleSeconds: '5'}]", "idleSeconds is no whole number"),
            (
                "[{id: a, name: A, address: 'https://a', auth: static, secret: SECRET_KEY}]",
                "AGENTS_CONFIG[0].secret: Give no secret",
            ),
        ],
    )
    def test_mistake_is_told_at_start(self, settings: Any, text: str, said: str) -> None:
        settings.AGENTS_CONFIG = text
        assert said in _checked()


class TestDoctor:
    def test_agent_that_answers_is_well(self, make_agent: MakeAgent) -> None:
        make_agent()
        assert findings()["agents"] == ("ok", "reporter answers. ")

    def test_unset_variable_is_told(
        self, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_agent()
        monkeypatch.delenv(VARIABLE)
        verdict, text = findings()["agents"]
        assert (verdict, VARIABLE in text) == ("fail", True)

    def test_address_where_nobody_answers_is_told(self, make_agent: MakeAgent) -> None:
        make_agent(address="http://127.0.0.1:1")
        assert findings()["agents"][0] == "fail"


def _checked() -> str:
    return " ".join(str(each.msg) for each in run_checks() if each.id == "moca.E070")
