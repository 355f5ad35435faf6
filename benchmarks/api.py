"""Measures requests per second and CPU per request of the HTTP API, on the shipped web server.

python -m benchmarks.api [requests]
python -m benchmarks.api --against COMMIT [rounds]

The second form compares the CPU per request with that of another commit: `api_process.py` answers
the same requests with the code of each, in turn, a few at a time. Other work on the machine slows
both down alike. With DATABASE=dynamodb both use DynamoDB Local, whose own CPU does not count.
"""

import http.client
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

import psutil

from benchmarks.scheduler import ROOT, cpu_seconds, make_triggers, set_up

PORT = 8098
CONNECTIONS = 4
TRIGGERS = 10_000
NEW = {
    "name": "New",
    "type": "schedule",
    "agentId": "agent",
    "prompt": "Report.",
    "scheduleConfig": {"expression": "0 9 * * ? *", "timezone": "Asia/Tokyo"},
}
# Requests of a kind that are answered in one turn.
TURNS = {"get": 15, "create": 8, "list of 100": 2}
ROUNDS = 60
Call = tuple[str, str, bytes | None]


class Load:
    """Sends requests over a few open connections."""

    def __init__(self, token: str) -> None:
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def run(self, calls: list[Call]) -> None:
        shares = [calls[number::CONNECTIONS] for number in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self._share, shares))

    def _share(self, calls: list[Call]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        for method, path, body in calls:
            connection.request(method, path, body, self.headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        connection.close()

    def get(self, path: str) -> dict[str, list[dict[str, str]]]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.request("GET", path, headers=self.headers)
        found: dict[str, list[dict[str, str]]] = json.loads(connection.getresponse().read())
        connection.close()
        return found


def server() -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    command = ["manage.py", "serve", f"--port={PORT}"]
    started = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    for _ in range(100):
        time.sleep(0.1)
        try:
            http.client.HTTPConnection("127.0.0.1", PORT).request("GET", "/health")
        except OSError:
            continue
        break
    parent = psutil.Process(started.pid)
    return started, [parent, *parent.children(recursive=True)]


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A worktree of a commit, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="moca-bench-") as folder:
        path = Path(folder, "code")
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", path, commit], cwd=ROOT, check=True
        )
        try:
            yield path
        finally:
            remove = ["git", "worktree", "remove", "--force", path]
            subprocess.run(remove, cwd=ROOT, check=True)


class Answering:
    """A process that answers requests with the code in a folder."""

    def __init__(self, code: Path, settings: dict[str, str]) -> None:
        # The folder of the script would come before the code: it has modules of the same names.
        variables = {**os.environ, **settings, "PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("api_process.py")],
            cwd=code,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()

    def read(self) -> str:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError("The process has ended: see its error above.")
        return line.strip()

    def milliseconds(self, kind: str) -> float:
        """The CPU time of a request, by a few of them."""
        self._process.stdin.write(f"{kind} {TURNS[kind]}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return float(self.read())


def compare(commit: str, rounds: int) -> None:
    """Print the CPU per request of this code and of a commit's, and their ratio."""
    on_dynamodb = os.environ.get("DATABASE") == "dynamodb"
    with (
        checkout(commit) as other,
        dynamodb() if on_dynamodb else nullcontext("") as endpoint,
        Answering(other, _database(endpoint, "moca-old")) as old,
        Answering(ROOT, _database(endpoint, "moca-new")) as new,
    ):
        for process in (old, new):
            process.read()
        print(f"CPU of a request in ms, {commit} and now: minimum, median of {rounds} turns")
        for kind in TURNS:
            turns = [_turn(old, new, kind, first=number % 2) for number in range(rounds)]
            _print(kind, *map(list, zip(*turns, strict=True)))


@contextmanager
def dynamodb() -> Iterator[str]:
    from moca.dynamodb.local import DynamoDBLocal

    with DynamoDBLocal() as local:
        yield local.endpoint


def _database(endpoint: str, table: str) -> dict[str, str]:
    if not endpoint:
        return {}
    return {
        "DATABASE_URL": f"dynamodb://{table}",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def _turn(old: Answering, new: Answering, kind: str, *, first: int) -> tuple[float, float]:
    if first:
        return old.milliseconds(kind), new.milliseconds(kind)
    later = new.milliseconds(kind)
    return old.milliseconds(kind), later


def _print(kind: str, old: list[float], new: list[float]) -> None:
    figures = []
    for of in (min, statistics.median):
        before, now = of(old), of(new)
        figures.append(f"{before:6.2f} {now:6.2f} (x {now / before:.2f})")
    print(f"{kind:12} {'   '.join(figures)}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--against"]:
        compare(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS)
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    set_up()
    make_triggers(TRIGGERS)
    from django.core.management import call_command

    out = io.StringIO()
    call_command("issue_token", "user-1", stdout=out)
    load = Load(out.getvalue().strip())
    started, parts = server()
    try:
        ids = [trigger["id"] for trigger in load.get("/triggers?limit=100")["triggers"]]
        around = itertools.cycle(ids)
        routes: dict[str, Callable[[], Call]] = {
            "get a trigger": lambda: ("GET", f"/triggers/{next(around)}", None),
            "list 20": lambda: ("GET", "/triggers?limit=20", None),
            "list 100": lambda: ("GET", "/triggers?limit=100", None),
            "list executions": lambda: ("GET", f"/triggers/{next(around)}/executions", None),
            "create": lambda: ("POST", "/triggers", json.dumps(NEW).encode()),
            "change": lambda: (
                "PATCH",
                f"/triggers/{next(around)}",
                json.dumps({"prompt": f"Report {time.monotonic_ns()}."}).encode(),
            ),
        }
        print(f"{TRIGGERS:,} triggers, one web process, {CONNECTIONS} connections")
        for name, call in routes.items():
            load.run([call() for _ in range(20)])
            before, clock = cpu_seconds(parts), time.perf_counter()
            load.run([call() for _ in range(count)])
            seconds = time.perf_counter() - clock
            cpu = 1000 * (cpu_seconds(parts) - before) / count
            print(f"{name:16} {count / seconds:6.0f} requests/s {cpu:6.2f} ms CPU a request")
        memory = sum(part.memory_info().rss for part in parts) / 2**20
        print(f"{memory:.0f} MB of memory")
    finally:
        started.terminate()
        started.wait()


if __name__ == "__main__":
    main()
