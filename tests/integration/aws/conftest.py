"""AWS as moto imitates it, for what reads an account but is no part of DynamoDB or Scheduler."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from moca.aws import clients as aws


@pytest.fixture
def moto(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if settings.TEST_DATABASE == "moto":
        pytest.skip("moto imitates DynamoDB for the whole run")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings.AWS_REGION = "eu-central-1"
    aws.client.cache_clear()
    with mock_aws():
        yield
    aws.client.cache_clear()
