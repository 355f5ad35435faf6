"""Measures the cold start of the packed handler, compared with boto3 alone.

New interpreters import the package of `make package`. As on Lambda, only the package and boto3 are
on their path: python -m benchmarks.handler

Times end when the code is ready, because a Lambda function does not end its interpreter. The second
ratio includes the interpreter's end. Django and httpx without any code of ours bring the ratio to
1.3 or more. The first event names a trigger that does not exist, in a database in a file.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.deployment.test_package import Function

RUNS = 15
BARE = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')\n"
OURS = """
import executions.lambda_handler
from django.db import connection
connection.service.raw
"""
EVENT = """
from executions.lambda_handler import handler
class Context:
    aws_request_id = "11111111-2222-3333-4444-555555555555"
    get_remaining_time_in_millis = staticmethod(lambda: 60_000)
detail = {"userId": "nobody", "triggerId": "none"}
event = {"detail-type": "Scheduled Event", "time": "2027-01-04T09:00:00Z", "detail": detail}
handler(event, Context())
"""
READY = "import os; os._exit(0)\n"
CODES = {
    "empty": READY,
    "bare": BARE + READY,
    "ours": OURS + READY,
    "event": EVENT + READY,
    "empty, ended": "",
    "bare, ended": BARE,
    "ours, ended": OURS,
}


def times(function: Function) -> dict[str, float]:
    """The median time of a new interpreter for each code. They take turns, against noise."""
    path = f"import sys; sys.path[:0] = {[str(function.folder), str(function.runtime)]}\n"
    taken: dict[str, list[float]] = {name: [] for name in CODES}
    for _run in range(RUNS):
        for name, code in CODES.items():
            environment = dict(function.environment)
            if name != "event":
                environment["TRIGGERS_TABLE_NAME"] = "moca-triggers"
            command = [sys.executable, "-I", "-S", "-c", path + code]
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    subprocess.run(["make", "package"], check=True, stdout=subprocess.DEVNULL, env=os.environ)
    with tempfile.TemporaryDirectory() as folder:
        function = Function("handler", Path(folder))
        function.manage("migrate")
        found = times(function)
    bare, ours, event = (found[name] - found["empty"] for name in ("bare", "ours", "event"))
    bare_ended, ours_ended = (
        found[f"{name}, ended"] - found["empty, ended"] for name in ("bare", "ours")
    )
    print(f"boto3 with a DynamoDB client         {bare * 1000:6.0f} ms")
    print(f"the handler, ready to run            {ours * 1000:6.0f} ms")
    print(f"the handler, after a first event     {event * 1000:6.0f} ms")
    print(f"ratio                                {ours / bare:6.2f}  (goal 1.3)")
    print(f"ratio with the interpreter's end     {ours_ended / bare_ended:6.2f}")


if __name__ == "__main__":
    main()
