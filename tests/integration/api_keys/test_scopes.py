"""No key reaches beyond its scopes and triggers, on any route of the API."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from django.core.cache import cache as django_cache
from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.views import APIView

from moca.authentication.api_keys.model import APIKey
from moca.authentication.api_keys.scopes import RULES
from moca.authentication.models import Operator, Role
from tests.examples import examples
from tests.integration.api_keys.conftest import SCOPES, api_with, make_key
from triggers.models import Trigger

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Routes that take no caller's credentials: signed events, agents' results, fire tokens, health.
OPEN = {("api-events", "POST"), ("api-result", "POST"), ("api-health", "GET")}
OPEN |= {("api-fire", "POST")}
# Each tool of the MCP server needs its own scope: see tests/integration/mcp_server/test_agents.py.
OPEN |= {("mcp", "POST"), ("mcp-resource-metadata", "GET"), ("mcp-host-metadata", "GET")}
# The model: what each route needs, written once more and independently of the code's table.
RUNS = {"api-run", "api-replay", "api-answer", "api-cancel", "api-backfill-start"}
RUNS |= {"api-backfill-stop"}
READ_BY_POST = {"api-preview"}
FOR_ADMINS = {"api-agents", "api-agent", "api-prices", "api-price", "api-user-budgets"}
FOR_ADMINS |= {"api-user-budget", "api-user-budget-resume", "api-installation-pause"}
FOR_ADMINS |= {"api-installation-resume"}
HIDDEN = {"api-channels", "api-channel", "api-channel-test", "api-alert-rules", "api-alert-rule"}
WRITES = {"api-triggers", "api-trigger", "api-pause-many", "api-resume-many", "api-enable"}
WRITES |= {"api-disable", "api-pause", "api-resume", "api-prompt-restore"}
NO_KEYS = {"api-keys", "api-key", "api-fire-token"}
READS = {"api-events", "api-trigger-budget", "api-backfills", "api-backfill", "api-all-executions"}
READS |= {"api-export", "api-export-all", "api-prompts"}
READS |= {"api-executions", "api-execution", "api-output"}
WITHOUT_TRIGGER = {("api-agents", "GET"), ("api-events", "GET"), ("api-preview", "POST")}
WITHOUT_TRIGGER |= {("api-installation-pause", "GET")}
REFUSED_BY_SCOPE = ("has no scope", "API keys may not do this", "is for some triggers")


def needed(name: str, method: str) -> str | None:
    """The scope that a request needs; None if no key may make it."""
    if name in NO_KEYS:
        return None
    if name in HIDDEN:
        return "admin"
    if method == "GET":
        assert name in READS | WRITES | FOR_ADMINS, f"{name} has no rule for API keys"
        return "read"
    if name in RUNS:
        return "run"
    if name in READ_BY_POST:
        return "read"
    if name in FOR_ADMINS:
        return "admin"
    assert name in WRITES, f"{name} has no rule for API keys"
    return "write"


def _patterns(resolver: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _patterns(each, path)
        else:
            yield path, each


@cache
def routes() -> list[tuple[str, str, str]]:
    """Name, path and method of all operations of the API, from the URL resolver."""
    found = []
    for path, pattern in _patterns(get_resolver()):
        view = getattr(pattern.callback, "view_class", None) or getattr(
            pattern.callback, "cls", None
        )
        if view is None or not issubclass(view, APIView):
            continue
        for method in METHODS:
            name = str(pattern.name)
            if hasattr(view, method.lower()) and (name, method) not in OPEN:
                found.append((name, f"/{path}", method))
    return found


def test_every_route_of_the_api_has_a_rule_for_keys() -> None:
    expected = {(name, method): needed(name, method) for name, _, method in routes()}
    rules = {(name, method): scope for name, of in RULES.items() for method, scope in of.items()}
    assert rules == expected


# Every operator may look at these; a key needs the scope `admin` all the same.
SEEN_BY_ALL = {"api-installation-pause", "api-alert-rules", "api-alert-rule"}
OWNERS = {"alice": Role.EDITOR, "viewer": Role.VIEWER, "root": Role.ADMIN}


@pytest.fixture
def triggers(db: None) -> list[str]:
    """Two triggers of the owner, and one of somebody else."""
    for name in ("viewer", "root"):
        Operator.objects.create_operator(name, role=OWNERS[name], subject=name)
    return ["mine", "other", "foreign"]


def _store(owner: str) -> None:
    Trigger.objects.all().delete()
    APIKey.objects.all().delete()
    for pk, user_id in (("mine", owner), ("other", owner), ("foreign", "eve")):
        values = {"schedule_config": {"expression": "rate(1 day)"}, "agent_id": "a", "prompt": "p"}
        Trigger.objects.create(pk=pk, user_id=user_id, name=pk, **values)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_scope_reaches_beyond_itself(triggers: list[str], data: st.DataObject) -> None:
    django_cache.clear()
    owner = data.draw(st.sampled_from(sorted(OWNERS)))
    _store(owner)
    scopes = data.draw(st.lists(st.sampled_from(SCOPES), min_size=1, unique=True))
    only = data.draw(st.sampled_from([[], ["mine"], ["other"], ["foreign"]]))
    state = data.draw(st.sampled_from(["good", "good", "good", "ended", "revoked"]))
    key, text = make_key(owner, scopes=["read"])
    # As if the owner's role had been lowered since: the table is about what the key says.
    APIKey.objects.filter(pk=key.pk).update(scopes=scopes, trigger_ids=only)
    if state == "ended":
        past = datetime.now(UTC) - timedelta(seconds=1)
        APIKey.objects.filter(pk=key.pk).update(expires_at=past)
    if state == "revoked":
        APIKey.objects.filter(pk=key.pk).delete()
    name, path, method = data.draw(st.sampled_from(routes()))
    trigger_id = data.draw(st.sampled_from(triggers))
    url = re.sub(r"<\w+:trigger_id>", trigger_id, path)
    url = re.sub(r"<\w+:\w+>", "0194b0a1-7c3e-7d52-9b1f-3f6a0c2e8d41", url)
    response = api_with(text)(method, url, {} if method != "GET" else None)
    # An export is no JSON.
    said = response.json().get("message", "") if response.status_code >= 400 else ""
    refused = response.status_code == 403 and any(part in said for part in REFUSED_BY_SCOPE)
    if state != "good":
        assert response.status_code == 401
        return
    scope = needed(name, method)
    has_trigger = "trigger_id" in path
    if (
        scope is None
        or scope not in scopes
        or (only and not has_trigger and (name, method) not in WITHOUT_TRIGGER)
    ):
        assert refused
    elif has_trigger and (trigger_id == "foreign" or (only and trigger_id not in only)):
        # A viewer's change is refused before the trigger is looked for.
        assert response.status_code in ((403, 404, 400) if not only else (403, 404))
        assert Trigger.objects.filter(pk=trigger_id, enabled=True).exists()
    elif method != "GET" and owner == "viewer":
        assert response.status_code == 403
    elif scope == "admin" and owner != "root" and name not in SEEN_BY_ALL:
        assert response.status_code in (403, 404)
    else:
        assert not refused
        assert response.status_code != 401
