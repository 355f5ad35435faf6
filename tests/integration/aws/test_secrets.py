"""Secrets that the settings name by ARN, and what the user pool is asked."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as django_settings

from agents import AgentError, Invocation, new_session_id
from agents.demo import DemoAgent
from executions.agent_client import client_from_settings
from moca.aws import clients as aws

MISSING = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf"


@pytest.fixture
def stored(moto: None, settings: Any, demo_agent: DemoAgent) -> str:
    """The ARN of the client's secret, with settings of an agent that wants a token."""
    settings.AGENT_API_URL = settings.COGNITO_DOMAIN = demo_agent.url
    settings.AGENT_AUTH = "cognito"
    settings.COGNITO_CLIENT_ID = "demo"
    settings.COGNITO_CLIENT_SECRET = ""
    created = aws.client("secretsmanager").create_secret(Name="client", SecretString="demo")
    settings.COGNITO_CLIENT_SECRET_ARN = created["ARN"]
    return str(created["ARN"])


def invoke() -> str:
    """Have the agent run something, with a token as the settings say."""
    invocation = Invocation(
        prompt="Count the sheep.",
        target_user_id="alice",
        session_id=new_session_id(),
        execution_id="e",
    )
    with client_from_settings() as client:
        return client.invoke(invocation, time_limit=20, max_retries=0).output.text


def test_client_secret_is_read_from_its_arn(stored: str) -> None:
    assert "Count the sheep." in invoke()


def test_rotated_secret_is_used_at_the_next_fetch(stored: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=stored, SecretString="rotated")
    with pytest.raises(AgentError) as caught:
        invoke()
    assert "invalid_client" in caught.value.message


def test_missing_secret_is_named(stored: str, settings: Any) -> None:
    settings.COGNITO_CLIENT_SECRET_ARN = MISSING
    with pytest.raises(AgentError) as caught:
        invoke()
    assert f"COGNITO_CLIENT_SECRET_ARN, {MISSING}" in caught.value.message


def test_token_may_be_a_secret(stored: str, settings: Any, demo_agent: DemoAgent) -> None:
    settings.AGENT_AUTH, settings.AGENT_TOKEN_ARN = "static", stored
    aws.client("secretsmanager").put_secret_value(
        SecretId=stored, SecretString=demo_agent.issue_token()
    )
    assert "Count the sheep." in invoke()


def test_refused_secret_names_the_permission(
    stored: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse("secretsmanager", "GetSecretValue")
    with pytest.raises(AgentError) as caught:
        invoke()
    assert "secretsmanager:GetSecretValue" in caught.value.message


def refuse(service: str, operation: str) -> None:
    """Have the service answer that the role may not."""
    from botocore.awsrequest import AWSResponse

    def answer(**_: Any) -> AWSResponse:
        headers = {"x-amzn-ErrorType": "AccessDeniedException"}
        body = b'{"__type": "AccessDeniedException", "message": "no"}'
        raw = type("Raw", (), {"stream": lambda self, **_: iter([body])})()
        return AWSResponse("", 400, headers, raw)

    client = aws.client(service, "eu-central-1")
    client.meta.events.register_first(f"before-send.*.{operation}", answer)


class TestDomain:
    @pytest.fixture
    def pool(self, stored: str, settings: Any) -> str:
        settings.COGNITO_DOMAIN = ""
        cognito = aws.client("cognito-idp", "eu-central-1")
        pool = cognito.create_user_pool(PoolName="agents")["UserPool"]["Id"]
        settings.COGNITO_USER_POOL_ID = pool
        return str(pool)

    def test_is_asked_of_the_pool(self, pool: str) -> None:
        from moca.aws.user_pool import domain_of

        aws.client("cognito-idp", "eu-central-1").create_user_pool_domain(
            UserPoolId=pool, Domain="agents"
        )
        assert domain_of(pool) == "agents.auth.eu-central-1.amazoncognito.com"

    def test_pool_without_one_is_told(self, pool: str) -> None:
        with pytest.raises(AgentError) as caught:
            invoke()
        assert "has no domain: give it one, or set COGNITO_DOMAIN" in caught.value.message

    def test_unknown_pool_is_told(self, pool: str, settings: Any) -> None:
        settings.COGNITO_USER_POOL_ID = "eu-central-1_Nowhere00"
        with pytest.raises(AgentError) as caught:
            invoke()
        assert "There is no user pool eu-central-1_Nowhere00" in caught.value.message


class TestChecks:
    def check(self, **environment: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=django_settings.BASE_DIR,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "moca.settings",
                "AGENT_API_URL": "https://agent.example.com",
                **environment,
            },
            capture_output=True,
            text=True,
        ).stderr

    def test_secret_is_given_in_one_way(self) -> None:
        shown = self.check(AGENT_AUTH="static", AGENT_TOKEN="t", AGENT_TOKEN_ARN=MISSING)
        assert "AGENT_TOKEN and AGENT_TOKEN_ARN are both set" in shown

    def test_arn_is_that_of_a_secret(self) -> None:
        shown = self.check(AGENT_AUTH="static", AGENT_TOKEN_ARN="arn:aws:s3:::bucket")
        assert "moca.E021" in shown

    def test_arn_stands_for_the_secret(self) -> None:
        assert "moca.E003" not in self.check(AGENT_AUTH="static", AGENT_TOKEN_ARN=MISSING)
