"""Measures the cold start of the packed handler, compared with boto3 alone.

New interpreters import the package of `make package`. As on Lambda, only the package and boto3 are
on their path: python -m benchmarks.handler
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
BARE = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
OURS = """
import executions.lambda_handler
from django.db import connection
connection.service.raw
"""


def seconds(code: str, function: Function) -> float:
    """The median time of a new interpreter that runs the code."""
    path = f"import sys; sys.path[:0] = {[str(function.folder), str(function.runtime)]}\n"
    environment = {**function.environment, "TRIGGERS_TABLE_NAME": "moca-triggers"}
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", path + code], check=True, env=environment)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    subprocess.run(["make", "package"], check=True, stdout=subprocess.DEVNULL, env=os.environ)
    with tempfile.TemporaryDirectory() as folder:
        function = Function("handler", Path(folder))
        empty, bare, ours = (seconds(code, function) for code in ("", BARE, OURS))
    print(f"boto3 with a DynamoDB client   {(bare - empty) * 1000:6.0f} ms")
    print(f"the handler, ready to run      {(ours - empty) * 1000:6.0f} ms")
    print(f"ratio                          {(ours - empty) / (bare - empty):6.2f}  (goal 2.0)")


if __name__ == "__main__":
    main()
