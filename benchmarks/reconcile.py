"""Measures one pass of the reconciler over 10,000 triggers: time, memory and calls.

EventBridge Scheduler is moto in this process: the figures include moto's own time. The database is
SQLite.
"""

import os
import resource
import tempfile
import time
from collections import Counter

TRIGGERS = 10_000

os.environ |= {
    "MOCA_DATA_DIR": tempfile.mkdtemp(prefix="moca-bench-"),
    "DJANGO_SETTINGS_MODULE": "moca.settings",
    "LOG_LEVEL": "WARNING",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "eu-central-1",
    "TRIGGER_LAMBDA_ARN": "arn:aws:lambda:eu-central-1:123456789012:function:handler",
    "SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/scheduler",
    "SCHEDULE_GROUP_NAME": "bench",
}


def main() -> None:
    import django
    from django.core.management import call_command
    from moto import mock_aws

    django.setup()
    call_command("migrate", verbosity=0)
    from moca.aws.clients import client
    from triggers.models import Trigger
    from triggers.reconcile import reconcile

    calls: Counter[str] = Counter()
    with mock_aws():
        scheduler = client("scheduler")
        scheduler.create_schedule_group(Name="bench")
        scheduler.meta.events.register(
            "before-call.scheduler.*", lambda model, **_: calls.update([model.name])
        )
        Trigger.objects.bulk_create(
            [
                Trigger(
                    user_id=f"user-{number % 100}",
                    name=f"Trigger {number}",
                    prompt="Report.",
                    schedule_config={"expression": "cron(0 9 * * ? *)"},
                )
                for number in range(TRIGGERS)
            ],
            batch_size=500,
        )
        for title in ("all missing", "nothing to repair"):
            calls.clear()
            started = time.perf_counter()
            actions = reconcile()
            seconds = time.perf_counter() - started
            kinds = Counter(action.kind for action in actions)
            print(f"{title}: {seconds:.1f} s, {dict(kinds)}, {dict(calls)}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, with moto's: {peak:.0f} MB")


if __name__ == "__main__":
    main()
