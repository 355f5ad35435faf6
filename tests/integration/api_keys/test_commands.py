"""The commands of API keys and service accounts."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Operator
from tests.integration.api_keys.conftest import api_with


def run(*args: str) -> str:
    written = StringIO()
    call_command(*args, stdout=written, stderr=StringIO())
    return written.getvalue().strip()


def test_create_key_prints_a_key_that_works(db: None) -> None:
    text = run("create_key", "alice", "Build")
    assert api_with(text).get("/triggers").status_code == 200


def test_list_keys_shows_no_secret(db: None) -> None:
    text = run("create_key", "alice", "Build", "--agent")
    listed = run("list_keys")
    assert "Build" in listed
    assert text[-49:] not in listed


def test_revoke_key_revokes(db: None) -> None:
    text = run("create_key", "alice", "Build")
    run("revoke_key", APIKey.objects.get().pk)
    assert api_with(text).get("/triggers").status_code == 401


def test_revoke_key_names_an_unknown_one(db: None) -> None:
    with pytest.raises(CommandError, match="no API key x"):
        run("revoke_key", "x")


def test_create_operator_makes_a_service_account(db: None) -> None:
    run("create_operator", "build", "--service")
    made = Operator.objects.get()
    assert (made.is_service, made.role, made.has_usable_password()) == (True, "editor", False)
