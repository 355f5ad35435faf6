"""Measures the local scheduler when thousands of triggers are due at the same moment.

python -m benchmarks.at_once fast|slow|long|killed|idle [--against COMMIT] [--count N]

  fast    10,000 triggers, and an agent that answers at once: CPU a run, when the last one begins
  slow    2,000 triggers, and an agent of 60 s: all completed in 70 s, none missed
  long    10,000 triggers, and an agent of 120 s: all in flight in one process, its memory
  killed  4,000 triggers, an agent of 20 s, two processes, one of which is killed in the midst
  idle    no trigger is due, then single ones: CPU, memory, time from due to request

With `--against`, the same is measured beside it for the build of a commit, in a worktree of its
own, one side after the other. SQLite, one machine, and a process of its own for the agent.
"""

import argparse
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from benchmarks.limits import raise_limit

ROOT = Path(__file__).resolve().parent.parent
LEAD = timedelta(seconds=5)
LOST_SECONDS = 150
MAKE = """
from datetime import timedelta
from django.utils import timezone
from triggers.models import LocalSchedule, Trigger
made = [
    Trigger(
        user_id=f"user-{number % 100}",
        name=f"Trigger {number}",
        agent_id="agent",
        prompt="Report.",
        schedule_config={"expression": "cron(0 9 1 1 ? *)"},
    )
    for number in range(COUNT)
]
Trigger.objects.bulk_create(made, batch_size=500)
far = made[0].next_runs(timezone.now(), 1)[0]
rows = [
    LocalSchedule(trigger_id=t.pk, user_id=t.user_id, spec={}, next_run_at=far, due_at=far)
    for t in made
]
LocalSchedule.objects.bulk_create(rows, batch_size=500)
"""


@dataclass(frozen=True)
class Scenario:
    """What is measured: so many triggers, an agent that takes so long, and when to give up."""

    count: int
    seconds: float
    limit: float
    processes: int = 1
    kills: bool = False


SCENARIOS = {
    "fast": Scenario(10_000, 0, 120),
    "slow": Scenario(2_000, 60, 120),
    "long": Scenario(10_000, 120, 200),
    "killed": Scenario(4_000, 20, LOST_SECONDS, processes=2, kills=True),
    "idle": Scenario(20, 0, 60),
}


