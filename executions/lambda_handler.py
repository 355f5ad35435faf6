"""The entry point of both Lambda functions: the handler of runs, and the web application.

An event names a trigger. Nothing else in it is trusted: the handler loads the trigger and does what
that says now. Lambda retries an invocation that raises, twice and after pauses. An invocation
therefore raises only if the agent has not begun. If the agent may have begun, the run is not
retried, and its failure is on record instead.
"""

import gc
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
    # Collections while modules load would cost a cold start 0.1 s and free nothing.
    gc.disable()
    django.setup()

from django.db import connection
from django.utils import timezone

from agents import AgentClient
from events.outbox import publish_overdue
from events.rules import FROM_SOURCE
from executions import lambda_http, measures, runner
from executions.agent_client import client_from_settings
from executions.backfill import worker
from executions.deadlines import timed
from executions.dispatchers import get_dispatcher
from executions.fan_out import deliver, event_key
from executions.maintenance import tidy
from executions.models import Source, TriggerExecution
from executions.passes import watch
from executions.runner import Occurrence, Run, lines
from executions.runner.execute import RESERVE_SECONDS
from executions.runner.traces import XRAY
from moca import telemetry
from moca.ids import uuid7
from moca.logs import bind
from moca.metrics import emit, record
from moca.times import parse_iso
from moca.tracing import CONSUMER, begin, context_of_xray, inside
from triggers.models import RunStatus, Trigger
from triggers.reconcile import reconcile
from triggers.schedulers.rules import FROM_TRIGGER

logger = logging.getLogger(__name__)

telemetry.start()
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # Before the first event, while Lambda grants more CPU.
    if connection.vendor == "dynamodb":
        connection.service.load()  # type: ignore[attr-defined]
    if lambda_http.serves_pages():
        lambda_http.load()
if not gc.isenabled():
    # What is loaded stays: later collections need not look at it.
    gc.freeze()
    gc.enable()

# Writing a result is not retried any more when so many seconds of the invocation are left.
LAST_SECONDS = 1.0
# The lease of a run ends so many seconds after its invocation.
LEASE_SECONDS = 30.0
# The longest id that an event may have.
MAX_ID = 128
# How late the schedule that ends a debounce may be before the reconciler ends it.
LATENESS = timedelta(minutes=2)
# The source of events of the TypeScript service's schedules.
OTHER_SERVICE = "agentcore.trigger"
# How far the time in an event may be from the present.
LONGEST_AGO, LONGEST_AHEAD = timedelta(days=7), timedelta(hours=1)


class EventError(ValueError):
    """The event has no shape that this function knows. Nothing was run."""


class NotStartedError(Exception):
    """The run failed before the agent had begun, so it can be retried."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Do what an event asks for.

    Args:
        event: an event of a schedule, of a rule, of a queued run, of a debounce or of the
            reconciler's schedule. If the function serves the pages and the API, it may be a request
            of API Gateway.
        context: Lambda's context object.

    Returns:
        What was done, in a few words; or the answer to the request.

    Raises:
        EventError: the event has no known shape.
        NotStartedError: the agent has not begun. Lambda retries the invocation.
    """
    try:
        request = lambda_http.request_of(event)
        if request:
            return lambda_http.answer(request, context)
        with bind(requestId=str(context.aws_request_id)):
            return _act_of(event)(event, context)
    finally:
        telemetry.flush()


def _act_of(event: Any) -> "Act":
    """The function for an event of this shape."""
    if isinstance(event, Mapping) and (FROM_SOURCE in event or FROM_TRIGGER in event):
        return _fan_out
    kind = event.get("detail-type") if isinstance(event, Mapping) else None
    act = ACTS.get(kind) if isinstance(kind, str) else None
    if act is None:
        # The event stays out of the log, because it may hold secrets.
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
        emit((measures.LAG, measures.lag_of(run.execution) or 0.0, {}))
    return _execute(run, context)


