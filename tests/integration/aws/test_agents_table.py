"""Runs of agents that a table knows more of."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agents import AgentClient, FixedToken, profiles
from agents.demo import DemoAgent
from executions import runner
from executions.agent_records.model import Agent
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca.aws import clients as aws
from triggers.models import Trigger

# Workers may share a server.
TABLE = f"agents-of-tests-{os.getpid()}"
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
ROW = {
    "systemPrompt": {"S": "You are brief."},
    "enabledTools": {"L": [{"S": "search"}, {"S": "mail"}]},
    "mcpConfig": {
        "M": {
            "mcpServers": {
                "M": {
                    "github": {
                        "M": {
                            "command": {"S": "mcp-github"},
                            "timeout": {"N": "30"},
                            "env": {
                                "M": {
                                    "TOKEN": {"M": {"ssm": {"S": "/moca/mcp/alice/github"}}},
                                    "HOST": {"S": "github.com"},
                                }
                            },
                        }
                    }
                }
            }
        }
    },
}

MakeTrigger = Callable[..., Trigger]
Put = Callable[..., None]
Fire = Callable[[Trigger], TriggerExecution]


# A user whose folder would be within that of the user alice.
NESTED = "alice/nested"


@pytest.fixture
def put(moto: None, settings: Any) -> Iterator[Put]:
    """Put an agent into the table, which is empty before."""
    settings.AGENTS_TABLE_NAME, settings.MCP_SECRETS_PATH = TABLE, "/moca/mcp"
    dynamodb = aws.client("dynamodb")
    names = ("userId", "agentId")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": "userId", "KeyType": "HASH"},
            {"AttributeName": "agentId", "KeyType": "RANGE"},
        ],
    )
    aws.client("ssm").put_parameter(
        Name="/moca/mcp/alice/github", Value="ghp-secret", Type="SecureString"
    )
    profiles.forget()

    def put(user_id: str = "alice", **attributes: Any) -> None:
        key = {"userId": {"S": user_id}, "agentId": {"S": "reporter"}}
        dynamodb.put_item(TableName=TABLE, Item={**key, **ROW, **attributes})

    yield put
    dynamodb.delete_table(TableName=TABLE)
    profiles.forget()


@pytest.fixture
def fire(demo_agent: DemoAgent) -> Iterator[Fire]:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:

        def fire(trigger: Trigger) -> TriggerExecution:
            started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, NINE))
            assert started is not None
            return runner.execute(started, client)

        yield fire


def test_system_prompt_goes_to_the_agent(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put()
    fire(make_trigger())
    assert demo_agent.requests[0].body["systemPrompt"] == "You are brief."


def test_tools_are_those_of_the_agent(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put()
    fire(make_trigger())
    assert demo_agent.requests[0].body["enabledTools"] == ["search", "mail"]


def test_tools_of_the_record_win(
    put: Put,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put()
    monkeypatch.setenv("AGENT_REPORTER_TOKEN", demo_agent.issue_token())
    Agent(
        id="reporter",
        address=demo_agent.url,
        auth="static",
        secret_ref="AGENT_REPORTER_TOKEN",
        enabled_tools=["calendar"],
    ).save()
    fire(make_trigger())
    body = demo_agent.requests[0].body
    assert (body["enabledTools"], body["systemPrompt"]) == (["calendar"], "You are brief.")


def test_tools_of_the_trigger_win(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put()
    fire(make_trigger(enabled_tools=["calendar"]))
    assert demo_agent.requests[0].body["enabledTools"] == ["calendar"]


def test_secrets_are_put_in_their_place(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put()
    fire(make_trigger())
    server = demo_agent.requests[0].body["mcpConfig"]["mcpServers"]["github"]
    assert server["env"] == {"TOKEN": "ghp-secret", "HOST": "github.com"}


def test_numbers_are_numbers(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put()
    fire(make_trigger())
    assert demo_agent.requests[0].body["mcpConfig"]["mcpServers"]["github"]["timeout"] == 30


def test_agent_of_another_user_is_not_used(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent, settings: Any
) -> None:
    settings.ALLOW_UNKNOWN_AGENTS = True
    put("mallory")
    fire(make_trigger())
    assert "systemPrompt" not in demo_agent.requests[0].body


def test_user_within_the_folder_of_another_has_no_secrets(
    put: Put, fire: Fire, make_trigger: MakeTrigger
) -> None:
    name = f"/moca/mcp/{NESTED}/github"
    aws.client("ssm").put_parameter(Name=name, Value="of-nested", Type="SecureString")
    secret = {"M": {"env": {"M": {"KEY": {"M": {"ssm": {"S": name}}}}}}}
    put(NESTED, mcpConfig={"M": {"mcpServers": {"M": {"github": secret}}}})
    assert fire(make_trigger(user_id=NESTED)).error_code == "parameter_not_allowed"


def test_secret_of_another_user_is_not_fetched(
    put: Put, fire: Fire, make_trigger: MakeTrigger
) -> None:
    put("bob")
    assert "not below /moca/mcp/bob/" in fire(make_trigger(user_id="bob")).error


def test_missing_parameter_is_named(put: Put, fire: Fire, make_trigger: MakeTrigger) -> None:
    put(mcpConfig={"M": {"key": {"M": {"ssm": {"S": "/moca/mcp/alice/none"}}}}})
    assert "/moca/mcp/alice/none" in fire(make_trigger()).error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("systemPrompt", {"N": "1"}),
        ("enabledTools", {"S": "search"}),
        ("enabledTools", {"L": [{"N": "1"}]}),
        ("mcpConfig", {"S": "{}"}),
        ("mcpConfig", {"M": {"key": {"B": b"secret"}}}),
    ],
)
def test_malformed_row_is_told(
    put: Put, fire: Fire, make_trigger: MakeTrigger, name: str, value: dict[str, Any]
) -> None:
    put(**{name: value})
    assert f"{name} of the agent reporter" in fire(make_trigger()).error


def test_table_that_cannot_be_read_fails_before_the_agent(
    put: Put, fire: Fire, make_trigger: MakeTrigger, settings: Any
) -> None:
    settings.AGENTS_TABLE_NAME = "no-such-table"
    execution = fire(make_trigger())
    assert (execution.error_code, execution.reached_agent) == ("agents_table_unreadable", False)


def test_table_is_read_once_a_minute(put: Put, fire: Fire, make_trigger: MakeTrigger) -> None:
    put()
    calls: list[str] = []
    aws.client("dynamodb").meta.events.register(
        "before-call.dynamodb.GetItem", lambda **_: calls.append("GetItem")
    )
    for _ in range(3):
        fire(make_trigger())
    assert len(calls) == 1


def test_failure_is_not_kept(put: Put, fire: Fire, make_trigger: MakeTrigger) -> None:
    put(systemPrompt={"N": "1"})
    fire(make_trigger())
    put()
    assert fire(make_trigger()).error == ""


@pytest.mark.parametrize("how", ["", "demo: fail", "demo: status 403", "demo: status 500"])
def test_secrets_that_the_agent_quotes_are_masked(
    put: Put,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    put(
        mcpConfig={
            "M": {
                "key": {"M": {"ssm": {"S": "/moca/mcp/alice/github"}}},
                "env": {"M": {"PASSWORD": {"S": "in-the-table"}, "STAGE": {"S": "prod"}}},
                "headers": {"M": {"X-Key": {"S": "Bearer of-a-header"}}},
            }
        }
    )
    with caplog.at_level("DEBUG"):
        execution = fire(make_trigger(prompt=f"My plan\ndemo: quote\n{how}"))
    sent = demo_agent.requests[0].body["mcpConfig"]
    kept = execution.said.text + execution.error + json.dumps(execution.error_params)
    trigger = Trigger.objects.get(pk=execution.trigger_id)
    shown = kept + trigger.last_error + trigger.paused_reason
    shown += json.dumps([trigger.last_error_params, trigger.paused_reason_params])
    secrets = [sent["key"], sent["env"]["PASSWORD"], "of-a-header"]
    token = demo_agent.requests[0].headers["authorization"].removeprefix("Bearer ")
    assert [secret for secret in (*secrets, token) if secret in shown + caplog.text] == []
    assert ("prod" in kept, "My plan" in caplog.text) == (True, False)


def test_agent_that_is_not_in_the_table_is_not_called(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    put("mallory")
    execution = fire(make_trigger())
    assert (execution.error_code, execution.reached_agent, list(demo_agent.requests)) == (
        "agent_not_found",
        False,
        [],
    )


def test_agent_with_nothing_but_its_key_is_called(
    put: Put, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent, settings: Any
) -> None:
    key = {"userId": {"S": "alice"}, "agentId": {"S": "reporter"}}
    aws.client("dynamodb").put_item(TableName=TABLE, Item=key)
    assert fire(make_trigger()).error == ""


def test_trigger_without_an_agent_needs_no_row(
    put: Put, fire: Fire, make_trigger: MakeTrigger
) -> None:
    trigger = make_trigger()
    Trigger.objects.filter(user_id=trigger.user_id, pk=trigger.pk).update(agent_id="")
    assert fire(Trigger.objects.get(pk=trigger.pk)).error == ""


class TestEnvironmentsInOneParameter:
    """MCP servers whose environments are together in one parameter."""

    PLACE = "/agentcore/moca/agents/alice/reporter/mcp-env"

    @pytest.fixture
    def keep(self, put: Put, settings: Any) -> Callable[[str | None], None]:
        """Put an agent with two forms of secrets into the table, and a value into the parameter."""
        settings.SSM_PARAMETER_PREFIX = "/agentcore/moca"
        apart = {"M": {"env": {"M": {"__ssm": {"BOOL": True}}}, "command": {"S": "mcp"}}}
        named = {"M": {"env": {"M": {"KEY": {"M": {"ssm": {"S": "/moca/mcp/alice/github"}}}}}}}
        servers = {"M": {"mail": apart, "github": named}}

        def keep(value: str | None) -> None:
            put(mcpConfig={"M": {"mcpServers": servers}})
            if value is not None:
                aws.client("ssm").put_parameter(Name=self.PLACE, Value=value, Type="SecureString")

        return keep

    def test_both_forms_are_sent(
        self,
        keep: Callable[[str | None], None],
        fire: Fire,
        make_trigger: MakeTrigger,
        demo_agent: DemoAgent,
    ) -> None:
        keep('{"mail": {"PASSWORD": "of-the-mail"}, "other": {}}')
        fire(make_trigger())
        assert demo_agent.requests[0].body["mcpConfig"]["mcpServers"] == {
            "mail": {"command": "mcp", "env": {"PASSWORD": "of-the-mail"}},
            "github": {"env": {"KEY": "ghp-secret"}},
        }

    @pytest.mark.parametrize("how", ["", "demo: fail"])
    def test_values_are_masked(
        self,
        keep: Callable[[str | None], None],
        fire: Fire,
        make_trigger: MakeTrigger,
        how: str,
    ) -> None:
        keep('{"mail": {"PASSWORD": "of-the-mail"}}')
        execution = fire(make_trigger(prompt=f"Plan\ndemo: quote\n{how}"))
        kept = execution.said.text + execution.error + json.dumps(execution.error_params)
        assert ("***" in kept, "of-the-mail" in kept) == (True, False)

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            (None, "parameter_missing"),
            ("of-the-mail", "mcp_environments_malformed"),
            ('["of-the-mail"]', "mcp_environments_malformed"),
            ('{"mail": "of-the-mail"}', "mcp_environments_malformed"),
            ('{"mail": {"PASSWORD": {"x": "of-the-mail"}}}', "mcp_environments_malformed"),
            ('{"github": {"PASSWORD": "of-the-mail"}}', "mcp_environment_missing"),
        ],
    )
    def test_parameter_is_named_and_never_quoted(
        self,
        keep: Callable[[str | None], None],
        fire: Fire,
        make_trigger: MakeTrigger,
        caplog: pytest.LogCaptureFixture,
        value: str | None,
        code: str,
    ) -> None:
        keep(value)
        with caplog.at_level("DEBUG"):
            execution = fire(make_trigger())
        found = execution.error
        assert (execution.error_code, self.PLACE in found) == (code, True)
        assert "of-the-mail" not in found + caplog.text

    def test_missing_prefix_is_told(
        self,
        keep: Callable[[str | None], None],
        fire: Fire,
        make_trigger: MakeTrigger,
        settings: Any,
    ) -> None:
        keep("{}")
        settings.SSM_PARAMETER_PREFIX = ""
        assert fire(make_trigger()).error_code == "parameter_prefix_missing"

    def test_user_within_the_folder_of_another_has_none(
        self,
        keep: Callable[[str | None], None],
        put: Put,
        fire: Fire,
        make_trigger: MakeTrigger,
    ) -> None:
        keep("{}")
        name = f"/agentcore/moca/agents/{NESTED}/reporter/mcp-env"
        value = '{"mail": {"PASSWORD": "of-the-mail"}}'
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
        apart = {"M": {"env": {"M": {"__ssm": {"BOOL": True}}}}}
        put(NESTED, mcpConfig={"M": {"mcpServers": {"M": {"mail": apart}}}})
        assert fire(make_trigger(user_id=NESTED)).error_code == "parameter_not_allowed"

    def test_parameter_is_the_owners(
        self,
        keep: Callable[[str | None], None],
        put: Put,
        fire: Fire,
        make_trigger: MakeTrigger,
    ) -> None:
        keep('{"mail": {"PASSWORD": "of-the-mail"}}')
        apart = {"M": {"env": {"M": {"__ssm": {"BOOL": True}}}}}
        put("bob", mcpConfig={"M": {"mcpServers": {"M": {"mail": apart}}}})
        assert "/agents/bob/reporter/mcp-env" in fire(make_trigger(user_id="bob")).error
