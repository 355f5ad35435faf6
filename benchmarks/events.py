"""Measures signed events on one machine: the web server receives them, the scheduler runs them.

python -m benchmarks.events [events] [triggers]
python -m benchmarks.events --against COMMIT [--rounds N] [--connections N]

In the first part of the first form each event starts one trigger, and the scheduler process is
killed halfway. In the second part each event starts all triggers.

The second form compares with the build of a commit, in a worktree of its own. Each round sends a
tenth of the events to one build and then to the other, through one source, while the scheduler
process of that build runs them. Other work on the machine slows both builds down alike.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path

import psutil

from benchmarks.at_once import ROOT, Side, build_of, cpu_seconds, free_port
from benchmarks.limits import raise_limit

KEY = b"k" * 32
ONE, ALL = "one", "all"
LONGEST = 300.0
CONNECTIONS = 8
MAKE = """
import base64
from django.utils import timezone
from events import signing_keys
from events.models import EventSource
from moca import sealing
from triggers.models import Trigger
secret = sealing.PREFIX + base64.b64encode(b"k" * 32).decode()
for name in ("one", "all"):
    kept = signing_keys.seal(secret, timezone.now())
    EventSource(id=name, name=name, secrets=kept).save()
    for number in range(COUNT):
        config = {"eventSourceId": name}
        if name == "one":
            config |= {"eventPattern": {"detail": {"to": [number]}}}
        Trigger(
            user_id=f"user-{number}",
            name=f"{name} {number}",
            type="event",
            agent_id="agent",
            prompt="Look at {{ event.detail.to }}.",
            overlap_policy="allow",
            event_config=config,
        ).save()
