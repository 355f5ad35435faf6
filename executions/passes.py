"""What a pass of the handler's maintenance on AWS watches: silence, deadlines, its own life."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from executions import dead_man, deadlines, silence
from executions.alarms import NO_PROCESS_ID, Alarm
from triggers.models import Process, ProcessKind, Trigger

# The id of the one row of all passes.
MAINTENANCE_ID = "maintenance"
# How far the first pass looks back, and a pass after many that failed. Records of runs are kept for
# a day at least.
FIRST_LOOK = timedelta(minutes=20)
FARTHEST_LOOK = timedelta(days=1)


def watch(now: datetime, triggers: Sequence[Trigger]) -> None:
    """Look for occurrences that EventBridge Scheduler did not start, and leave a sign of life.

    Args:
        now: when the pass began.
        triggers: the triggers that the reconciler has read; empty if it could not read them.
    """
    earlier = Process.objects.filter(pk=MAINTENANCE_ID).first()
    since = max(earlier.seen_at, now - FARTHEST_LOOK) if earlier else now - FIRST_LOOK
    found = triggers or Trigger.objects.schedules().iterator()
    silence.judge((each for each in found if each.schedule is not None), since, now)
    deadlines.enforce(now)
    row = Process.of_this(ProcessKind.MAINTENANCE, MAINTENANCE_ID)
    row.renew(now)
    if earlier is not None:
        row.started_at = earlier.started_at
    if settings.HEARTBEAT_URL:
        row.call_error = dead_man.call()
    Process.objects.replace(row)
    silence.notice([row], Alarm.objects.filter(pk=NO_PROCESS_ID), now)
