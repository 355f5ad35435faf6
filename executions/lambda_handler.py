"""What Lambda calls: for schedules and run-now in one function, for HTTP in another.

An event says which trigger is meant, and nothing else in it is believed: the trigger is loaded, and
what that says now is done. Lambda invokes again (twice, after pauses) what raises, so an invocation
raises only where the agent has not begun; a run that the agent may have begun is never sent twice,
and its failure is on record instead.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moca.handler_settings")
if not apps.ready:
    django.setup()

from django.utils import timezone

from agents import AgentClient
from events.outbox import publish_overdue
from events.rules import FROM_SOURCE
from executions import lambda_http, runner
from executions.agent_client import client_from_settings
from executions.dispatchers import get_dispatcher
from executions.fan_out import deliver, event_key
from executions.lambda_time import RESERVE_SECONDS
from executions.maintenance import tidy
from executions.models import Source, TriggerExecution
from executions.runner import Occurrence, Run
from moca.ids import uuid7
from moca.logs import bind
from moca.metrics import emit
from moca.times import parse_iso
from triggers.models import RunStatus, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers.rules import FROM_TRIGGER

logger = logging.getLogger(__name__)

if lambda_http.serves_pages() and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    lambda_http.load()

# What is left at the end of that time, when a database that is away is given up.
LAST_SECONDS = 1.0
# How long after that its record is taken for one that nobody will end.
LEASE_SECONDS = 30.0
MAX_ID = 128
# How late the schedule that looks at a trigger's waiting event may be before the reconciler does.
LATENESS = timedelta(minutes=2)
# How far the time that an event says may be from the present.
LONGEST_AGO, LONGEST_AHEAD = timedelta(days=7), timedelta(hours=1)


class EventError(ValueError):
    """The event is none that this function knows; nothing was run."""


class NotStartedError(Exception):
    """The run failed before the agent had begun; it can be tried again."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Do what an event asks for.

    Args:
        event: a schedule's event, a run that was asked for, the call to reconcile schedules or,
            where the function serves the pages and the API, a request of API Gateway.
        context: Lambda's context object.

    Returns:
        What was done, in a few words; or the answer to the request.

    Raises:
        EventError: the event is of no known shape.
        NotStartedError: the agent has not begun on the run; Lambda is to invoke again.
    """
    request = lambda_http.request_of(event)
    if request:
        return lambda_http.answer(request, context)
    with bind(requestId=str(context.aws_request_id)):
        return _act_of(event)(event, context)


def _act_of(event: Any) -> "Act":
    """What to do about an event, by its exact shape."""
    if isinstance(event, Mapping) and (FROM_SOURCE in event or FROM_TRIGGER in event):
        return _deliver
    kind = event.get("detail-type") if isinstance(event, Mapping) else None
    act = ACTS.get(kind) if isinstance(kind, str) else None
    if act is None:
        # What is in it is not told: it may be anybody's.
        logger.error("An event of an unknown shape was refused")
        raise EventError(
            "The event is no schedule's, no source's, no run's, not the reconciler's and no page's."
        )
    return act


def _fire(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run the occurrence of a schedule."""
    detail = _detail(event, "userId", "triggerId")
    occurrence = _occurrence(event, detail, str(context.aws_request_id))
    lease = _lease(context)
    run = runner.start(occurrence, lease=lease)
    if run is None:
        return {"status": "skipped", "executionId": occurrence.id}
    if occurrence.due:
        lag = (run.execution.started_at - occurrence.due).total_seconds() * 1000
        emit(ScheduleLag=(lag, "Milliseconds"))
    return _execute(run, context)


