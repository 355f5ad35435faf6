"""Measures requests per second and CPU per request of the HTTP API, on the shipped web server.

python -m benchmarks.api [requests]
"""

import http.client
import io
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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


def main() -> None:
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
