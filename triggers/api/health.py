"""The health check, for load balancers and monitoring."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from moca import zone_data
from moca.api import parameters
from moca.api.errors import APIError
from moca.api.views import ANY, APIView
from triggers.models import Process, Trigger
from triggers.schedulers import get_scheduler

logger = logging.getLogger(__name__)

# An id that no trigger has. Looking it up takes one read.
NOBODY = "health"


class HealthView(APIView):
    """Shows everybody, without sign-in, whether the service works and its time zone data."""

    authentication_classes = []
    permission_classes = [AllowAny]
    # A load balancer may add a parameter of its own, which must not make the check fail.
    parameters: ClassVar = {"GET": ANY}

    def get(self, request: Request) -> Response:
        """Say that the service is up; with `deep=1`, whether what it needs is up too."""
        if not parameters.flag(request.query_params, "deep"):
            return Response({"status": "ok"})
        checks = {
            "database": _outcome("database", _reach_database),
            "scheduler": _outcome("scheduler", _reach_scheduler),
        }
        if process := _life():
            checks["process"] = process
        data = zone_data.in_use()
        details: dict[str, Any] = {
            "checks": checks,
            "zoneData": {"version": data.version, "source": data.source},
        }
        if checks["database"] == "ok" and (queue := _queue()):
            details["queue"] = queue
        if set(checks.values()) == {"ok"}:
            return Response({"status": "ok", **details})
        failed = " and ".join(name for name, outcome in checks.items() if outcome != "ok")
        extra = {"status": "error", **details}
        raise APIError(503, f"Out of reach: {failed}.", extra=extra)


def _reach_database() -> None:
    Trigger.objects.filter(user_id=NOBODY, pk=NOBODY).first()


def _reach_scheduler() -> None:
    get_scheduler().check()


def _life() -> str:
    """Whether a process that fires schedules is alive; empty if none has ever been there."""
    # A setting names the check, because this package does not know processes.
    known: list[bool | None] = []
    outcome = _outcome("process", lambda: known.append(import_string(settings.LIFE_CHECK)()))
    return "" if known == [None] else outcome


def _queue() -> dict[str, Any] | None:
    """What waits for a place of the scheduler processes; None if there are none."""
    now = timezone.now()
    queue = Process.objects.queue(now)
    if queue is None:
        return None
    seconds = (now - queue.since).total_seconds() if queue.since else 0.0
    return {
        "waiting": queue.waiting,
        "oldestSeconds": max(0, round(seconds)),
        "running": queue.running,
        "places": queue.places,
    }


def _outcome(name: str, reach: Callable[[], None]) -> str:
    try:
        reach()
    except Exception:
        logger.exception("Health check: the %s is out of reach", name)
        return "error"
    return "ok"
