"""The API's description, and its page.

That answers are as it says, `conftest.API` looks at, in all of these tests.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from openapi_spec_validator import validate

from executions.dispatchers import DispatchError
from executions.dispatchers.local import LocalDispatcher
from executions.models import TriggerExecution
from moca.api.errors import contract_name
from moca.api.openapi import document
from moca.authentication.models import Operator, Role
from tests.integration.api.conftest import API, DAILY, STARTED, VALID
from tests.integration.api.description import JSON, faults, operations, resolved
from triggers.api.body_limit import LARGEST_BODY
from triggers.models import Outcome, RunStatus, SyncState, Trigger
from triggers.schedulers import SchedulerError
from triggers.schedulers.local import LocalScheduler

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = document()["components"]["schemas"]
RUN_END = {
    "source": "moca.triggers",
    "detail-type": "Execution Completed",
    "detail": {
        "executionId": str(uuid.uuid4()),
        "triggerId": str(uuid.uuid4()),
        "triggerName": "First",
        "chain": {"depth": 1, "root": ""},
    },
}
FIELDS = {
    **SCHEMAS["TriggerUpdate"]["properties"],
    **{
        f"scheduleConfig.{name}": schema
        for name, schema in SCHEMAS["ScheduleConfigInput"]["properties"].items()
    },
    **{
        f"eventConfig.{name}": schema
        for name, schema in SCHEMAS["EventConfigInput"]["properties"].items()
    },
}


class RefusingScheduler(LocalScheduler):
    def create(self, trigger: Trigger) -> None:
        raise SchedulerError("EventBridge Scheduler is away.")


class RefusingDispatcher(LocalDispatcher):
    def dispatch(self, execution: TriggerExecution) -> None:
        raise DispatchError("Nobody takes runs: start the scheduler.")


def routes() -> Iterator[tuple[str, str]]:
    included = [one for one in get_resolver().url_patterns if isinstance(one, URLResolver)]
    for route in chain.from_iterable(one.url_patterns for one in included):
        if not (getattr(route, "name", "") or "").startswith("api-"):
            continue
        path = re.sub(r"<(?:id|path):(\w+)_id>", r"{\1Id}", str(route.pattern))
        methods = route.callback.cls().allowed_methods
        yield from ((f"/{path}", method) for method in methods if method != "OPTIONS")


def examples() -> Iterator[Any]:
    """All examples, by where they stand and the schema that they are examples of."""
    for path, method, operation in operations():
        contents = {status: resolved(one) for status, one in operation["responses"].items()}
        contents["body"] = operation.get("requestBody", {})
        for place, content in contents.items():
            for name, example in (
                content.get("content", {}).get(JSON, {}).get("examples", {}).items()
            ):
                schema = content["content"][JSON]["schema"]
                yield pytest.param(schema, example["value"], id=f"{method} {path} {place} {name}")


def body_with(field: str, value: Any) -> dict[str, Any]:
    """A valid body, with this value in a field."""
    name, _, part = field.partition(".")
    body = {**VALID, "eventConfig": {"eventSourceId": "uploads"}}
    return {**body, name: {**body[name], part: value} if part else value}


LIMITS = {
    f"max{what}Per{period}": 1 for what in ("Tokens", "Cost") for period in ("Run", "Day", "Month")
}


def bounds() -> Iterator[Any]:
    """Values at a documented limit, and beyond it."""
    for field, schema in FIELDS.items():
        for rule, step, make in [
            ("minLength", -1, "x".__mul__),
            ("maxLength", 1, "x".__mul__),
            ("minimum", -1, int),
            ("maximum", 1, int),
            ("maxItems", 1, lambda size: [f"t{number}" for number in range(size)]),
        ]:
            if rule in schema:
                limit = schema[rule]
                yield pytest.param(field, make(limit), 201, id=f"{field} {rule}")
                # Empty clears what may be empty.
                if (beyond := make(limit + step)) != "" or "null" not in schema["type"]:
                    yield pytest.param(field, beyond, 400, id=f"{field} beyond {rule}")


class TestDescription:
    def test_is_openapi(self) -> None:
        validate(document())

    def test_nothing_in_it_is_guessed(self) -> None:
        reset_generator_stats()
        document.__wrapped__()
        assert not GENERATOR_STATS

    def test_has_all_routes_and_no_others(self) -> None:
        assert {(path, method) for path, method, _ in operations()} == set(routes())

    def test_operations_have_different_names(self) -> None:
        names = [operation["operationId"] for _, _, operation in operations()]
        assert len(set(names)) == len(names) == 67

    def test_all_but_health_signed_events_and_results_is_signed_in_to(self) -> None:
        is_open = [
            (method, path)
            for path, method, operation in operations()
            if not operation.get("security")
        ]
        result = "/triggers/{triggerId}/executions/{executionId}/result"
        assert is_open == [("POST", "/events"), ("GET", "/health"), ("POST", result)]

    def test_version_is_the_projects(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert document()["info"]["version"] == project["version"]

    @pytest.mark.parametrize(("schema", "value"), list(examples()))
    def test_examples_are_as_it_says(self, schema: dict[str, Any], value: Any) -> None:
        assert faults(schema, value) == []

    @pytest.mark.parametrize(
        ("settings_module", "start"),
        [
            ("moca.settings", "from moca.wsgi import application; import moca.urls"),
            ("moca.handler_settings", "import executions.lambda_handler"),
        ],
    )
    def test_is_not_loaded_at_the_start(self, settings_module: str, start: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", f"{start}; import sys; print('drf_spectacular' in sys.modules)"],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": settings_module},
            capture_output=True,
            check=True,
        )
        assert done.stdout == b"False\n"


class TestAddress:
    def test_answers_it(self, nobody: API) -> None:
        response = nobody.get("/openapi.json")
        assert response.json() == {**document(), "servers": [{"url": "/"}]}

    def test_below_a_path(self, nobody: API) -> None:
        with override_script_prefix("/web/"):
            assert nobody.get("/openapi.json").json()["servers"] == [{"url": "/web"}]

    def test_other_methods(self, nobody: API) -> None:
        response = nobody.post("/openapi.json", {})
        assert (response.status_code, response.json()["error"]) == (405, "Method Not Allowed")

    def test_other_origins_may_read_it(self, nobody: API, settings: Any) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
        response = nobody.get("/openapi.json", Origin="https://app.example.com")
        assert response["Access-Control-Allow-Origin"] == "https://app.example.com"


class TestBodies:
    """What the description says of bodies is what the API holds them to."""

    @pytest.mark.parametrize(("field", "value", "status"), list(bounds()))
    def test_limits(self, alice: API, field: str, value: Any, status: int) -> None:
        assert alice.post("/triggers", body_with(field, value)).status_code == status

    @pytest.mark.parametrize("field", FIELDS)
    def test_null(self, alice: API, field: str) -> None:
        # Of an event trigger either map may be empty, but not both parts that say on what it fires.
        pattern = {"eventSourceId": "uploads", "eventPattern": {"source": ["a"]}}
        kind = {} if field == "eventConfig" else {"type": "event"}
        path = f"/triggers/{alice.create(**kind, eventConfig=pattern)['id']}"
        name, _, part = field.partition(".")
        response = alice.patch(path, {name: {part: None} if part else None})
        is_described = not faults(FIELDS[field], None)
        assert (response.status_code == 200) is is_described

    @pytest.mark.parametrize("field", SCHEMAS["TriggerCreate"]["required"])
    def test_needed(self, alice: API, field: str) -> None:
        body = {name: value for name, value in VALID.items() if name != field}
        assert [one["field"] for one in alice.post("/triggers", body).json()["details"]] == [field]

    def test_a_whole_trigger_may_be_sent_back(self, alice: API) -> None:
        made = alice.create()
        wrong = faults(SCHEMAS["TriggerUpdate"], made, strict=False)
        assert (wrong, alice("PUT", f"/triggers/{made['id']}", made).status_code) == ([], 200)


class TestOneList:
    """What a body may have is in files and in the forms too, without being named there."""

    FIELDS = frozenset(SCHEMAS["TriggerUpdate"]["properties"])

    def test_all_fields_are_in_files(self, alice: API) -> None:
        values = {"sessionId": "s" * 33, "reasoningEffort": "low", "pauseAfterFailures": 1}
        values |= {"beginWithinMinutes": 1, "runWithinSeconds": 10, **LIMITS}
        texts = dict.fromkeys(["description", "modelId", "workingDirectory"], "x")
        lists = {name: ["x"] for name in ("enabledTools", "tags")}
        values["outputChecks"] = {"notEmpty": True}
        alice.create(**values, **texts, **lists, eventConfig={"eventSourceId": "uploads"})
        written = StringIO()
        call_command("export_triggers", format="json", stdout=written)
        [exported] = json.loads(written.getvalue())["triggers"]
        assert exported.keys() - {"id", "userId", "createdAt"} == self.FIELDS

    def test_all_fields_are_in_the_form(self, client: Client, db: None) -> None:
        client.force_login(Operator.objects.create_operator("admin", role=Role.ADMIN))
        asked = client.get("/admin/triggers/trigger/add/").context["adminform"].form.fields
        maps = {"scheduleConfig", "eventConfig", "outputChecks"}
        assert {contract_name(name) for name in asked} >= self.FIELDS - maps


class TestAnswers:
    """Answers with all that they may hold; `conftest.API` holds them against the description."""

    def test_full_trigger(self, alice: API) -> None:
        made = alice.create(
            description="d",
            sessionId="s" * 33,
            modelId="m",
            reasoningEffort="max",
            workingDirectory="/w",
            enabledTools=["t"],
            pauseAfterFailures=1,
            beginWithinMinutes=1,
            runWithinSeconds=10,
            **LIMITS,
            outputChecks={"notEmpty": True, "contains": ["t"], "jsonSchema": {"type": "object"}},
            tags=["t"],
            eventConfig={"eventSourceId": "uploads", "eventPattern": {"source": ["a"]}},
        )
        Trigger.objects.filter(pk=made["id"]).update(
            last_executed_at=STARTED,
            last_status=RunStatus.FAILED,
            last_outcome=Outcome.REFUSED,
            paused_at=STARTED,
            paused_until=STARTED.replace(year=2098),
            paused_by="olga",
            pause_note="Moving.",
            sync_state=SyncState.FAILED,
            sync_error="away",
            skipped_runs=1,
            last_skipped_at=STARTED,
            last_skip_reason="busy",
            schedule_config={**DAILY, "schedulerArn": "arn:aws:x", "scheduleGroupName": "default"},
        )
        shown = alice.get(f"/triggers/{made['id']}").json()["trigger"]
        assert shown.keys() == SCHEMAS["Trigger"]["properties"].keys()

    def test_full_execution(
        self, alice: API, make_trigger: Any, make_execution: Callable[..., TriggerExecution]
    ) -> None:
        trigger = make_trigger()
        execution = make_execution(
            trigger,
            id=str(uuid.uuid4()),
            status=RunStatus.FAILED,
            agent_id="reporter",
            scheduled_at=STARTED,
            completed_at=STARTED,
            cancel_requested_at=STARTED,
            handed_over_at=STARTED,
            duration_ms=1,
            request_id="r",
            session_id="s",
            prompt_version="9f86d08188",
            output="said",
            output_bytes=4,
            tools=[
                {
                    "id": "t1",
                    "name": "clock",
                    "input": "{}",
                    "atMs": 5,
                    "result": "noon",
                    "tookMs": 1,
                    "failed": True,
                }
            ],
            reasoning="Hm.",
            usage={
                "inputTokens": 1,
                "outputTokens": 2,
                "cacheReadTokens": 3,
                "cacheWriteTokens": 4,
            },
            error="broken",
            error_code="refused",
            event_payload=json.dumps(RUN_END),
            replay_of=str(uuid.uuid4()),
            outcome=Outcome.INTERRUPTED,
            questions=[{"id": "q", "text": "Pay?", "schema": {}}],
            continues=str(uuid.uuid4()),
            answered_by="ann",
        )
        path = f"/triggers/{trigger.pk}/executions/{execution.pk}"
        shown = alice.get(path).json()["execution"]
        # An answered execution has no questions any more.
        execution.continued_by = str(uuid.uuid4())
        execution.save(update_fields=["continued_by"])
        shown |= alice.get(path).json()["execution"]
        assert shown.keys() == SCHEMAS["TriggerExecution"]["properties"].keys()
        assert faults(SCHEMAS["TriggerExecution"], shown) == []

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 412, 413, 415, 429, 502, 503])
    def test_errors(self, alice: API, nobody: API, settings: Any, status: int) -> None:
        made = alice.create()
        path = f"/triggers/{made['id']}"
        if status == 429:
            cache.clear()
            settings.API_RATE_LIMIT = "1/min"
            alice.get("/events")
        if status == 502:
            settings.SCHEDULER = f"{__name__}.RefusingScheduler"
        if status == 503:
            settings.DISPATCHER = f"{__name__}.RefusingDispatcher"
        response = {
            400: lambda: alice.post("/triggers", {}),
            401: lambda: nobody.get("/triggers"),
            404: lambda: alice.get("/triggers/nothing"),
            409: lambda: [alice.post(f"{path}/run") for _ in range(2)][-1],
            412: lambda: alice.patch(path, {"name": "n"}, If_Match='"9"'),
            413: lambda: alice.post("/triggers", {"prompt": "x" * LARGEST_BODY}),
            415: lambda: alice.raw(
                "POST", "/triggers", b"x", "text/plain", Authorization=f"Bearer {alice.token}"
            ),
            429: lambda: alice.get("/events"),
            502: lambda: alice.post("/triggers", VALID),
            503: lambda: alice.post(f"{path}/run"),
        }[status]()
        shape = "AuthenticationError" if status == 401 else "Error"
        wrong = faults(SCHEMAS[shape], response.json())
        assert (response.status_code, wrong) == (status, [])


class TestPage:
    @pytest.fixture
    def page(self, client: Client) -> str:
        return client.get("/docs").content.decode()

    @pytest.mark.parametrize("path", [path for path, _, _ in operations()])
    def test_shows_each_path(self, page: str, path: str) -> None:
        assert f"<code>{path}</code>" in page

    @pytest.mark.parametrize("named", [one["operationId"] for _, _, one in operations()])
    def test_shows_each_operation(self, page: str, named: str) -> None:
        assert f'<article id="{named}"' in page

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_shows_each_type(self, page: str, name: str) -> None:
        assert f'id="{name}"' in page

    def test_links_lead_somewhere(self, page: str) -> None:
        targets = set(re.findall(r'href="#([^"]*)"', page))
        assert targets - set(re.findall(r'\bid="([^"]*)"', page)) == set()

    def test_ids_are_different(self, page: str) -> None:
        ids = re.findall(r'\bid="([^"]*)"', page)
        assert len(set(ids)) == len(ids)

    def test_nothing_is_inline_or_from_outside(self, page: str) -> None:
        inline = r"<style|<script(?![^>]*src)|\sstyle=|\son\w+="
        outside = r"(?:src|href|action)=.(?:https?:)?//"
        assert re.findall(f"{inline}|{outside}", page) == []

    def test_requests_go_below_the_path_of_the_application(self, client: Client) -> None:
        with override_script_prefix("/web/"):
            page = client.get("/docs").content.decode()
        assert 'data-path="/web/triggers"' in page

    def test_with_a_slash(self, client: Client) -> None:
        assert client.get("/docs/", follow=True).redirect_chain == [("/docs", 302)]

    def test_is_not_to_be_posted_to(self, client: Client) -> None:
        assert client.post("/docs").status_code == 405
