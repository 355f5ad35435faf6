"""Publishes received events to Amazon EventBridge, whose rules invoke the handler.

Each of our rules has one target, the handler's function, and an input transformer that adds the id
of the source or trigger (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from events import failures
from events.buses.base import BusError, EventBus, Rule
from events.models import EventSource, EventState, ReceivedEvent
from moca.aws.clients import client, is_refusal
from moca.times import parse_iso
from moca.tracing import xray_of

# PutEvents accepts ten entries at a time.
MOST = 10
TARGET_ID = "moca-handler"
# The id of the permission that lets rules invoke the handler.
PERMISSION_ID = "moca-event-rules"
# RetryPolicy of PutTargets. An event that Lambda does not accept in an hour goes to the DLQ.
DELIVERY_RETRIES, EVENT_AGE_SECONDS = 185, 3600
REMEDIES = {
    "LimitExceededException": failures.BUS_FULL,
    "ThrottlingException": failures.BUS_THROTTLING,
    "AccessDeniedException": failures.BUS_DENIED,
    "ConcurrentModificationException": failures.RULE_CHANGING,
}
MISSING = "ResourceNotFoundException"
# The first calls of a change of a rule. If they fail, nothing has been changed.
FIRST_CALLS = ("ListTargetsByRule", "PutRule")


class EventBridgeBus(EventBus):
    is_transactional = False

    def publish(self, source: EventSource, events: Sequence[ReceivedEvent]) -> None:
        for start in range(0, len(events), MOST):
            batch = events[start : start + MOST]
            failed = _put(source.bus_name or settings.EVENT_BUS_NAME, batch)
            for row in batch:
                if row.pk not in failed:
                    ReceivedEvent.objects.filter(pk=row.pk).update(state=EventState.DONE)
            if failed:
                raise BusError(failures.EVENT_REFUSED(error=next(iter(failed.values()))))

    def has(self, event: ReceivedEvent) -> bool:
        return event.state == EventState.DONE

    def let_rules_in(self) -> None:
        _permit.cache_clear()
        try:
            _permit()
        except BotoCoreError as error:
            _refuse(error, "")

    def keep(self, rule: Rule) -> None:
        try:
            self._keep(rule)
        except (ClientError, BotoCoreError) as error:
            _refuse(error, rule.bus_name)

    def _keep(self, rule: Rule) -> None:
        found = _targets(rule.name, rule.bus_name)
        if found is not None and not _is_ours(found):
            taken = failures.RULE_TAKEN(bus=rule.bus_name, rule=rule.name)
            raise BusError(taken, is_refusal=True)
        _permit()
        client("events").put_rule(**_fields(rule))
        wanted = [target(rule)]
        if found != wanted:
            answer = client("events").put_targets(
                Rule=rule.name, EventBusName=rule.bus_name, Targets=wanted
            )
            for entry in answer.get("FailedEntries", ()):
                raise BusError(failures.TARGET_REFUSED(error=str(entry.get("ErrorMessage"))))
        # A second target of the same function would invoke it twice.
        if others := [each["Id"] for each in found or () if each["Id"] != TARGET_ID]:
            client("events").remove_targets(Rule=rule.name, EventBusName=rule.bus_name, Ids=others)

    def drop(self, name: str, *, except_on: str = "") -> None:
        try:
            for bus_name in _buses():
                if bus_name != except_on:
                    _drop(name, bus_name)
        except (ClientError, BotoCoreError) as error:
            _refuse(error, "")

    def differences(self, rule: Rule) -> Sequence[str] | None:
        names = {"Name": rule.name, "EventBusName": rule.bus_name}
        try:
            found = client("events").describe_rule(**names)
            targets = _targets(rule.name, rule.bus_name)
        except (ClientError, BotoCoreError) as error:
            if _code(error) == MISSING:
                return None
            _refuse(error, rule.bus_name)
        different = []
        if json.loads(found.get("EventPattern") or "null") != rule.pattern:
            different.append("EventPattern")
        if found.get("State") != _state(rule):
            different.append("State")
        return different if targets == [target(rule)] else [*different, "Targets"]

    def rule_names(self, prefix: str) -> Iterator[str]:
        try:
            for bus_name in _buses():
                pages = (
                    client("events")
                    .get_paginator("list_rule_names_by_target")
                    .paginate(TargetArn=settings.TRIGGER_LAMBDA_ARN, EventBusName=bus_name)
                )
                for page in pages:
                    yield from (name for name in page["RuleNames"] if name.startswith(prefix))
        except (ClientError, BotoCoreError) as error:
            _refuse(error, "")


def target(rule: Rule) -> dict[str, Any]:
    """Return the target of a rule: the handler's function."""
    # The bus inserts the whole event. Its documents call this safe only as the value of a field.
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in rule.added.items()]
    template = ", ".join([*parts, '"event": <aws.events.event.json>'])
    return {
        "Id": TARGET_ID,
        "Arn": settings.TRIGGER_LAMBDA_ARN,
        "InputTransformer": {"InputTemplate": f"{{{template}}}"},
        "RetryPolicy": {
            "MaximumRetryAttempts": DELIVERY_RETRIES,
            "MaximumEventAgeInSeconds": EVENT_AGE_SECONDS,
        },
        **(
            {"DeadLetterConfig": {"Arn": settings.SCHEDULE_DLQ_ARN}}
            if settings.SCHEDULE_DLQ_ARN
            else {}
        ),
    }