def _run(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run what an operator or the API asked for, and has on record."""
    detail = _detail(event, "triggerId", "executionId")
    lease = _lease(context)
    run = runner.resume(detail["triggerId"], detail["executionId"], lease=lease)
    if run is None:
        return {"status": "skipped", "executionId": detail["executionId"]}
    return _execute(run, context)


def _deliver(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Offer an event that a rule has brought to the triggers that take it."""
    source_id, trigger = event.get(FROM_SOURCE), event.get(FROM_TRIGGER)
    # Rules of the TypeScript service add the source's id to the event itself.
    whole = event.get("event", event)
    if not isinstance(whole, Mapping):
        raise EventError("The event is no object.")
    found = {name: value for name, value in whole.items() if name != FROM_SOURCE}
    key = event_key(found)
    if not key or len(key) > MAX_ID:
        raise EventError("The event has no id.")
    if isinstance(source_id, str) and 0 < len(source_id) <= MAX_ID:
        triggers = list(Trigger.objects.listening_to(source_id))
    else:
        detail = _detail({"detail": trigger}, "userId", "triggerId")
        row = Trigger.objects.filter(user_id=detail["userId"], pk=detail["triggerId"])
        triggers = [one for one in row if one.subscription and one.subscription.has_own_rule]
    failed = deliver(found, triggers, key, *_stable_moments(found))
    if failed:
        raise NotStartedError(f"The event could not be delivered to {', '.join(failed)}.")
    return {"status": "delivered", "triggers": len(triggers)}


def _stable_moments(event: Mapping[str, Any]) -> list[datetime]:
    """When an event happened, the same for each delivery.

    Where it says what cannot be, it is this hour; the one before is that of an earlier delivery.
    """
    now = timezone.now()
    moment = _moment(event.get("time"))
    if moment is not None and now - LONGEST_AGO <= moment <= now + LONGEST_AHEAD:
        return [moment]
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [hour, hour - timedelta(hours=1)]


def _end_debounce(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run the event that a trigger's pause has left over, or come back when the pause is over."""
    detail = _detail(event, "userId", "triggerId")
    user_id, trigger_id = detail["userId"], detail["triggerId"]
    later = runner.end_debounce(user_id, trigger_id, timezone.now())
    if later is None:
        return {"status": "settled"}
    get_dispatcher().wake(user_id, trigger_id, later)
    return {"status": "waiting"}


def _reconcile(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile schedules and rules, close lost runs, and let events go on that wait."""
    now = timezone.now()
    tidy(now)
    runner.end_due_debounces(now - LATENESS)
    publish_overdue(now)
    actions = reconcile()
    done = sum(action.kind != "wait" for action in actions)
    failures = sum(action.kind == "fail" for action in actions)
    emit(SyncFailures=(failures, "Count"))
    return {"status": "reconciled", "actions": done, "failures": failures}


Act = Callable[[Mapping[str, Any], Any], dict[str, Any]]
ACTS: dict[str, Act] = {
    "Scheduled Event": _fire,
    "Run Requested": _run,
    "Events Paused": _end_debounce,
    "Reconcile Schedules": _reconcile,
}


def _detail(event: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The ids in an event."""
    detail = event.get("detail")
    found = {name: detail.get(name) for name in names} if isinstance(detail, Mapping) else {}
    if not found or not all(isinstance(v, str) and 0 < len(v) <= MAX_ID for v in found.values()):
        logger.error("An event without the ids that it needs was refused")
        raise EventError(f"The event's detail needs {' and '.join(names)}.")
    return {name: str(value) for name, value in found.items()}


def _occurrence(event: Mapping[str, Any], detail: dict[str, str], request_id: str) -> Occurrence:
    """The occurrence, the same for each delivery of an event."""
    user_id, trigger_id = detail["userId"], detail["triggerId"]
    due = _moment(event.get("time"))
    if due is not None:
        return Occurrence.scheduled(user_id, trigger_id, due)
    # Schedules of the TypeScript service do not say when they were due. Lambda repeats an
    # invocation with its request's id, within the hour.
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    digest = hashlib.sha256(f"{trigger_id} {request_id}".encode()).digest()
    key = uuid7(int(hour.timestamp()) * 1000, digest[:10])
    return Occurrence(key, user_id, trigger_id, Source.SCHEDULE)


def _moment(text: Any) -> datetime | None:
    try:
        return parse_iso(text)
    except (TypeError, ValueError):
        return None


def _seconds_left(context: Any) -> float:
    """Seconds for a run, so that its end can be written down before Lambda's comes."""
    left: float = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    return left


def _lease(context: Any) -> timedelta:
    """How long the record of a run vouches for it."""
    seconds = _seconds_left(context)
    if seconds <= 0:
        raise NotStartedError("There is no time left to run anything: raise the time-out.")
    return timedelta(seconds=seconds + RESERVE_SECONDS + LEASE_SECONDS)


_client: AgentClient | None = None


def _agent() -> AgentClient:
    """The agent's client, kept with its token from one invocation to the next."""
    global _client
    if _client is None:
        _client = client_from_settings()
    return _client


def _execute(run: Run, context: Any) -> dict[str, Any]:
    # The database may have taken its time: what is left is asked for now.
    execution = runner.execute(
        run,
        _agent(),
        time_limit=max(0.0, _seconds_left(context)),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - LAST_SECONDS,
    )
    _measure(execution)
    if execution.status == RunStatus.FAILED and not execution.reached_agent:
        # Lambda logs the error, and the record's may quote what the agent was sent.
        raise NotStartedError(f"Run {execution.pk} failed before the agent had begun: see there.")
    return {"status": str(execution.status), "executionId": execution.pk}


def _measure(execution: TriggerExecution) -> None:
    is_good = execution.status == RunStatus.COMPLETED
    emit(
        ExecutionsCompleted=(int(is_good), "Count"),
        ExecutionsFailed=(int(not is_good), "Count"),
        ExecutionDuration=(execution.duration_ms or 0, "Milliseconds"),
    )
