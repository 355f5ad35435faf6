"""Measures signed events on one machine: the web server receives them, the scheduler runs them.

python -m benchmarks.events [events] [triggers]. In the first part each event starts one trigger,
and the scheduler process is killed halfway. In the second part each event starts all triggers.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks.api import CONNECTIONS, PORT, server
from benchmarks.scheduler import AGENT_PORT, ROOT, cpu_seconds, set_up

KEY = b"k" * 32
ONE, ALL = "one", "all"
LONGEST = 300.0


def set_up_triggers(count: int) -> None:
    from django.utils import timezone

    from events import signing_keys
    from events.models import EventSource
    from moca import sealing
    from triggers.models import Trigger

    secret = sealing.PREFIX + base64.b64encode(KEY).decode()
    for name in (ONE, ALL):
        kept = signing_keys.seal(secret, timezone.now())
        EventSource(id=name, name=name, secrets=kept).save()
        for number in range(count):
            config = {"eventSourceId": name}
            if name == ONE:
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


def send(source_id: str, numbers: range) -> None:
    """Send events over one open connection."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
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
        connection.request("POST", f"/events?source={source_id}", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text[:200]!r}")
    connection.close()


def send_all(source_id: str, count: int) -> float:
    """Send events over a few connections; returns the seconds that it took."""
    start = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [range(first, count, CONNECTIONS) for first in range(CONNECTIONS)]
        list(pool.map(send, [source_id] * CONNECTIONS, shares))
    return time.monotonic() - start


def scheduler() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", "runscheduler"], cwd=ROOT)


def ended() -> int:
    from executions.models import TriggerExecution

    return TriggerExecution.objects.exclude(status="running").count()


def wait_for(runs: int) -> float:
    """Wait until this many runs have ended; returns the seconds that it took."""
    start = time.monotonic()
    while ended() < runs and time.monotonic() < start + LONGEST:
        time.sleep(0.5)
    return time.monotonic() - start


def summary(sent: Path, runs: int) -> str:
    """How many runs are on record, were sent twice, or were interrupted."""
    from executions.failures import LOST
    from executions.models import TriggerExecution

    keys = Counter(sent.read_bytes().split())
    broken_off = TriggerExecution.objects.filter(error_code=LOST.name).count()
    return (
        f"{TriggerExecution.objects.count():,} of {runs:,} runs on record, "
        f"{sum(number > 1 for number in keys.values())} sent twice, "
        f"{broken_off} under way when the process was killed and closed as failed"
    )


def killed_in_the_middle(events: int, sent: Path) -> None:
    """Send each event to one trigger, and kill the scheduler process when half have run."""
    process = scheduler()
    parts = [psutil.Process(process.pid)]
    start = time.monotonic()
    took = send_all(ONE, events)
    print(f"{events:,} events received within {took:.1f} s ({events / took:.0f} a second)")
    wait_for(events // 2)
    cpu = cpu_seconds(parts)
    process.kill()
    process.wait()
    process = scheduler()
    wait_for(events)
    total = time.monotonic() - start
    cpu += cpu_seconds([psutil.Process(process.pid)])
    print(summary(sent, events))
    print(
        f"all ended after {total:.1f} s; {1000 * cpu / events:.1f} ms of CPU an event and its run"
    )
    process.terminate()
    process.wait(timeout=40)


def for_all(events: int, triggers: int, sent: Path, before: int) -> None:
    """Send each event to all triggers."""
    runs = events * triggers
    process = scheduler()
    start = time.monotonic()
    send_all(ALL, events)
    wait_for(before + runs)
    total = time.monotonic() - start
    print(f"{events:,} events for {triggers} triggers each: {runs:,} runs ended in {total:.1f} s")
    print(summary(sent, before + runs))
    process.terminate()
    process.wait(timeout=40)


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    triggers = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    set_up()
    set_up_triggers(triggers)
    sent = Path(os.environ["MOCA_DATA_DIR"]) / "sent"
    sent.touch()
    agent = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fast_agent", str(AGENT_PORT), str(sent)], cwd=ROOT
    )
    web, _ = server()
    try:
        killed_in_the_middle(events, sent)
        for_all(events // 100, triggers, sent, events)
    finally:
        for process in (web, agent):
            process.terminate()
            process.wait(timeout=40)


if __name__ == "__main__":
    main()
