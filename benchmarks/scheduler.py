"""Measures the local scheduler when many triggers are due at the same moment.

python -m benchmarks.scheduler [triggers] [processes]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
AGENT_PORT = 8099
LEAD = timedelta(seconds=5)
IDLE_SECONDS = 10


@contextmanager
def processes(*commands: list[str]) -> Iterator[list[psutil.Process]]:
    started = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=40)


def megabytes(parts: list[psutil.Process]) -> float:
    return sum(part.memory_info().rss for part in parts) / 2**20


def cpu_seconds(parts: list[psutil.Process]) -> float:
    return sum(part.cpu_times().user + part.cpu_times().system for part in parts)


def set_up() -> None:
    os.environ |= {
        "MOCA_DATA_DIR": tempfile.mkdtemp(prefix="moca-bench-"),
        "DJANGO_SETTINGS_MODULE": "moca.settings",
        "AGENT_API_URL": f"http://127.0.0.1:{AGENT_PORT}",
        "AGENT_AUTH": "none",
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def make_triggers(count: int) -> None:
    from triggers.models import LocalSchedule, Trigger

    made = [
        Trigger(
            user_id=f"user-{number % 100}",
            name=f"Trigger {number}",
            agent_id="agent",
            prompt="Report.",
            schedule_config={"expression": "cron(0 9 * * ? *)"},
        )
        for number in range(count)
    ]
    Trigger.objects.bulk_create(made, batch_size=500)
    rows = [LocalSchedule(trigger_id=t.pk, user_id=t.user_id, spec={}) for t in made]
    LocalSchedule.objects.bulk_create(rows, batch_size=500)


def measure(count: int, parts: list[psutil.Process]) -> None:
    from django.utils import timezone

    from executions.models import TriggerExecution
    from triggers.models import LocalSchedule, RunStatus

    time.sleep(2)
    before = cpu_seconds(parts)
    time.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(parts) - before) / IDLE_SECONDS
    memory = peak = megabytes(parts)
    before = cpu_seconds(parts)
    due = timezone.now() + LEAD
    LocalSchedule.objects.update(next_run_at=due, due_at=due)
    completed = TriggerExecution.objects.filter(status=RunStatus.COMPLETED)
    while completed.count() < count and timezone.now() < due + timedelta(minutes=3):
        peak = max(peak, megabytes(parts))
        time.sleep(1)
    took = (timezone.now() - due).total_seconds()
    cpu = cpu_seconds(parts) - before
    lags = sorted(
        (started - due).total_seconds()
        for started in TriggerExecution.objects.values_list("started_at", flat=True)
    )
    ended = completed.count()
    print(f"{ended:,} of {count:,} completed within {took:.1f} s of the due time")
    print(
        f"start lag: median {statistics.median(lags):.2f} s, "
        f"95th percentile {lags[int(len(lags) * 0.95)]:.2f} s, last {lags[-1]:.2f} s (goal: 10 s)"
    )
    print(f"CPU: {1000 * cpu / count:.2f} ms a run; idle {100 * idle:.2f} % (goal: under 1 %)")
    print(f"memory: {memory:.0f} MB idle, {peak:.0f} MB at the most")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    schedulers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    set_up()
    make_triggers(count)
    agent = [sys.executable, "-m", "benchmarks.fast_agent", str(AGENT_PORT)]
    scheduler = [sys.executable, "manage.py", "runscheduler"]
    with processes(agent, *[scheduler] * schedulers) as (_, *parts):
        print(f"{count:,} triggers due at once, {schedulers} scheduler process(es)")
        measure(count, parts)


if __name__ == "__main__":
    main()
