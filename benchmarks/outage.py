"""Checks an outage of the database during many runs: all ends are recorded, and the log is short.

python -m benchmarks.outage [sqlite|dynamodb] [runs] [seconds]

Another process locks SQLite; DynamoDB Local is killed and started again.
"""

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def set_up(database: str, data_dir: Path, port: int) -> None:
    os.environ |= {
        "MOCA_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "LOG_LEVEL": "INFO",
    }
    # The demo agent's own requests, in this process.
    logging.disable(logging.INFO)
    if database == "dynamodb":
        os.environ["DATABASE_URL"] = "dynamodb-local://moca-triggers"
        os.environ["DYNAMODB_LOCAL_PORT"] = str(port)


def make_triggers(count: int, seconds: int) -> dict[str, str]:
    """Make triggers whose runs end during and after the outage; returns the expected status."""
    from triggers.models import Trigger

    expected = {}
    for number in range(count):
        fails = number % 10 == 9
        wait = 3 + (seconds + 5) * number / count
        lines = ["Report.", f"demo: first-byte {wait:.1f}"] + ["demo: status 400"] * fails
        made = Trigger(
            user_id="ann",
            name=f"T{number}",
            agent_id="agent",
            prompt="\n".join(lines),
            max_retries=0,
            schedule_config={"expression": "cron(0 9 1 1 ? *)"},
        )
        made.save()
        expected[made.pk] = "failed" if fails else "completed"
    return expected


@contextmanager
def scheduler(log: Path, agent_url: str, count: int) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runscheduler"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "DEMO_AGENT_PORT": agent_url.rpartition(":")[2],
                "SCHEDULER_CONCURRENCY": str(count),
                "PYTHONUNBUFFERED": "1",
            },
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=90)


def measure(count: int, seconds: int, log: Path, outage: object) -> bool:
    from django.utils import timezone

    from agents.demo import DemoAgent
    from executions.models import TriggerExecution
    from triggers.models import LocalSchedule, RunStatus

    expected = make_triggers(count, seconds)
    with DemoAgent(pause=0) as agent, scheduler(log, agent.url, count):
        time.sleep(4)
        due = timezone.now()
        for pk in expected:
            LocalSchedule.objects.filter(pk=pk).update(next_run_at=due, due_at=due)
        while TriggerExecution.objects.count() < count:
            time.sleep(0.2)
        before = TriggerExecution.objects.running().count()
        logged_before = len(log.read_text().splitlines())
        outage(seconds)  # type: ignore[operator]
        logged_after = len(log.read_text().splitlines())
        back = time.monotonic()
        while TriggerExecution.objects.running().count() and time.monotonic() < back + 120:
            time.sleep(0.2)
        took = time.monotonic() - back
    found = {e.trigger_id: e for e in TriggerExecution.objects.all()}
    wrong = [e.error for pk, e in found.items() if e.status != expected[pk]]
    wrong += [
        e.error for e in found.values() if e.status == RunStatus.FAILED and "400" not in e.error
    ]
    lines = log.read_text().splitlines()
    print(f"{before} of {count} runs under way when the database went away, for {seconds} s")
    print(f"{len(found) - len(wrong)} ends on record as they were, the last {took:.1f} s after")
    later = sum(("database" in line or "Recorded" in line) for line in lines[logged_after:])
    print(
        f"{logged_after - logged_before + later} lines of log while it was away and on its return"
    )
    print(f"{len(lines)} lines in all, {sum('Run ' in line for line in lines)} of single runs")
    for error in wrong[:5]:
        print(f"wrong: {error}")
    print("\n".join(line for line in lines if "Run " not in line)[:4000])
    return not wrong and len(found) == count


def main() -> None:
    database = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    port = 8097
    with tempfile.TemporaryDirectory(prefix="moca-bench-") as name:
        data_dir = Path(name)
        set_up(database, data_dir, port)
        import django

        from moca.dynamodb.local import DynamoDBLocal

        local = DynamoDBLocal(port, data_dir / "dynamodb")
        if database == "dynamodb":
            local.__enter__()

        def lock(seconds: int) -> None:
            command = [sys.executable, "-c", LOCK, str(data_dir / "moca.sqlite3"), str(seconds)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        def kill(seconds: int) -> None:
            nonlocal local
            local.__exit__()
            time.sleep(seconds)
            local = DynamoDBLocal(port, data_dir / "dynamodb")
            local.__enter__()

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        try:
            is_good = measure(
                count, seconds, data_dir / "log", kill if database == "dynamodb" else lock
            )
        finally:
            if database == "dynamodb":
                local.__exit__()
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
