"""Keeps schedules in Amazon EventBridge Scheduler, which invokes the handler's Lambda function.

Each write sends the whole schedule, since UpdateSchedule replaces all of it
(https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html). The service
deletes a schedule that fires once when it has fired.

A rate without a StartDate fires at once, and starts again at each update (User Guide, "Rate-based
schedules"). Each rate is therefore sent with its next run as its StartDate. The service refuses a
StartDate that is more than five minutes past.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils import timezone

from moca.aws.clients import client, is_refusal
from triggers import failures
from triggers.models import AGENT_OPTIONS, CatchUp, Trigger
from triggers.schedulers.base import PREFIX, ScheduleEntry, Scheduler, SchedulerError, name_of
from triggers.schedules import At, Expression, Rate
from triggers.schedules.plan_parts import MOST_EXPRESSIONS
from triggers.schedules.projection import to_eventbridge

# For schedules that fire once, when the events of a debounced trigger have paused.
PAUSE_PREFIX = "events-"
# The limit of CreateSchedule for Target.Input.
MAX_INPUT_BYTES = 256 * 1024
# How often EventBridge Scheduler invokes the function again if Lambda does not accept the event. It
# gives up earlier after SCHEDULER_CATCH_UP_SECONDS.
DELIVERY_RETRIES = 3
# The most that it allows, for triggers that catch up what is late.
MOST_RETRIES = 185
MISSING, EXISTS = "ResourceNotFoundException", "ConflictException"
# The service may fire up to a minute late.
PRECISION = timedelta(minutes=1)
LEAST_EVENT_AGE, GREATEST_EVENT_AGE = 60, 86_400
# The parts by which schedules are compared.
COMPARED = (
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "State",
    "FlexibleTimeWindow",
    "StartDate",
    "EndDate",
    "ActionAfterCompletion",
    "Target",
)
# Details of the event, with their fields of the trigger. Handlers of other programs read all of
# them; ours loads the trigger.
DETAILS = {
    "triggerId": "id",
    "userId": "user_id",
    "agentId": "agent_id",
    "prompt": "prompt",
    "sessionId": "session_id",
    **{named: field for field, named, _ in AGENT_OPTIONS},
    "enabledTools": "enabled_tools",
}

REMEDIES = {
    "ServiceQuotaExceededException": failures.SCHEDULER_FULL,
    "ThrottlingException": failures.SCHEDULER_THROTTLING,
    "AccessDeniedException": failures.SCHEDULER_DENIED,
    MISSING: failures.SCHEDULE_GROUP_MISSING,
}


class EventBridgeScheduler(Scheduler):
    """Keeps the schedules of one schedule group.

    Args:
        group: the name of the group; empty for SCHEDULE_GROUP_NAME.
    """

    is_transactional = False
    projected_fields = frozenset(
        {"type", "enabled", "paused_until", "catch_up", "schedule_config", *DETAILS.values()}
        - {"id"}
    )

    def __init__(self, group: str = "") -> None:
        self._group = group

    @property
    def group(self) -> str:
        return self._group or str(settings.SCHEDULE_GROUP_NAME)

    def create(self, trigger: Trigger) -> None:
        """Create the trigger's schedule, or update it if it exists."""
        self._put("create_schedule", trigger, f"{trigger.pk}-{trigger.version}")

    def update(self, trigger: Trigger) -> None:
        self._put("update_schedule", trigger, f"{trigger.pk}-{trigger.version}")

    def restore(self, trigger: Trigger, count: int = 1) -> None:
        # The token of the trigger's version may belong to the write that has to be undone.
        self._put("update_schedule", trigger, str(uuid4()), count)

    def delete(self, trigger_id: str, count: int = 1) -> None:
        for number in range(1, count + 1):
            self._delete(trigger_id, number)

    def count_of(self, trigger: Trigger) -> int:
        maps = (trigger.schedule_config, trigger.loaded_value("schedule_config"))
        return max(map(_count, maps))

    def get(self, trigger_id: str) -> ScheduleEntry | None:
        found = self._fetch(trigger_id)
        if found is None:
            return None
        return ScheduleEntry(trigger_id, found["State"] == "ENABLED", made_at=found["CreationDate"])

    def list(self) -> Iterator[ScheduleEntry]:
        """The schedules of triggers in the group; schedules with other names are left out."""
        try:
            pages = client("scheduler").get_paginator("list_schedules")
            for page in pages.paginate(GroupName=self.group, NamePrefix=PREFIX):
                for found in page["Schedules"]:
                    trigger_id, number = _parts_of(found["Name"])
                    yield ScheduleEntry(
                        trigger_id,
                        found["State"] == "ENABLED",
                        made_at=found["CreationDate"],
                        number=number,
                    )
        except (ClientError, BotoCoreError) as error:
            _refuse(error)

    def differences(self, trigger: Trigger) -> Sequence[str] | None:
        now = timezone.now()
        each = [self._differences(trigger, number, now) for number in _numbers(trigger)]
        if all(found is None for found in each):
            return None
        parts = (["schedule"] if found is None else found for found in each)
        return list(dict.fromkeys(part for found in parts for part in found))

    def _differences(self, trigger: Trigger, number: int, now: datetime) -> Sequence[str] | None:
        """The parts in which one of the trigger's schedules differs; see `differences()`."""
        found = self._fetch(trigger.pk, number)
        will_fire = _will_fire(trigger, now, number)
        wanted = schedule_of(trigger, now, number) if will_fire else None
        if found is None or wanted is None:
            return [] if found is None and wanted is None else None
        if wanted.get("StartDate") is None and (found.get("StartDate") or now) < now:
            # A start that is past makes no difference: that of a pause, or the trigger's own.
            del found["StartDate"]
        expression = _expression(trigger, number)
        start, its_own = found.get("StartDate"), wanted.get("StartDate")
        if _starts_alike(trigger, expression, start, its_own, now):
            found["StartDate"] = its_own
        return [part for part in COMPARED if _plain(found.get(part)) != _plain(wanted.get(part))]

    def wants(self, trigger: Trigger) -> bool:
        return _will_fire(trigger, timezone.now())

    def wake(self, user_id: str, trigger_id: str, at: datetime) -> None:
        """Invoke the handler once, to run a debounced trigger if its events have paused.

        Args:
            user_id: the owner of the trigger.
            trigger_id: the trigger's id.
            at: the earliest time; the service fires up to a minute later.

        Raises:
            SchedulerError: the service refuses.
        """
        # Rounded up to whole seconds. The name has the time in it, since the service deletes a
        # schedule only some time after it has fired.
        moment = (at + timedelta(seconds=1)).astimezone(UTC).replace(microsecond=0)
        event = {
            "version": "0",
            "source": "moca.triggers",
            "detail-type": "Events Paused",
            "detail": {"triggerId": trigger_id, "userId": user_id},
        }
        schedule: dict[str, Any] = {
            "Name": f"{PAUSE_PREFIX}{trigger_id}-{int(moment.timestamp())}",
            "GroupName": self.group,
            "ClientToken": str(uuid4()),
            "ScheduleExpression": f"at({moment:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "State": "ENABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": _target(json.dumps(event)),
        }
        _call("create_schedule", unless=EXISTS, **schedule)

    def check(self) -> None:
        _call("get_schedule_group", Name=self.group)

    def _fetch(self, trigger_id: str, number: int = 1) -> dict[str, Any] | None:
        name = name_of_number(trigger_id, number)
        return _call("get_schedule", unless=MISSING, Name=name, GroupName=self.group)

    def _delete(self, trigger_id: str, number: int) -> None:
        name = name_of_number(trigger_id, number)
        _call("delete_schedule", unless=MISSING, Name=name, GroupName=self.group)

    def _put(self, operation: str, trigger: Trigger, token: str, count: int = 1) -> None:
        """Write the schedule of each expression, and delete those that are left over.

        Args:
            operation: what to try first.
            trigger: the trigger.
            token: makes the requests idempotent.
            count: the most schedules that the trigger had.
        """
        now = timezone.now()
        numbers = _numbers(trigger)
        try:
            for number in numbers:
                self._put_one(operation, trigger, token, number, now)
            for number in range(len(numbers) + 1, max(count, self.count_of(trigger)) + 1):
                self._delete(trigger.pk, number)
        except SchedulerError as error:
            # Those before it are written, whatever the service says of this one.
            error.is_refusal = error.is_refusal and self.count_of(trigger) == 1 == count
            raise

    def _put_one(
        self, operation: str, trigger: Trigger, token: str, number: int, now: datetime
    ) -> None:
        if not _will_fire(trigger, now, number):
            # The service has deleted a schedule that has fired for the last time, or refuses it.
            self._delete(trigger.pk, number)
            return
        schedule = schedule_of(trigger, now, number)
        if start := schedule.get("StartDate"):
            # A token is valid for one request only, and the StartDate changes with time.
            token = f"{token}-{int(start.timestamp())}"
        if number > 1:
            token = f"{token}-{number}"
        name = name_of_number(trigger.pk, number)
        schedule |= {"Name": name, "GroupName": self.group, "ClientToken": token}
        others = {
            "create_schedule": (EXISTS, "update_schedule"),
            "update_schedule": (MISSING, "create_schedule"),
        }
        expected, other = others[operation]
        try:
            _send(operation, schedule)
        except (ClientError, BotoCoreError) as error:
            if _code(error) != expected:
                _refuse(error)
            schedule["ClientToken"] = str(uuid4())
            _call(other, after=error, **schedule)