class Side:
    """One build, with a database of its own."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder, self.port = root, folder, free_port()
        self.log = folder / "agent.log"
        self.environment = {
            **os.environ,
            "MOCA_DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'moca.sqlite3'}",
            "AGENT_API_URL": f"http://127.0.0.1:{self.port}",
            "AGENT_AUTH": "none",
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(root),
        }

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=self.root, env=self.environment, check=True)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "moca.sqlite3", timeout=30) as database:
            return database.execute(sql, values).fetchall()

    def make_due(self, due: datetime, most: int = -1, first: int = 0) -> None:
        moment = due.replace(tzinfo=None).isoformat(sep=" ")
        rows = "SELECT trigger_id FROM triggers_localschedule ORDER BY trigger_id LIMIT ? OFFSET ?"
        change = f"UPDATE triggers_localschedule SET next_run_at = ?, due_at = ? WHERE trigger_id IN ({rows})"  # noqa: E501
        self.query(change, moment, moment, most, first)

    def ended(self) -> Counter[str]:
        """How runs ended, by outcome; those under way as `running`."""
        found = self.query(
            "SELECT status, outcome, count(*) FROM executions_triggerexecution GROUP BY 1, 2"
        )
        return Counter({outcome or status: count for status, outcome, count in found})

    def requests(self) -> dict[str, list[float]]:
        """When the agent got the request of each run."""
        found: dict[str, list[float]] = {}
        for line in self.log.read_text().splitlines():
            key, _, moment = line.partition(" ")
            if not key.startswith("open="):
                found.setdefault(key, []).append(float(moment))
        return found

    def most_open(self) -> int:
        lines = self.log.read_text().splitlines()
        return max((int(line[5:].split()[0]) for line in lines if line[:5] == "open="), default=0)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(side: Side, scenario: Scenario) -> Iterator[list[psutil.Process]]:
    """Run the agent and the scheduler processes."""
    agent = [sys.executable, "-m", "benchmarks.slow_agent", str(side.port)]
    started = [
        subprocess.Popen([*agent, str(scenario.seconds), str(side.log)], cwd=ROOT),
        *(
            subprocess.Popen(
                [sys.executable, "manage.py", "runscheduler"],
                cwd=side.root,
                env={**side.environment, "SCHEDULER_GRACE_SECONDS": "0"},
                stdout=subprocess.DEVNULL,
            )
            for _ in range(scenario.processes)
        ),
    ]
    try:
        time.sleep(4)
        yield [psutil.Process(process.pid) for process in started[1:]]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.kill()


def megabytes(parts: list[psutil.Process]) -> float:
    return max(part.memory_info().rss for part in parts) / 2**20


def cpu_seconds(parts: list[psutil.Process]) -> float:
    return sum(part.cpu_times().user + part.cpu_times().system for part in parts)


def measure(side: Side, name: str, scenario: Scenario) -> dict[str, Any]:
    """Measure one build in one scenario."""
    side.manage("migrate", "--verbosity=0")
    side.manage("shell", "--verbosity=0", "-c", MAKE.replace("COUNT", str(scenario.count)))
    side.log.touch()
    with running(side, scenario) as parts:
        if name == "idle":
            return measure_idle(side, scenario, parts)
        return measure_load(side, scenario, parts)


def measure_idle(side: Side, scenario: Scenario, parts: list[psutil.Process]) -> dict[str, Any]:
    time.sleep(16)
    before, began = cpu_seconds(parts), time.monotonic()
    time.sleep(20)
    idle = (cpu_seconds(parts) - before) / (time.monotonic() - began)
    memory = megabytes(parts)
    # Without the pages of libraries' files, which the processes of a machine share.
    own = max(part.memory_full_info().uss for part in parts) / 2**20
    lags = []
    for number in range(scenario.count):
        due = datetime.now(UTC) + timedelta(seconds=1.3)
        side.make_due(due, 1, number)
        end = time.monotonic() + 10
        while len(side.requests()) <= number and time.monotonic() < end:
            time.sleep(0.05)
        lags.append(max(times[0] for times in side.requests().values()) - due.timestamp())
    return {
        "idle CPU": f"{100 * idle:.2f} %",
        "memory, and of its own": f"{memory:.0f} MB, {own:.0f} MB",
        "due to request, median": f"{1000 * statistics.median(lags):.0f} ms",
        "due to request, most": f"{1000 * max(lags):.0f} ms",
    }


def measure_load(side: Side, scenario: Scenario, parts: list[psutil.Process]) -> dict[str, Any]:
    before = cpu_seconds(parts)
    due = datetime.now(UTC) + LEAD
    side.make_due(due)
    peak, killed = 0.0, 0
    end = due.timestamp() + scenario.limit
    while time.time() < end:
        time.sleep(1)
        peak = max(peak, megabytes(parts))
        states = side.ended()
        done = sum(states.values()) - states["running"]
        if done >= scenario.count:
            break
        if scenario.kills and not killed and states["running"] >= scenario.count / 2:
            victim = parts.pop()
            victim.send_signal(signal.SIGKILL)
            killed = victim.pid
            before = cpu_seconds(parts)
    took = time.time() - due.timestamp()
    cpu = cpu_seconds(parts) - before
    sent = side.requests()
    lags = sorted(times[0] - due.timestamp() for times in sent.values()) or [float("nan")]
    figures = {
        "ended": ", ".join(f"{count:,} {state}" for state, count in side.ended().most_common()),
        "within": f"{took:.1f} s of the due time",
        "sent to the agent": f"{len(sent):,}, {sum(len(t) > 1 for t in sent.values())} twice",
        "begun, median and last": f"{statistics.median(lags):.1f} s and {lags[-1]:.1f} s after",
        "most open at once": f"{side.most_open():,}",
        "CPU a run": f"{1000 * cpu / max(1, len(sent)):.2f} ms",
        "memory of a process": f"{peak:.0f} MB at the most",
    }
    if killed:
        figures["lost for good"] = f"{scenario.count - sum(side.ended().values())}"
    return figures


@contextmanager
def build_of(commit: str) -> Iterator[Path]:
    """Check a commit out into a worktree of its own."""
    with tempfile.TemporaryDirectory(prefix="moca-build-") as folder:
        path = Path(folder) / "build"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def compare(name: str, scenario: Scenario, sides: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Measure each side, and print the figures beside each other."""
    found = {}
    for title, root in sides.items():
        with tempfile.TemporaryDirectory(prefix="moca-bench-") as folder:
            print(f"measuring {title} ...", flush=True)
            found[title] = measure(Side(root, Path(folder)), name, scenario)
    rows = list(dict.fromkeys(row for figures in found.values() for row in figures))
    for row in rows:
        print(f"{row:26}", *(f"{figures.get(row, ''):42}" for figures in found.values()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--against", metavar="COMMIT", help="the build to compare with")
    parser.add_argument("--count", type=int, help="the number of triggers")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")
    given = parser.parse_args()
    raise_limit()
    scenario = SCENARIOS[given.scenario]
    if given.count:
        scenario = Scenario(**{**vars(scenario), "count": given.count})
    print(f"{given.scenario}: {scenario.count:,} triggers, an agent of {scenario.seconds:g} s")
    sides = {"this build": ROOT}
    if given.against is None:
        found = compare(given.scenario, scenario, sides)
    else:
        with build_of(given.against) as path:
            found = compare(given.scenario, scenario, sides | {given.against: path})
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
