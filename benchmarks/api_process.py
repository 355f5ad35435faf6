"""Answers requests of the API within one process, for `python -m benchmarks.api --against COMMIT`.

It is run as a file, with the folder of the code to measure as PYTHONPATH, because that code may be
older than this file. A line on stdin names a kind of request and a number; the answer on stdout is
the process's CPU time a request, in milliseconds. The WSGI application is called as the web server
calls it: the time is that of our code, Django and the database's client, without sockets.
"""

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

KINDS = ("get", "create", "list of 100")
TRIGGERS = 100
NEW = {
    "name": "New",
    "type": "schedule",
    "agentId": "agent",
    "prompt": "Report.",
    "scheduleConfig": {"expression": "0 9 * * ? *", "timezone": "Asia/Tokyo"},
}


class Caller:
    """Sends requests of one user to the WSGI application."""

    def __init__(self) -> None:
        from django.core.management import call_command

        from moca.wsgi import application

        out = io.StringIO()
        call_command("issue_token", "user-1", stdout=out)
        self.token, self.application = out.getvalue().strip(), application
        self.ids: list[str] = []

    def send(self, method: str, path: str, query: str = "", body: bytes = b"") -> bytes:
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_ACCEPT_ENCODING": "identity",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
        }
        status = ""

        def start(line: str, headers: Any, exc_info: Any = None) -> None:
            nonlocal status
            status = line

        answer: Any = self.application(environ, start)
        text = b"".join(answer)
        answer.close()
        if not status.startswith("2"):
            raise RuntimeError(f"{method} {path}: {status} {text[:200]!r}")
        return text

    def call(self, kind: str, number: int) -> None:
        if kind == "get":
            self.send("GET", f"/triggers/{self.ids[number % TRIGGERS]}")
        elif kind == "create":
            self.send("POST", "/triggers", body=json.dumps(NEW).encode())
        else:
            self.send("GET", "/triggers", f"limit={TRIGGERS}")


def set_up() -> Caller:
    os.environ |= {
        "MOCA_DATA_DIR": tempfile.mkdtemp(prefix="moca-bench-"),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "MAX_TRIGGERS_PER_USER": "100000",
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    caller = Caller()
    for number in range(TRIGGERS):
        caller.call("create", number)
    listed = caller.send("GET", "/triggers", f"limit={TRIGGERS}")
    caller.ids = [trigger["id"] for trigger in json.loads(listed)["triggers"]]
    for kind in KINDS:
        for number in range(20):
            caller.call(kind, number)
    return caller


def cpu_of(calls: Callable[[int], None], count: int) -> float:
    before = time.process_time()
    for number in range(count):
        calls(number)
    return 1000 * (time.process_time() - before) / count


def main() -> None:
    caller = set_up()
    print("ready", flush=True)
    for line in sys.stdin:
        kind, _, count = line.strip().rpartition(" ")
        print(cpu_of(lambda number, kind=kind: caller.call(kind, number), int(count)), flush=True)


if __name__ == "__main__":
    main()
