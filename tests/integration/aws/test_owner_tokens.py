"""Runs whose agents get a token of the trigger's owner, from a stand-in for Cognito Identity."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from agents import AgentClient, AgentError, FixedToken
from agents.demo import DemoAgent
from agents.owner_tokens import OwnerTokens
from agents.tokens import Grant
from executions import lambda_handler, owner_tokens, runner
from executions.agent_records.model import Agent
from executions.lambda_handler import handler
from executions.models import TriggerExecution
from executions.runner import Occurrence
from moca.aws import clients as aws
from tests.identity_pool import HEADER, POOL_ID, PROVIDER, IdentityPool, token_of
from tests.integration.admin.conftest import viewer
from triggers.models import RunStatus, Trigger

__all__ = ["viewer"]

ALICE = "0b1c2d3e-1111-4222-8333-444455556666"
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)

MakeTrigger = Callable[..., Trigger]
Fire = Callable[..., TriggerExecution]


@dataclass
class Context:
    """What Lambda tells about an invocation."""

    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    seconds: float = 900

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def pool(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityPool]:
    """An identity pool that the settings name."""
    settings.IDENTITY_POOL_ID, settings.DEVELOPER_PROVIDER_NAME = POOL_ID, PROVIDER
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with IdentityPool() as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", pool.url)
        aws.client.cache_clear()
        owner_tokens.forget()
        yield pool
    owner_tokens.forget()
    aws.client.cache_clear()


@pytest.fixture
def fire(demo_agent: DemoAgent) -> Iterator[Fire]:
    """Run a trigger to its end, as the local scheduler does."""
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:

        def fire(trigger: Trigger, due: datetime = NINE) -> TriggerExecution:
            started = runner.start(Occurrence.scheduled(trigger.user_id, trigger.pk, due))
            assert started is not None
            runner.execute(started, client)
            return TriggerExecution.objects.get(pk=started.execution.pk)

        yield fire


def event_of(trigger: Trigger) -> dict[str, Any]:
    detail = {"triggerId": trigger.pk, "userId": trigger.user_id}
    return {"detail-type": "Scheduled Event", "time": "2027-01-04T09:00:00Z", "detail": detail}


def test_agent_gets_the_token_of_the_owner(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger, demo_agent: DemoAgent
) -> None:
    fire(make_trigger(user_id=ALICE))
    assert demo_agent.requests[0].headers[HEADER] == token_of(ALICE)


@pytest.mark.parametrize(
    ("auth", "sent", "asked"),
    [
        ({"auth": "settings"}, token_of(ALICE), 1),
        ({"auth": "none"}, None, 0),
        ({"auth": "static", "secret_ref": "AGENT_OWN_TOKEN"}, None, 0),
        ({"auth": "api-key", "secret_ref": "AGENT_OWN_TOKEN"}, None, 0),
    ],
)
def test_agents_with_authorizations_of_their_own_get_no_token_of_the_owner(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    auth: dict[str, str],
    sent: str | None,
    asked: int,
) -> None:
    monkeypatch.setenv("AGENT_OWN_TOKEN", demo_agent.issue_token())
    settings.AGENT_AUTH, settings.AGENT_TOKEN = "static", demo_agent.issue_token()
    Agent(id="reporter", name="Reporter", address=demo_agent.url, **auth).save()
    fire(make_trigger(user_id=ALICE, agent_id="reporter", max_retries=0))
    request = demo_agent.requests[0]
    assert (request.headers.get(HEADER), len(pool.calls)) == (sent, asked)


def test_function_sends_it_too(
    pool: IdentityPool,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        handler(event_of(make_trigger(user_id=ALICE)), Context())
    assert demo_agent.requests[0].headers[HEADER] == token_of(ALICE)


def test_cognito_is_asked_for_the_owner_without_an_identity(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger
) -> None:
    fire(make_trigger(user_id=ALICE))
    assert pool.calls == [
        {"IdentityPoolId": POOL_ID, "Logins": {PROVIDER: ALICE}, "TokenDuration": 900}
    ]


def test_without_the_settings_nothing_is_asked_or_sent(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    settings: Any,
) -> None:
    settings.DEVELOPER_PROVIDER_NAME = ""
    fire(make_trigger(user_id=ALICE))
    assert (HEADER in demo_agent.requests[0].headers, pool.calls) == (False, [])


def test_token_of_an_owner_is_kept(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger
) -> None:
    for user_id in (ALICE, "bob", ALICE, "bob"):
        fire(make_trigger(user_id=user_id))
    assert pool.issued == {ALICE: 1, "bob": 1}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("AccessDeniedException", "cognito-identity:GetOpenIdTokenForDeveloperIdentity"),
        ("ResourceNotFoundException", "correct IDENTITY_POOL_ID"),
        ("InvalidParameterException", "DEVELOPER_PROVIDER_NAME"),
    ],
)
def test_run_goes_on_without_it_and_says_why(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger, error: str, told: str
) -> None:
    pool.error = error
    execution = fire(make_trigger(user_id=ALICE))
    assert (execution.status, execution.warning_code, told in execution.warning) == (
        RunStatus.COMPLETED,
        "owner_token_missing",
        True,
    )


def test_page_of_the_run_says_why(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger, viewer: Client
) -> None:
    pool.error = "AccessDeniedException"
    execution = fire(make_trigger(user_id=ALICE))
    page = viewer.get(f"/console/triggers/{execution.trigger_id}/runs/{execution.pk}")
    assert "without a token of the trigger" in page.content.decode()


def test_warning_of_the_prompt_stands_beside_it(
    pool: IdentityPool, fire: Fire, make_trigger: MakeTrigger
) -> None:
    pool.error = "AccessDeniedException"
    trigger = make_trigger(user_id=ALICE)
    Trigger.objects.filter(user_id=ALICE, pk=trigger.pk).update(prompt="Of {{evnt.id}}.")
    warning = fire(trigger).warning
    assert ("evnt.id" in warning, "without a token" in warning) == (True, True)


def test_failure_of_cognito_itself_is_tried_again(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
) -> None:
    pool.error = "InternalErrorException"
    threading.Timer(0.3, lambda: setattr(pool, "error", "")).start()
    fire(make_trigger(user_id=ALICE))
    assert demo_agent.requests[0].headers.get(HEADER) == token_of(ALICE)


def test_cognito_that_does_not_answer_keeps_no_run_for_long(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", "http://127.0.0.1:9")
    aws.client.cache_clear()
    began = time.monotonic()
    execution = fire(make_trigger(user_id=ALICE, timeout_seconds=600))
    assert ("could not be asked" in execution.warning, time.monotonic() - began < 30) == (
        True,
        True,
    )


@pytest.mark.parametrize("how", ["", "demo: fail", "demo: status 403", "demo: status 500"])
def test_token_is_masked_and_not_logged(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    prompt = f"I have {token_of(ALICE)}\ndemo: quote\n{how}"
    with caplog.at_level("DEBUG"):
        execution = fire(make_trigger(user_id=ALICE, prompt=prompt))
    kept = execution.said.text + execution.error + json.dumps(execution.error_params)
    assert ("***" in kept, token_of(ALICE) in kept + caplog.text) == (True, False)


@pytest.mark.parametrize(("folder", "sent"), [("", "/"), ("/reports", "/reports")])
def test_workspace_is_made_ready(
    pool: IdentityPool,
    fire: Fire,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    folder: str,
    sent: str,
) -> None:
    fire(make_trigger(user_id=ALICE, working_directory=folder))
    assert demo_agent.requests[0].body["storagePath"] == sent


def findings(**options: Any) -> dict[str, Any]:
    out = StringIO()
    with suppress(CommandError):
        call_command("doctor", "--format=json", stdout=out, **options)
    return {each["subject"]: each for each in json.loads(out.getvalue())}


def test_doctor_obtains_one(pool: IdentityPool, db: None) -> None:
    assert findings()["owner's token"]["verdict"] == "ok"


def test_doctor_names_the_missing_permission(pool: IdentityPool, db: None) -> None:
    pool.error = "AccessDeniedException"
    found = findings()["owner's token"]
    assert (found["verdict"], "GetOpenIdTokenForDeveloperIdentity" in found["text"]) == (
        "fail",
        True,
    )


def test_doctor_invokes_with_one_for_a_user_whose_id_is_a_uuid(
    pool: IdentityPool, db: None, demo_agent: DemoAgent, settings: Any
) -> None:
    settings.AGENT_API_URL = settings.COGNITO_DOMAIN = demo_agent.url
    settings.AGENT_AUTH = "cognito"
    settings.COGNITO_CLIENT_ID = settings.COGNITO_CLIENT_SECRET = "demo"
    findings(invoke=True)
    (request,) = demo_agent.requests
    assert request.headers[HEADER] == token_of(request.body["targetUserId"])


@pytest.mark.parametrize(
    ("pool_id", "provider", "said"),
    [
        (POOL_ID, "", "IDENTITY_POOL_ID is set alone"),
        ("", PROVIDER, "DEVELOPER_PROVIDER_NAME is set alone"),
        ("eu-central-1_AbC", PROVIDER, "no identity pool's id"),
    ],
)
def test_check_names_the_setting(settings: Any, pool_id: str, provider: str, said: str) -> None:
    settings.IDENTITY_POOL_ID, settings.DEVELOPER_PROVIDER_NAME = pool_id, provider
    with pytest.raises(Exception, match=said):
        call_command("check", stderr=StringIO())


def test_one_call_for_an_owner_however_many_threads(pool: IdentityPool) -> None:
    with ThreadPoolExecutor(16) as threads:
        obtain = partial(owner_tokens.owner_token, timeout=30)
        found = set(threads.map(obtain, [ALICE] * 64))
    assert (found, len(pool.calls)) == ({token_of(ALICE)}, 1)


def test_token_is_renewed_two_minutes_before_its_end() -> None:
    asked: list[str] = []

    def fetch(owner: str) -> Grant:
        asked.append(owner)
        return Grant("token", 121 if len(asked) == 1 else 900)

    tokens = OwnerTokens(fetch)
    for pause in (0, 0, 1.1):
        time.sleep(pause)
        tokens.token("alice", timeout=5)
    assert len(asked) == 2


def test_time_in_the_queue_does_not_shorten_a_token() -> None:
    asked: list[str] = []

    def fetch(owner: str) -> Grant:
        asked.append(owner)
        return Grant("token", 122)

    tokens = OwnerTokens(fetch, calls_a_second=0.5)
    tokens.token("bob", timeout=10)
    for _ in range(2):
        tokens.token("alice", timeout=10)
    assert asked == ["bob", "alice"]


def test_run_without_time_for_a_turn_gets_an_error() -> None:
    tokens = OwnerTokens(lambda _: Grant("token", 900), calls_a_second=0.1)
    tokens.token("alice", timeout=1)
    with pytest.raises(AgentError, match=r"timed out after 0\.2 s"):
        tokens.token("bob", timeout=0.2)


def test_least_recently_used_owners_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.owner_tokens.MOST_OWNERS", 2)
    asked: list[str] = []

    def fetch(owner: str) -> Grant:
        asked.append(owner)
        return Grant("token", 900)

    tokens = OwnerTokens(fetch, calls_a_second=1000)
    for owner in ("alice", "bob", "alice", "carol", "alice", "bob"):
        tokens.token(owner, timeout=5)
    assert asked == ["alice", "bob", "carol", "bob"]


OWNERS = [f"00000000-0000-4000-8000-{number:012}" for number in range(60)]


def test_burst_in_one_process_gets_one_token_for_each_owner(pool: IdentityPool) -> None:
    with ThreadPoolExecutor(len(OWNERS)) as threads:
        found = threads.map(partial(owner_tokens.owner_token, timeout=30), OWNERS)
        assert list(found) == [token_of(owner) for owner in OWNERS]
    assert pool.issued == dict.fromkeys(OWNERS, 1)


def test_burst_in_one_process_stays_below_the_quota() -> None:
    begun: list[float] = []

    def fetch(owner: str) -> Grant:
        begun.append(time.monotonic())
        return Grant("token", 900)

    tokens = OwnerTokens(fetch)
    with ThreadPoolExecutor(len(OWNERS)) as threads:
        list(threads.map(partial(tokens.token, timeout=60), OWNERS))
    within = [sum(first <= each < first + 1 for each in begun) for first in begun]
    assert 15 < max(within) <= 25


@pytest.mark.sqlite
def test_burst_of_functions_gets_all_tokens(
    pool: IdentityPool,
    transactional_db: None,
    make_trigger: MakeTrigger,
    demo_agent: DemoAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each of Lambda's processes has tokens and turns of its own, and knows nothing of the others.
    own = threading.local()

    def tokens_of_the_process(pool_id: str, provider: str) -> OwnerTokens:
        if not hasattr(own, "tokens"):
            own.tokens = OwnerTokens(partial(owner_tokens._fetch, pool_id, provider))
        found: OwnerTokens = own.tokens
        return found

    tokens_of_the_process.cache_clear = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(owner_tokens, "_tokens", tokens_of_the_process)
    triggers = [make_trigger(user_id=owner) for owner in OWNERS]
    with AgentClient(demo_agent.url, FixedToken(demo_agent.issue_token())) as client:
        monkeypatch.setattr(lambda_handler, "_client", client)
        with ThreadPoolExecutor(len(OWNERS)) as threads:
            list(threads.map(_handled, triggers))
    sent = {
        request.body["targetUserId"]: request.headers[HEADER] for request in demo_agent.requests
    }
    assert (sent, pool.refused > 0) == ({owner: token_of(owner) for owner in OWNERS}, True)


def _handled(trigger: Trigger) -> None:
    handler(event_of(trigger), Context())
    connections.close_all()
