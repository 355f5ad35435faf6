"""What Zappa uploads, unpacked and called as Lambda calls it."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.demo import DemoAgent
from tests.signing import OTHER, SECRET, signed
from tests.unit.project.imports import read_tree
from tests.unit.project.test_layers import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
# What Lambda's Python runtime brings.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py")
# Called with the folders to import from; nothing else is on the path.
DRIVER = """
import json, sys
sys.path[:0] = sys.argv[1:]
from executions.lambda_handler import handler

class Context:
    aws_request_id = "11111111-2222-3333-4444-555555555555"
    get_remaining_time_in_millis = staticmethod(lambda: 60_000)

for line in sys.stdin:
    try:
        outcome = {"result": handler(json.loads(line), Context())}
    except Exception as error:
        outcome = {"error": type(error).__name__}
    print("outcome:" + json.dumps(outcome), flush=True)
"""
# What only the processes of one machine import, or the one that deploys.
LOCAL = {"aiohttp", "opentelemetry", "uvloop", "waitress", "yarl"}
COMMANDS = [
    {"raw_command": "open('{file}', 'w')"},
    {"command": "zappa.cli.shamelessly_promote"},
    {"manage": "create_operator mallory --password=longenough"},
    {"Records": [{"s3": {"configurationId": "a:zappa.cli.handle"}}]},
    {"requestContext": {"eventType": "CONNECT", "domainName": "x"}},
    {"httpMethod": "GET", "raw_command": "open('{file}', 'w')"},
    {"version": "2.0", "manage": "check"},
]


class Function:
    """A stage's zip, unpacked: an interpreter of its own answers events, one after the other."""

    def __init__(self, stage: str, folder: Path) -> None:
        self.stage = stage
        self.zip = BUILD / f"{stage}.zip"
        self.folder = folder / "task"
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(self.folder)
        self.runtime = folder / "runtime"
        self.runtime.mkdir()
        (installed,) = (BUILD / "venv" / "lib").glob("python*/site-packages")
        for name in RUNTIME:
            source = installed / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.runtime / name)
        (folder / "data").mkdir()
        self._log = folder / "log"
        self._process: subprocess.Popen[str] | None = None
        module = "handler_settings" if stage == "handler" else "settings"
        self.environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": f"moca-triggers-{stage}",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "DJANGO_SETTINGS_MODULE": f"moca.{module}",
            "MOCA_DATA_DIR": str(folder / "data"),
            "SECRET_KEY": "for these tests alone " * 3,
            "ALLOWED_HOSTS": ".execute-api.eu-central-1.amazonaws.com",
            "FORCE_SCRIPT_NAME": f"/{stage}",
            "EVENT_SOURCES_CONFIG": f"[{{id: shop, name: Shop, secrets: [{SECRET}]}}]",
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command of the checkout on this function's database."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env={**self.environment, "DJANGO_SETTINGS_MODULE": "moca.settings"},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def call(self, *events: Any) -> list[dict[str, Any]]:
        """The outcome of each event: a `result`, or the name of an `error`."""
        if self._process is None:
            self._start()
        read = self._log.stat().st_size
        outcomes = [self._outcome(event) for event in events]
        self.log = self._log.read_bytes()[read:].decode()
        return outcomes

    def _start(self) -> None:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", DRIVER, str(self.folder), str(self.runtime)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
            )

    def _outcome(self, event: Any) -> dict[str, Any]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("outcome:"):
                return dict(json.loads(line[8:]))
        raise AssertionError(f"it ended:\n{self._log.read_text()}")

    def end(self) -> None:
        """End the interpreter: the next call starts one with the environment as it is then."""
        if self._process:
            self._process.communicate(timeout=30)
            assert self._process.returncode == 0
        self._process = None


