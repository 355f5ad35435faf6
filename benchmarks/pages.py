"""Measures CPU, reads and size of the operators' pages, with few and with many triggers.

python -m benchmarks.pages [repetitions]
"""

import statistics
import sys
import time

from benchmarks.scheduler import make_triggers, set_up

SIZES = (1_000, 100_000)
GOAL_MS = 100
PAGES = {
    "triggers": "/console/triggers",
    "triggers, next page": "/console/triggers?p={older}",
    "triggers of an agent": "/console/triggers?agent=agent",
    "runs": "/console/runs",
    "dashboard": "/console/",
    "one trigger": "/console/triggers/{trigger}",
}


def give_history() -> None:
    """Record 20 runs on each trigger, like the runner."""
    from datetime import timedelta

    from django.utils import timezone

    from triggers.models import Trigger
    from triggers.statistics import PastRun, Statistics

    noted, now = Statistics(), timezone.now()
    for number in range(20):
        at = now - timedelta(hours=number)
        key = f"00000000-0000-7000-8000-{number:012}"
        noted.add(PastRun(key, at, 1000 * (number + 1), failed=number % 7 == 0), tokens=100)
    Trigger.objects.update(statistics=noted.text(), last_status="completed", last_executed_at=now)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    set_up()
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from moca.authentication.models import Operator, Role
    from moca.paging import read_page
    from triggers.models import Trigger

    client = Client(headers={"host": "localhost"})
    client.force_login(Operator.objects.create_operator("olga", role=Role.ADMIN))
    made = 0
    for size in SIZES:
        make_triggers(size - made)
        made = size
        give_history()
        page = read_page(Trigger.objects.all(), "", 50, is_narrowed=False)
        parts = {"older": page.older, "trigger": page.rows[0].pk}
        print(f"{size:,} triggers (goal: the list in {GOAL_MS} ms)")
        for name, address in PAGES.items():
            path = address.format(**parts)
            with CaptureQueriesContext(connection) as queries:
                weight = len(client.get(path).content)
                reads = len(queries)
            packed = len(client.get(path, headers={"accept-encoding": "gzip"}).content)
            used = []
            for _ in range(count):
                before = time.process_time()
                client.get(path)
                used.append(1000 * (time.process_time() - before))
            print(
                f"  {name:22}{statistics.median(used):6.1f} ms CPU, {reads} reads, "
                f"{weight / 1024:4.0f} KB, {packed / 1024:3.0f} KB compressed"
            )


if __name__ == "__main__":
    main()
