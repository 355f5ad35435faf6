"""Measures how owners' tokens are obtained when 1,000 triggers of 1,000 owners are due at once.

A stand-in for Cognito Identity refuses the 26th call of any second. The first part is one scheduler
process, which calls an agent that demands the token of the owner. The second part is as on Lambda:
each run has a process of its own, here a thread with tokens and turns of its own, and only the
retries spread the calls. It has no agent and no HTTP, since a thousand processes do not fit one
machine: a call to Cognito is a pause, and the stand-in's own answer.

python -m benchmarks.owner_tokens [owners]
"""

import json
import os
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.scheduler import processes, set_up
from tests.identity_pool import HEADER, POOL_ID, PROVIDER, TARGET, IdentityPool, token_of

LEAD = timedelta(seconds=5)
QUOTA = 25
# The trigger's time-out by default, in seconds.
TIME_LIMIT = 600
PATIENCE = timedelta(minutes=5)
# Seconds of a call in the second part.
LATENCY = 0.05
# Rounds of all triggers; the second comes within the life of the first one's tokens.
ROUNDS = 2
COMPLETION = b'{"type": "serverCompletionEvent", "metadata": {"requestId": "r"}}\n'


class Agent(ThreadingHTTPServer):
    """Counts requests by owner: those with the owner's token, and all others."""

    request_queue_size = 1000
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.good: Counter[str] = Counter()
        self.bad: Counter[str] = Counter()
        self.lock = threading.Lock()


class Answer(BaseHTTPRequestHandler):
    server: Agent

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner = body["targetUserId"]
        is_good = self.headers[HEADER] == token_of(owner)
        with self.server.lock:
            (self.server.good if is_good else self.server.bad)[owner] += 1
        self.send_response(200 if is_good else 401)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        self.wfile.write(COMPLETION if is_good else b"")

    def log_message(self, *_: Any) -> None:
        pass


def owner(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def make_triggers(count: int) -> None:
    from triggers.models import LocalSchedule, Trigger

    made = [
        Trigger(
            user_id=owner(number),
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


def fire_all(expected: int) -> float:
    """Make all triggers due at once; the seconds until so many runs have ended in all."""
    from django.utils import timezone

    from executions.models import TriggerExecution
    from triggers.models import LocalSchedule, RunStatus

    due = timezone.now() + LEAD
    LocalSchedule.objects.update(next_run_at=due, due_at=due)
    ended = TriggerExecution.objects.exclude(status=RunStatus.RUNNING)
    while ended.count() < expected and timezone.now() < due + PATIENCE:
        time.sleep(0.5)
    return (timezone.now() - due).total_seconds()


def one_process(count: int) -> bool:
    from executions.models import TriggerExecution
    from triggers.models import RunStatus

    agent = Agent()
    threading.Thread(target=agent.serve_forever, daemon=True).start()
    with IdentityPool(quota=QUOTA) as pool:
        os.environ["AWS_ENDPOINT_URL_COGNITO_IDENTITY"] = pool.url
        os.environ["AGENT_API_URL"] = f"http://127.0.0.1:{agent.server_port}"
        with processes([sys.executable, "manage.py", "runscheduler"]):
            time.sleep(3)
            took = [fire_all(count * (done + 1)) for done in range(ROUNDS)]
    completed = TriggerExecution.objects.filter(status=RunStatus.COMPLETED)
    warned = completed.exclude(warning="").count()
    most = max(pool.issued.values(), default=0)
    print(f"one scheduler process, {count:,} owners due at once, {ROUNDS} times")
    print(f"{completed.count():,} of {count * ROUNDS:,} runs completed, {warned} without a token")
    print(f"all ended after {took[0]:.1f} s, and with kept tokens after {took[1]:.1f} s")
    print(f"calls: {len(pool.calls):,}, refused {pool.refused}; at most {most} token(s) an owner")
    return sum(agent.good.values()) == count * ROUNDS and not agent.bad and most == 1


def many_processes(count: int) -> bool:
    from agents import AgentError, errors
    from agents.owner_tokens import TOO_MANY_REQUESTS, OwnerTokens
    from agents.tokens import Grant
    from executions.owner_tokens import TOKEN_SECONDS
    from executions.runner.invocation import TOKEN_SHARE

    def fetch(user_id: str) -> Grant:
        time.sleep(LATENCY)
        body = {"IdentityPoolId": POOL_ID, "Logins": {PROVIDER: user_id}}
        status, document = pool.answer(TARGET, body)
        if status != 200:
            reason = errors.OWNER_TOKEN_REFUSED(error=document["__type"])
            raise AgentError(reason, kind="token", transient=True, status=TOO_MANY_REQUESTS)
        return Grant(document["Token"], TOKEN_SECONDS)

    def run(number: int) -> float | None:
        tokens = OwnerTokens(fetch)
        barrier.wait()
        began = time.monotonic()
        try:
            tokens.token(owner(number), timeout=TIME_LIMIT * TOKEN_SHARE)
        except AgentError:
            return None
        return time.monotonic() - began

    barrier = threading.Barrier(count)
    with IdentityPool(quota=QUOTA) as pool, ThreadPoolExecutor(count) as threads:
        waits = sorted(wait for wait in threads.map(run, range(count)) if wait is not None)
    most = max(pool.issued.values(), default=0)
    print(f"\n{count:,} processes that know nothing of each other, one run in each, as on Lambda")
    print(f"{len(waits):,} of {count:,} have their owner's token; at most {most} an owner")
    print(
        f"wait: median {statistics.median(waits):.1f} s, 95th percentile "
        f"{waits[int(len(waits) * 0.95)]:.1f} s, last {waits[-1]:.1f} s "
        f"(the quota alone: {count / QUOTA:.0f} s)"
    )
    print(f"calls: {len(pool.calls):,}, refused {pool.refused:,}")
    return len(waits) == count and most == 1


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "IDENTITY_POOL_ID": POOL_ID,
        "DEVELOPER_PROVIDER_NAME": PROVIDER,
    }
    set_up()
    make_triggers(count)
    found = [one_process(count), many_processes(count)]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