def posted(path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """A POST as a REST API hands it on."""
    event = request(path, httpMethod="POST", multiValueHeaders={})
    name, _, value = query.partition("=")
    event["multiValueQueryStringParameters"] = {name: [value]}
    event["headers"] |= headers
    return event


def posted_to_http_api(path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """A POST as an HTTP API hands it on."""
    host = "abc123.execute-api.eu-central-1.amazonaws.com"
    return {
        "version": "2.0",
        "rawPath": f"/web{path}",
        "rawQueryString": query,
        "headers": {name.lower(): text for name, text in {**headers, "host": host}.items()},
        "requestContext": {"stage": "web", "http": {"method": "POST", "sourceIp": "203.0.113.7"}},
    }


def request(path: str, **parts: Any) -> dict[str, Any]:
    """A request as a REST API hands it on."""
    headers = {"Host": "abc123.execute-api.eu-central-1.amazonaws.com"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "requestContext": {"stage": "web", "identity": {"sourceIp": "203.0.113.7"}},
        "body": None,
        "isBase64Encoded": False,
        **parts,
    }


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    function = Function("web", tmp_path_factory.mktemp("web"))
    function.manage("migrate")
    yield function
    function.end()


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    function = Function("handler", tmp_path_factory.mktemp("handler"))
    function.manage("migrate")
    yield function
    function.end()


@pytest.mark.parametrize("stage", ["web", "handler"])
def test_zip_is_small(stage: str) -> None:
    # The public holidays of 250 countries take 2.3 MiB of it, compiled and without translations.
    assert (BUILD / f"{stage}.zip").stat().st_size < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "name", [".env", "var", "tests", "zappa_settings.json", "boto3", "aiohttp", "multidict"]
)
def test_zip_has_nothing_that_is_kept_out(web: Function, name: str) -> None:
    assert not (web.folder / name).exists()


def test_zip_has_each_library_that_a_function_imports(web: Function) -> None:
    libraries = sorted(read_tree(ROOT, PACKAGES).libraries() - LOCAL)
    code = f"""
import importlib, sys
sys.path[:0] = {[str(web.folder), str(web.runtime)]}
for name in {libraries}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error)
"""
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout == ""


@pytest.mark.parametrize("stage", ["web", "handler"])
def test_no_websockets_are_offered(stage: str) -> None:
    # Zappa makes a public API for them where it finds a module that mentions them.
    with zipfile.ZipFile(BUILD / f"{stage}.zip") as archive:
        assert "WEBSOCKET" not in archive.read("zappa_settings.py").decode()


@pytest.mark.parametrize("module", ["moca/ids", "django/apps/registry", "cryptography/utils"])
def test_modules_are_compiled_for_the_time_of_the_zip(web: Function, module: str) -> None:
    # Bit 0: checked by the source's hash, not by its time (PEP 552).
    path = web.folder / module
    (compiled,) = (path.parent / "__pycache__").glob(f"{path.name}.*.pyc")
    assert compiled.read_bytes()[4] & 1


def test_rest_request_is_answered(web: Function) -> None:
    (outcome,) = web.call(request("/health"))
    assert json.loads(outcome["result"]["body"])["status"] == "ok"


def test_http_request_is_answered(web: Function) -> None:
    event = {
        "version": "2.0",
        "rawPath": "/health",
        "rawQueryString": "",
        "headers": {"host": "abc123.execute-api.eu-central-1.amazonaws.com"},
        "requestContext": {"http": {"method": "GET", "sourceIp": "203.0.113.7"}, "stage": "web"},
    }
    (outcome,) = web.call(event)
    assert json.loads(outcome["result"]["body"])["status"] == "ok"


def test_links_lead_to_the_stage(web: Function) -> None:
    (outcome,) = web.call(request("/admin/login/"))
    assert 'href="/web/static/console/console.css"' in outcome["result"]["body"]


def test_static_files_are_served(web: Function) -> None:
    (outcome,) = web.call(request("/static/moca/admin.css"))
    assert outcome["result"]["statusCode"] == 200


def test_api_is_described(web: Function) -> None:
    (outcome,) = web.call(request("/openapi.json"))
    assert json.loads(outcome["result"]["body"])["servers"] == [{"url": "/web"}]


def test_cookie_is_set_once(web: Function) -> None:
    (outcome,) = web.call(request("/admin/login/"))
    answer = outcome["result"]
    cookies = [
        value
        for name, values in answer["multiValueHeaders"].items()
        if name.lower() == "set-cookie"
        for value in values
    ]
    assert len(cookies) == 1


def test_client_cannot_choose_its_address(web: Function) -> None:
    """Wrong passwords are counted for an address, which must be the one that API Gateway saw."""
    form = "username=nobody&password=wrong"
    attempts = [request("/admin/login/", httpMethod="POST", body=form) for _ in range(11)]
    for number, attempt in enumerate(attempts):
        attempt["multiValueHeaders"] = {}
        attempt["headers"] |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "csrftoken=" + "a" * 32,
            "X-CSRFToken": "a" * 32,
            "Referer": f"https://{attempt['headers']['Host']}/",
            "x-forwarded-for": f"198.51.100.{number}, 203.0.113.9",
        }
    web.call(*attempts)
    assert "too many wrong passwords" in web.log


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("form", [posted, posted_to_http_api])
@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), (OTHER, 401)])
def test_signed_events_arrive_byte_for_byte(
    web: Function, form: Callable[..., dict[str, Any]], encoded: bool, secret: str, status: int
) -> None:
    body = '{ "type":"order.paid", "name":"\u5e97" }'
    key = f"msg_{form.__name__}_{encoded}"
    own = signed("webhook", secret, body.encode(), key, int(time.time()))
    event = form("/events", "source=shop", {**own, "Content-Type": "application/json"})
    event["body"] = base64.b64encode(body.encode()).decode() if encoded else body
    event["isBase64Encoded"] = encoded
    (outcome,) = web.call(event)
    assert outcome["result"]["statusCode"] == status


