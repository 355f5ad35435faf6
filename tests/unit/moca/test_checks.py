"""System checks: which settings each one refuses."""

from pathlib import Path
from typing import Any

import pytest

from moca.checks import (
    check_agent,
    check_data_directory,
    check_deployment,
    check_heartbeat_url,
    check_scheduler,
    check_sign_in,
)


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_shipped_settings_are_fine() -> None:
    assert [*check_agent(None), *check_sign_in(None)] == []


@pytest.mark.parametrize("url", ["agent.example.com", "ftp://agent", "https://"])
def test_agent_url(settings: Any, url: str) -> None:
    settings.AGENT_API_URL = url
    assert ids(check_agent(None)) == ["moca.E001"]


def test_unknown_way_to_a_token(settings: Any) -> None:
    settings.AGENT_AUTH = "magic"
    assert ids(check_agent(None)) == ["moca.E002"]


def test_missing_settings_are_named(settings: Any) -> None:
    settings.COGNITO_CLIENT_SECRET = ""
    assert check_agent(None)[0].msg == "AGENT_AUTH=cognito needs COGNITO_CLIENT_SECRET."


@pytest.mark.parametrize(
    "header",
    [
        "User-Agent",
        "host",
        "Content-Length",
        "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Result-Token",
    ],
)
def test_key_has_a_header_of_its_own(settings: Any, header: str) -> None:
    settings.AGENT_KEY_HEADER = header
    assert ids(check_agent(None)) == ["moca.E018"]


def test_pool_id(settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "my pool"
    assert ids(check_sign_in(None)) == ["moca.E010"]


def test_demo_agent_is_not_for_deployment() -> None:
    assert "moca.W001" in ids(check_deployment(None))


def test_keys_of_one_machine_are_not_for_a_table_of_several(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "eu-west-1_AbC123xyz")
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "moca.dynamodb")
    assert check_deployment(None)[-1].hint == "Set SECRET_KEY."


@pytest.fixture
def on_aws(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Valid settings of a deployment on AWS."""
    monkeypatch.setenv("SECRET_KEY", "secret")
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "eu-west-1_AbC123xyz")
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "moca.dynamodb")
    monkeypatch.setitem(settings.LOGGING["handlers"]["stderr"], "formatter", "json")
    settings.USES_DEMO_AGENT = False
    settings.TRIGGER_LAMBDA_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:handler"
    settings.SCHEDULER_ROLE_ARN = "arn:aws:iam::123456789012:role/scheduler"
    settings.SCHEDULE_DLQ_ARN = "arn:aws:sqs:eu-west-1:123456789012:queue"
    return settings


def test_a_whole_deployment_is_fine(on_aws: Any) -> None:
    assert [*check_deployment(None), *check_scheduler(None)] == []


def test_function_needs_the_table(on_aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(on_aws.DATABASES["default"], "ENGINE", "moca.sqlite")
    assert ids(check_deployment(None)) == ["moca.W003"]


def test_deployment_without_a_dead_letter_queue(on_aws: Any) -> None:
    on_aws.SCHEDULE_DLQ_ARN = ""
    assert ids(check_deployment(None)) == ["moca.W004"]


def test_deployment_with_logs_of_text(on_aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(on_aws.LOGGING["handlers"]["stderr"], "formatter", "text")
    assert ids(check_deployment(None)) == ["moca.W005"]


@pytest.mark.parametrize("name", ["TRIGGER_LAMBDA_ARN", "SCHEDULER_ROLE_ARN", "SCHEDULE_DLQ_ARN"])
def test_arn_of_another_service(on_aws: Any, name: str) -> None:
    setattr(on_aws, name, "arn:aws:s3:eu-west-1:123456789012:bucket")
    assert ids(check_scheduler(None)) == ["moca.E008"]


def test_name_of_no_schedule_group(on_aws: Any) -> None:
    on_aws.SCHEDULE_GROUP_NAME = "my triggers"
    assert ids(check_scheduler(None)) == ["moca.E025"]


def test_sign_in_needs_its_pool(settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = ""
    settings.COGNITO_SIGN_IN_CLIENT_ID = "client"
    assert ids(check_sign_in(None)) == ["moca.E023"]


def test_group_with_an_unknown_role(settings: Any) -> None:
    settings.COGNITO_ROLES = {"operators": "king"}
    assert ids(check_sign_in(None)) == ["moca.E024"]


def test_tokens_of_any_app_client_are_not_for_deployment(settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_AbC123xyz"
    assert "moca.W010" in ids(check_deployment(None))


def test_a_data_directory_that_others_can_enter_is_told(settings: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    settings.DATA_DIR = tmp_path
    assert ids(check_data_directory(None)) == ["moca.W011"]


@pytest.mark.parametrize("url", ["hc-ping.com/x", "ftp://hc-ping.com/x", "http://[", "https://"])
def test_heartbeat_url_that_cannot_be_called(settings: Any, url: str) -> None:
    settings.HEARTBEAT_URL = url
    assert ids(check_heartbeat_url(None)) == ["moca.E061"]


@pytest.mark.parametrize("url", ["", "https://hc-ping.com/x", "http://127.0.0.1:9/x"])
def test_heartbeat_url_that_can_be_called(settings: Any, url: str) -> None:
    settings.HEARTBEAT_URL = url
    assert check_heartbeat_url(None) == []