"""


class Installation(Side):
    """One build with its database, an agent that answers at once, and its processes."""

    def __init__(self, root: Path, folder: Path, triggers: int) -> None:
        super().__init__(root, folder)
        self.web_port, self.numbered = free_port(), 0
        self.log.touch()
        self.manage("migrate", "--verbosity=0")
        self.manage("shell", "--verbosity=0", "-c", MAKE.replace("COUNT", str(triggers)))

    def process(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=self.root, env=self.environment)

    @contextmanager
    def serving(self) -> Iterator[psutil.Process]:
        """Run the web server and the agent."""
        agent = [sys.executable, "-m", "benchmarks.fast_agent", str(self.port), str(self.log)]
        started = [
            self.process("serve", f"--port={self.web_port}"),
            subprocess.Popen(agent, cwd=ROOT),
        ]
        try:
            wait_for_port(self.web_port)
            yield psutil.Process(started[0].pid)
        finally:
            for one in started:
                end(one)

    def ended_runs(self) -> int:
        sql = "SELECT count(*) FROM executions_triggerexecution WHERE status <> 'running'"
        return int(self.query(sql)[0][0])

    def wait_for(self, runs: int) -> float:
        """Wait until this many runs have ended; returns the seconds that it took."""
        start = time.monotonic()
        while self.ended_runs() < runs and time.monotonic() < start + LONGEST:
            time.sleep(0.5)
        return time.monotonic() - start

    def send_all(self, source_id: str, count: int, connections: int = CONNECTIONS) -> list[float]:
        """Send further events over a few connections; returns the seconds of each request."""
        first, self.numbered = self.numbered, self.numbered + count
        numbers = [range(first + at, first + count, connections) for at in range(connections)]
        with ThreadPoolExecutor(connections) as pool:
            return list(chain.from_iterable(pool.map(partial(self._send, source_id), numbers)))

    def _send(self, source_id: str, numbers: range) -> list[float]:
        """Send events over one open connection."""
        connection, took = http.client.HTTPConnection("127.0.0.1", self.web_port), []
        for number in numbers:
            body = json.dumps({"to": number % 100, "note": "x" * 500}).encode()
            moment = str(int(time.time()))
            signed = f"{source_id}-{number}.{moment}.".encode() + body
            digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
            headers = {
                "Content-Type": "application/json",
                "webhook-id": f"{source_id}-{number}",
                "webhook-timestamp": moment,
                "webhook-signature": f"v1,{digest}",
            }
            start = time.monotonic()
            connection.request("POST", f"/events?source={source_id}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            took.append(time.monotonic() - start)
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {text[:200]!r}")
        connection.close()
        return took

    def summary(self, runs: int) -> str:
        """How many runs are on record, were sent twice, or were interrupted."""
        keys = Counter(self.log.read_bytes().split())
        found = self.query(
            "SELECT error_code, count(*) FROM executions_triggerexecution GROUP BY 1"
        )
        on_record = sum(count for _, count in found)
        return (
            f"{on_record:,} of {runs:,} runs on record, "
            f"{sum(number > 1 for number in keys.values())} sent twice, "
            f"{dict(found).get('LOST', 0)} under way when the process was killed and closed as "
            "failed"
        )


def wait_for_port(port: int) -> None:
    for _ in range(150):
        time.sleep(0.1)
        with suppress(OSError):
            http.client.HTTPConnection("127.0.0.1", port).request("GET", "/health")
            return


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=40)


def killed_in_the_middle(side: Installation, web: psutil.Process, events: int) -> None:
    """Send each event to one trigger, and kill the scheduler process when half have run."""
    process = side.process("runscheduler")
    parts, before = [psutil.Process(process.pid)], cpu_seconds([web])
    start = time.monotonic()
    side.send_all(ONE, events)
    took = time.monotonic() - start
    taken = 1000 * (cpu_seconds([web]) - before) / events
    rate = f"{events / took:.0f} a second, {taken:.1f} ms of the web server's CPU each"
    print(f"{events:,} events received within {took:.1f} s ({rate})")
    side.wait_for(events // 2)
    cpu = cpu_seconds(parts)
    process.kill()
    process.wait()
    process = side.process("runscheduler")
    side.wait_for(events)
    total = time.monotonic() - start
    cpu += cpu_seconds([psutil.Process(process.pid)])
    print(side.summary(events))
    print(
        f"all ended after {total:.1f} s; {1000 * cpu / events:.1f} ms of CPU an event and its run"
    )
    end(process)


def for_all(side: Installation, events: int, triggers: int, before: int) -> None:
    """Send each event to all triggers."""
    runs = events * triggers
    process = side.process("runscheduler")
    start = time.monotonic()
    side.send_all(ALL, events)
    side.wait_for(before + runs)
    total = time.monotonic() - start
    print(f"{events:,} events for {triggers} triggers each: {runs:,} runs ended in {total:.1f} s")
    print(side.summary(before + runs))
    end(process)


def a_round(side: Installation, events: int, connections: int) -> dict[str, float]:
    """Send events while the scheduler process runs them, and wait for the last run."""
    with side.serving() as web:
        scheduler = side.process("runscheduler")
        time.sleep(5)
        # The first requests of a process load modules.
        side.send_all(ONE, 40, connections)
        processes = [web], [psutil.Process(scheduler.pid)]
        before = [cpu_seconds(parts) for parts in processes]
        start = time.monotonic()
        took = side.send_all(ONE, events, connections)
        intake = time.monotonic() - start
        taken = cpu_seconds([web]) - before[0]
        side.wait_for(side.numbered)
        total = time.monotonic() - start
        run = cpu_seconds(processes[1]) - before[1]
        end(scheduler)
    return {
        "events received a second": events / intake,
        "web server's CPU an event, ms": 1000 * taken / events,
        "scheduler's CPU an event and its run, ms": 1000 * run / events,
        "a request, median, ms": 1000 * statistics.median(took),
        "a request, 99th percentile, ms": 1000 * statistics.quantiles(took, n=100)[98],
        "events received and run a second": events / total,
    }


def compare(
    commit: str, events: int, triggers: int, rounds: int, connections: int, folder: Path
) -> None:
    """Print the figures of a commit and of this build, and their ratios, by the median round."""
    with build_of(commit) as root:
        sides = []
        for name, code in (("old", root), ("new", ROOT)):
            (folder / name).mkdir()
            sides.append(Installation(code, folder / name, triggers))
        found: list[list[dict[str, float]]] = [[], []]
        for number in range(rounds):
            for at in (0, 1) if number % 2 else (1, 0):
                found[at].append(a_round(sides[at], events // rounds, connections))
            rate = [some[-1]["events received a second"] for some in found]
            print(
                f"round {number + 1}: {rate[0]:.0f} and {rate[1]:.0f} events a second", flush=True
            )
        for side, name in zip(sides, (commit, "this build"), strict=True):
            print(f"{name}: {side.summary(side.numbered)}")
    print(f"{'median of the rounds':42} {commit[:10]:>10} {'this build':>10}  ratio")
    for name in found[0][0]:
        old, new = (statistics.median(one[name] for one in some) for some in found)
        print(f"{name:42} {old:10.1f} {new:10.1f}  x {new / old:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("events", nargs="?", type=int, default=10_000)
    parser.add_argument("triggers", nargs="?", type=int, default=100)
    parser.add_argument("--against", metavar="COMMIT", help="the build to compare with")
    parser.add_argument("--rounds", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="of the sender")
    given = parser.parse_args()
    raise_limit()
    with tempfile.TemporaryDirectory(prefix="moca-bench-") as name:
        folder = Path(name)
        if given.against:
            compare(
                given.against,
                given.events,
                given.triggers,
                given.rounds,
                given.connections,
                folder,
            )
            return
        side = Installation(ROOT, folder, given.triggers)
        with side.serving() as web:
            killed_in_the_middle(side, web, given.events)
            for_all(side, given.events // 100, given.triggers, given.events)


if __name__ == "__main__":
    main()