def test_query_strings_are_not_logged(web: Function) -> None:
    web.call(request("/health", multiValueQueryStringParameters={"code": ["secret-code"]}))
    assert "secret-code" not in web.log


@pytest.mark.parametrize("event", COMMANDS, ids=lambda event: list(event)[-1])
def test_commands_never_reach_zappa(web: Function, event: dict[str, Any], tmp_path: Path) -> None:
    made = tmp_path / "made"
    (outcome,) = web.call(json.loads(json.dumps(event).replace("{file}", str(made))))
    assert (outcome, made.exists()) == ({"error": "EventError"}, False)


def test_command_within_a_request_is_not_run(web: Function, tmp_path: Path) -> None:
    made = tmp_path / "made"
    web.call(request("/health", raw_command=f"open({str(made)!r}, 'w')"))
    assert not made.exists()


def test_handler_serves_no_pages(handler: Function) -> None:
    assert handler.call(request("/health")) == [{"error": "EventError"}]


def test_schedule_runs_its_trigger(handler: Function) -> None:
    handler.manage("create_operator", "alice")
    handler.manage("create_samples", "alice")
    trigger = json.loads(
        handler.manage(
            "shell",
            "-v0",
            "-c",
            "import json; from triggers.models import Trigger; t = Trigger.objects.filter("
            "enabled=True, type='schedule')[0];"
            "print(json.dumps({'triggerId': t.pk, 'userId': t.user_id}))",
        )
    )
    with DemoAgent(pause=0) as agent:
        handler.end()
        handler.environment |= {
            "AGENT_API_URL": agent.url,
            "AGENT_AUTH": "static",
            "AGENT_TOKEN": agent.issue_token(),
        }
        (outcome,) = handler.call(
            {
                "detail-type": "Scheduled Event",
                "source": "moca.triggers",
                "time": "2027-01-04T09:00:00Z",
                "detail": trigger,
            }
        )
    assert outcome["result"]["status"] == "completed"