def name_of_number(trigger_id: str, number: int) -> str:
    """The name of one of the trigger's schedules: the first has the trigger's own."""
    return name_of(trigger_id) if number == 1 else f"{name_of(trigger_id)}.{number}"


def _parts_of(name: str) -> tuple[str, int]:
    """The id of the trigger and the number in the name of a schedule.

    No id has a dot: new ones are UUIDs, and imports take letters, digits, - and _ alone.
    """
    plain = name.removeprefix(PREFIX)
    trigger_id, dot, number = plain.rpartition(".")
    return (trigger_id, int(number)) if dot and number.isdecimal() else (plain, 1)


def _count(config: Any) -> int:
    """The number of schedules for a map, also for an invalid one."""
    more = config.get("moreExpressions") if isinstance(config, dict) else None
    return min(1 + len(more), MOST_EXPRESSIONS) if isinstance(more, list) else 1


def _numbers(trigger: Trigger) -> Sequence[int]:
    """The numbers of the trigger's schedules: one for each expression."""
    schedule = trigger.schedule
    return range(1, 1 + len(schedule.parts)) if schedule else (1,)


def _expression(trigger: Trigger, number: int) -> Expression | None:
    """The expression that one of the trigger's schedules has; None if there is none."""
    schedule = trigger.schedule
    if schedule is None:
        return None
    return to_eventbridge(schedule.expression)[number - 1].expression


