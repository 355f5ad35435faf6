"""API keys of alice and of operators, as scripts use them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache

from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey, Scope
from moca.authentication.models import Operator, Role
from tests.integration.api.conftest import API

ALL = ["read", "run", "write"]


@pytest.fixture(autouse=True)
def _forget_what_is_kept() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def make_key(user_id: str = "alice", **fields: Any) -> tuple[APIKey, str]:
    """A stored key and its text."""
    key = APIKey(**{"user_id": user_id, "name": "Script", "scopes": ALL, **fields})
    return key, services.make(key, by=user_id)


def api_with(text: str) -> API:
    """The API as a script with a key calls it."""
    api = API()
    api.token = text
    return api


@pytest.fixture
def with_key(db: None) -> Callable[..., API]:
    """The API with a new key; arguments are the key's fields."""
    return lambda *args, **fields: api_with(make_key(*args, **fields)[1])


@pytest.fixture
def root(db: None) -> Operator:
    return Operator.objects.create_operator("root", role=Role.ADMIN, subject="root")


@pytest.fixture
def robot(db: None) -> Operator:
    """A service account."""
    return Operator.objects.create_operator(
        "robot", role=Role.EDITOR, subject="robot", is_service=True
    )


SCOPES = Scope.values