def _fields(rule: Rule) -> dict[str, Any]:
    return {
        "Name": rule.name,
        "EventBusName": rule.bus_name,
        "EventPattern": json.dumps(rule.pattern),
        "State": _state(rule),
        "Description": "Kept by Moca Triggers: changes made here are undone.",
    }


def _state(rule: Rule) -> str:
    return "ENABLED" if rule.enabled else "DISABLED"


def _targets(name: str, bus_name: str) -> list[dict[str, Any]] | None:
    """Return a rule's targets, or None if there is no such rule."""
    try:
        answer = client("events").list_targets_by_rule(Rule=name, EventBusName=bus_name)
    except ClientError as error:
        # PutRule says so if the bus is missing.
        if _code(error) == MISSING:
            return None
        raise
    found: list[dict[str, Any]] = answer["Targets"]
    return found


def _is_ours(targets: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a rule is ours. One without a target is: its creation or removal was interrupted."""
    return all(each["Arn"] == settings.TRIGGER_LAMBDA_ARN for each in targets)


def _drop(name: str, bus_name: str) -> None:
    targets = _targets(name, bus_name)
    if targets is None or not _is_ours(targets):
        return
    if targets:
        ids = [each["Id"] for each in targets]
        client("events").remove_targets(Rule=name, EventBusName=bus_name, Ids=ids)
    client("events").delete_rule(Name=name, EventBusName=bus_name)


def _buses() -> list[str]:
    """List the buses of the account."""
    found: list[str] = []
    options: dict[str, Any] = {}
    while True:
        answer = client("events").list_event_buses(**options)
        found += [bus["Name"] for bus in answer["EventBuses"]]
        if not (token := answer.get("NextToken")):
            return found
        options = {"NextToken": token}


@cache
def _permit() -> None:
    """Let the account's rules invoke the handler, once in each process.

    See "Using resource-based policies for Amazon EventBridge", AWS Lambda permissions. The stack
    cannot do this, because the function is created after it.
    """
    function = settings.TRIGGER_LAMBDA_ARN
    partition, region, account = (function.split(":")[place] for place in (1, 3, 4))
    try:
        client("lambda").add_permission(
            FunctionName=function,
            StatementId=PERMISSION_ID,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=f"arn:{partition}:events:{region}:{account}:rule/*",
        )
    except ClientError as error:
        if _code(error) == MISSING:
            raise BusError(failures.HANDLER_MISSING()) from error
        if _code(error) != "ResourceConflictException":
            raise BusError(failures.HANDLER_DENIED(error=str(error))) from error


def _put(bus_name: str, events: Sequence[ReceivedEvent]) -> dict[str, str]:
    """Put events on the bus. Returns the reasons of refused events by id."""
    try:
        answer = client("events").put_events(Entries=[_entry(bus_name, row) for row in events])
    except (ClientError, BotoCoreError) as error:
        apart = failures.NAMED_BUS_UNREACHABLE(bus=bus_name, error=str(error))
        raise BusError(apart) from error
    return {
        row.pk: f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        for row, entry in zip(events, answer["Entries"], strict=True)
        if entry.get("ErrorCode")
    }


def _entry(bus_name: str, row: ReceivedEvent) -> dict[str, Any]:
    envelope = json.loads(row.going_on)
    return {
        "EventBusName": bus_name,
        "Time": parse_iso(envelope["time"]),
        "Source": envelope["source"],
        "DetailType": envelope["detail-type"],
        "Detail": json.dumps(envelope["detail"], ensure_ascii=False),
        "Resources": envelope["resources"],
        # The bus hands it on to the function, whose own trace continues it.
        **({"TraceHeader": xray_of(row.trace_context)} if row.trace_context else {}),
    }


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _refuse(error: Exception, bus_name: str) -> NoReturn:
    code = _code(error)
    if not isinstance(error, ClientError):
        raise BusError(failures.BUS_UNREACHABLE(error=str(error))) from error
    is_clear = is_refusal(error) and error.operation_name in FIRST_CALLS
    if code == MISSING:
        missing = failures.BUS_MISSING(bus=bus_name)
        raise BusError(missing, is_refusal=is_clear) from error
    message = error.response["Error"].get("Message", "")
    remedy = REMEDIES.get(code)
    reason = remedy() if remedy else failures.BUS_REFUSES(message=message)
    raise BusError(reason, is_refusal=is_clear) from error
