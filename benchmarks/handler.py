"""How long a cold Lambda takes before its first event, against boto3 alone.

python -m benchmarks.handler
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 11
BARE = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
OURS = """
import executions.lambda_handler
from django.db import connection
connection.service.raw
"""


def seconds(code: str, data: str) -> float:
    """The median time of a fresh interpreter that runs the code."""
    environment = {
        **os.environ,
        "TRIGGERS_TABLE_NAME": "moca-triggers",
        "AWS_REGION": "eu-central-1",
        "SECRET_KEY": "benchmark",
        "MOCA_DATA_DIR": data,
    }
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    with tempfile.TemporaryDirectory() as data:
        empty, bare, ours = (seconds(code, data) for code in ("", BARE, OURS))
    print(f"boto3 with a DynamoDB client   {(bare - empty) * 1000:6.0f} ms")
    print(f"the handler, ready to run      {(ours - empty) * 1000:6.0f} ms")
    print(f"ratio                          {(ours - empty) / (bare - empty):6.2f}  (goal 2.0)")


if __name__ == "__main__":
    main()
