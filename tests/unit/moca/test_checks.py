from typing import Any

import pytest

from moca.checks import check_agent, check_deployment, check_sign_in


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