def schedule_of(trigger: Trigger, now: datetime | None = None, number: int = 1) -> dict[str, Any]:
    """The parameters of CreateSchedule for a trigger, without its name, group and token.

    Args:
        trigger: a schedule trigger.
        now: the moment that a rate's first run is later than; None for the present.
        number: which of its expressions, from 1.

    Raises:
        SchedulerError: the trigger's schedule is invalid.
    """
    schedule, expression = trigger.schedule, _expression(trigger, number)
    if schedule is None or expression is None:
        raise SchedulerError(failures.SCHEDULE_UNREADABLE())
    window = schedule.window_minutes
    moment = now or timezone.now()
    return {
        "ScheduleExpression": expression.canonical,
        "ScheduleExpressionTimezone": str(schedule.zone),
        "State": "ENABLED" if trigger.next_due(moment - PRECISION) else "DISABLED",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": window}
        if window
        else {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        **_dates(trigger, expression, moment),
        "Target": _target(_input(trigger), trigger.catch_up),
    }


def _target(text: str, catch_up: str = CatchUp.RECENT) -> dict[str, Any]:
    """The handler as the target of a schedule, with this text as its input.

    The service delivers each occurrence for itself. While the function cannot be invoked, it tries
    again for as long as `catch_up` lets a run be late.
    """
    ages = {
        CatchUp.NONE: LEAST_EVENT_AGE,
        CatchUp.LAST: GREATEST_EVENT_AGE,
        CatchUp.ALL: GREATEST_EVENT_AGE,
    }
    age = ages.get(CatchUp(catch_up), settings.SCHEDULER_CATCH_UP_SECONDS)
    is_patient = age == GREATEST_EVENT_AGE and catch_up != CatchUp.RECENT
    return {
        "Arn": settings.TRIGGER_LAMBDA_ARN,
        "RoleArn": settings.SCHEDULER_ROLE_ARN,
        "Input": text,
        "RetryPolicy": {
            "MaximumRetryAttempts": MOST_RETRIES if is_patient else DELIVERY_RETRIES,
            "MaximumEventAgeInSeconds": min(max(age, LEAST_EVENT_AGE), GREATEST_EVENT_AGE),
        },
        **(
            {"DeadLetterConfig": {"Arn": settings.SCHEDULE_DLQ_ARN}}
            if settings.SCHEDULE_DLQ_ARN
            else {}
        ),
    }


def _dates(trigger: Trigger, expression: Expression, now: datetime) -> dict[str, datetime]:
    """The StartDate and EndDate, if the schedule of an expression has them."""
    schedule = trigger.schedule
    if schedule is None or isinstance(expression, At):
        return {}
    start = schedule.start if schedule.start and schedule.start > now else None
    if isinstance(expression, Rate):
        after = trigger.due_after(now) or now
        # The last run may be due right now, with no further run after it.
        start = schedule.next_run_of(expression, after, anchor=trigger.anchor)
        start = start or schedule.next_run_of(expression, now - PRECISION, anchor=trigger.anchor)
    elif trigger.is_paused(now) and trigger.paused_until and trigger.next_due(now):
        # The service fires after a StartDate, and what is due at the end of the pause fires, too.
        end = trigger.paused_until - timedelta(seconds=1)
        start = max(start or end, end)
    dates = {"StartDate": start, "EndDate": schedule.end}
    return {name: date for name, date in dates.items() if date is not None}


def _starts_alike(
    trigger: Trigger,
    expression: Expression | None,
    found: datetime | None,
    wanted: datetime | None,
    now: datetime,
) -> bool:
    """Whether a rate has the same runs from now on, although its StartDate was sent long ago."""
    schedule = trigger.schedule
    if schedule is None or not isinstance(expression, Rate) or not (found and wanted):
        return False
    # The service stores whole seconds, while a start date of ours may have a fraction.
    before = min(now, wanted - timedelta(seconds=1)).replace(microsecond=0)
    run = expression.next_run(before, schedule.zone, start=found)
    return _plain(run) == _plain(wanted)


def _input(trigger: Trigger) -> str:
    """The event for the handler as JSON; the service fills in <aws.scheduler...> at delivery.

    The prompt is left out if the event would be too large with it.
    """
    detail = {
        name: value
        for name, field in DETAILS.items()
        if (value := getattr(trigger, field)) not in (None, "")
    }
    event = {
        "version": "0",
        "id": "<aws.scheduler.execution-id>",
        "detail-type": "Scheduled Event",
        "source": "moca.triggers",
        "account": settings.TRIGGER_LAMBDA_ARN.split(":")[4],
        "time": "<aws.scheduler.scheduled-time>",
        "region": settings.AWS_REGION,
        "resources": ["<aws.scheduler.schedule-arn>"],
        "detail": {**detail, "attempt": "<aws.scheduler.attempt-number>"},
    }
    text = json.dumps(event, ensure_ascii=False)
    if len(text.encode()) > MAX_INPUT_BYTES:
        del event["detail"]["prompt"]
        text = json.dumps(event, ensure_ascii=False)
    return text


def _will_fire(trigger: Trigger, now: datetime, number: int = 0) -> bool:
    """Whether the trigger should have a schedule: it is valid and fires again.

    With a number, whether the expression of that number fires again, too.
    """
    schedule = trigger.schedule
    if schedule is None or not trigger.next_runs(now - PRECISION, 1):
        return False
    expression = _expression(trigger, number) if number and len(schedule.parts) > 1 else None
    if expression is None:
        return True
    run = schedule.next_run_of(expression, now - PRECISION, anchor=trigger.anchor)
    return run is not None


def _send(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    method: Callable[..., dict[str, Any]] = getattr(client("scheduler"), operation)
    return method(**parameters)


def _call(
    operation: str, *, unless: str = "", after: Exception | None = None, **parameters: Any
) -> dict[str, Any] | None:
    """Call the service; None if it answers with an expected error.

    Args:
        operation: the method of the client.
        unless: the code of the expected error; empty for none.
        after: as for `_refuse()`.
        parameters: those of the operation.

    Raises:
        SchedulerError: any other error.
    """
    try:
        return _send(operation, parameters)
    except (ClientError, BotoCoreError) as error:
        if unless and _code(error) == unless:
            return None
        _refuse(error, after)


def _plain(part: Any) -> Any:
    """A part of a schedule in a comparable form: times in whole seconds, without null parts."""
    if isinstance(part, datetime):
        return part.astimezone(UTC).replace(microsecond=0)
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items() if value is not None}
    return part


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _refuse(error: Exception, after: Exception | None = None) -> NoReturn:
    """Raise SchedulerError for a failed call, with a remedy if there is one.

    Args:
        error: the error of the call.
        after: the error of the call before it, which this call was to make up for.
    """
    if not isinstance(error, ClientError):
        raise SchedulerError(failures.SCHEDULER_UNREACHABLE(error=str(error))) from error
    details = error.response["Error"]
    message = details.get("Message", "")
    remedy = REMEDIES.get(_code(error))
    reason = remedy() if remedy else failures.SCHEDULER_REFUSES(message=message)
    is_clear = is_refusal(error) and (after is None or is_refusal(after))
    raise SchedulerError(reason, is_refusal=is_clear) from error