def _run_queued(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run what was queued: a manual run, or that of an event."""
    detail = _detail(event, "triggerId", "executionId")
    lease = _lease(context)
    run = runner.resume(detail["triggerId"], detail["executionId"], lease=lease)
    if run is None:
        return {"status": "skipped", "executionId": detail["executionId"]}
    try:
        return _execute(run, context)
    finally:
        worker.follow(run.execution, _seconds_left(context))


def _fan_out(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Offer an event that a rule delivered to the triggers of its source, or to its trigger."""
    source_id, trigger = event.get(FROM_SOURCE), event.get(FROM_TRIGGER)
    # The rules of the TypeScript service add the source's id to the event itself.
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
    traced = begin(
        "deliver event", context=context_of_xray(os.environ.get(XRAY, "")), kind=CONSUMER
    )
    with inside(traced):
        failed = deliver(found, triggers, key, *_stable_moments(found))
    if failed:
        raise NotStartedError(f"The event could not be delivered to {', '.join(failed)}.")
    return {"status": "delivered", "triggers": len(triggers)}


def _stable_moments(event: Mapping[str, Any]) -> list[datetime]:
    """When an event happened, which is the same for each delivery.

    If its time is missing or impossible, the result is this hour, and the hour before, which an
    earlier delivery may have had.
    """
    now = timezone.now()
    moment = _moment(event.get("time"))
    if moment is not None and now - LONGEST_AGO <= moment <= now + LONGEST_AHEAD:
        return [moment]
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [hour, hour - timedelta(hours=1)]


def _end_debounce(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """End the debounce of a trigger, or have this called again when the debounce is over."""
    detail = _detail(event, "userId", "triggerId")
    user_id, trigger_id = detail["userId"], detail["triggerId"]
    later = runner.end_debounce(user_id, trigger_id, timezone.now())
    if later is None:
        return {"status": "settled"}
    get_dispatcher().wake(user_id, trigger_id, later)
    return {"status": "waiting"}


def _reconcile(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile schedules and rules, close lost runs, end debounces, publish late events, watch."""
    now = timezone.now()
    tidy(now)
    runner.end_due_debounces(now - LATENESS)
    publish_overdue(now)
    worker.work(now)
    seen: list[Trigger] = []
    try:
        actions = reconcile(seen=seen)
    finally:
        # Silence is told even if EventBridge Scheduler cannot be reached.
        watch(now, seen)
    done = sum(action.kind != "wait" for action in actions)
    failures = sum(action.kind == "fail" for action in actions)
    turns = lines.waiting()[0]
    emit((measures.SYNC_FAILURES, failures, {}), (measures.TURNS_WAITING, turns, {}))
    record(measures.SYNC_FAILURES, failures)
    record(measures.TURNS_WAITING, turns)
    return {"status": "reconciled", "actions": done, "failures": failures}


def _deliver_alerts(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Deliver alerts; a schedule asks for it each minute."""
    from alerts.courier import deliver  # 60 ms of a cold start, for this event only

    return {"status": "delivered", "alerts": deliver()}


Act = Callable[[Mapping[str, Any], Any], dict[str, Any]]
ACTS: dict[str, Act] = {
    "Scheduled Event": _fire,
    "Run Requested": _run_queued,
    "Events Paused": _end_debounce,
    "Reconcile Schedules": _reconcile,
    "Deliver Alerts": _deliver_alerts,
}


def _detail(event: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The ids in an event's detail; EventError if one is missing."""
    detail = event.get("detail")
    found = {name: detail.get(name) for name in names} if isinstance(detail, Mapping) else {}
    if not found or not all(isinstance(v, str) and 0 < len(v) <= MAX_ID for v in found.values()):
        logger.error("An event without the ids that it needs was refused")
        raise EventError(f"The event's detail needs {' and '.join(names)}.")
    return {name: str(value) for name, value in found.items()}


def _occurrence(event: Mapping[str, Any], detail: dict[str, str], request_id: str) -> Occurrence:
    """The occurrence of a schedule's event, which is the same for each delivery."""
    user_id, trigger_id = detail["userId"], detail["triggerId"]
    # All events of one schedule of the TypeScript service have the time when it was written.
    due = None if event.get("source") == OTHER_SERVICE else _moment(event.get("time"))
    if due is not None:
        return Occurrence.scheduled(user_id, trigger_id, due)
    # Lambda retries an invocation with the same request id, mostly within the hour.
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
    """The seconds for a run, without those that are reserved for writing its result."""
    left: float = context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    return left


def _lease(context: Any) -> timedelta:
    """How long the claim of a run holds; NotStartedError if no time is left."""
    seconds = _seconds_left(context)
    if seconds <= 0:
        raise NotStartedError("There is no time left to run anything: raise the time-out.")
    return timedelta(seconds=seconds + RESERVE_SECONDS + LEASE_SECONDS)


_client: AgentClient | None = None


def _agent_client() -> AgentClient:
    """The agent client, which keeps its token from one invocation to the next."""
    global _client
    if _client is None:
        _client = client_from_settings()
    return _client


def _execute(run: Run, context: Any) -> dict[str, Any]:
    # The claim may have taken time, so the limit is read now.
    with timed(run):
        execution = runner.execute(
            run,
            _agent_client(),
            time_limit=max(0.0, _seconds_left(context)),
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - LAST_SECONDS,
        )
    if execution.status == RunStatus.RUNNING:
        return {"status": "handed over", "executionId": execution.pk}
    _measure(execution)
    may_begin_again = not (execution.reached_agent or execution.is_cancelled)
    if execution.status == RunStatus.FAILED and may_begin_again:
        # Lambda logs this error. The record's own may quote the prompt.
        raise NotStartedError(f"Run {execution.pk} failed before the agent had begun: see there.")
    return {"status": str(execution.status), "executionId": execution.pk}


def _measure(execution: TriggerExecution) -> None:
    attributes = measures.end_of(execution)
    emit(
        (measures.RUNS, 1, attributes),
        (measures.DURATION, (execution.duration_ms or 0) / 1000, attributes),
    )
