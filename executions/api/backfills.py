"""API views of backfills: preview, start, list, show and stop."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from executions.backfill import services
from executions.backfill.model import (
    DEFAULT_AT_ONCE,
    DEFAULT_PER_MINUTE,
    Backfill,
    BackfillKind,
)
from executions.backfill.plan import MOST_ITEMS, Plan, Wanted, make_plan
from moca.api.errors import APIError, Detail, InvalidFieldsError, NotFoundError, detail
from moca.api.views import APIView
from moca.concurrency import ConflictError
from moca.times import iso, parse_iso
from triggers.api.views import find

# How many runs of a plan an answer names, and how many backfills a list has.
NAMED = 100
LISTED = 50
KNOWN = {
    "kind",
    "from",
    "to",
    "executions",
    "order",
    "perMinute",
    "atOnce",
    "includeLeftOut",
    "preview",
}


class BackfillsView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """List the backfills of a trigger, newest first."""
        trigger = find(self.user_id, trigger_id)
        found = list(Backfill.objects.of_trigger(trigger.pk)[:LISTED])
        return Response(
            {"backfills": [shown(each) for each in found], "metadata": {"count": len(found)}}
        )


class BackfillView(APIView):
    def get(self, request: Request, trigger_id: str, backfill_id: str) -> Response:
        """Show how far a backfill is."""
        return Response({"backfill": shown(_find(self.user_id, trigger_id, backfill_id))})


class StartBackfillView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Preview a backfill, or start it."""
        trigger = find(self.user_id, trigger_id)
        wanted, is_preview = _wanted(self.body)
        try:
            if is_preview:
                return Response({"plan": _shown_plan(make_plan(trigger, wanted, timezone.now()))})
            plan, backfill = services.start(trigger, wanted, by=self.user_id)
        except ValidationError as error:
            raise InvalidFieldsError(
                [
                    detail(name, message)
                    for name, messages in error.message_dict.items()
                    for message in messages
                ]
            ) from error
        except services.NotFiringError as error:
            raise APIError(409, str(error)) from error
        answer: dict[str, Any] = {"plan": _shown_plan(plan)}
        return Response(answer | ({"backfill": shown(backfill)} if backfill else {}))


class StopBackfillView(APIView):
    def post(self, request: Request, trigger_id: str, backfill_id: str) -> Response:
        """Begin no further run of a backfill."""
        backfill = _find(self.user_id, trigger_id, backfill_id)
        try:
            services.stop(backfill, by=self.user_id)
        except ConflictError as error:
            raise APIError(409, str(error)) from error
        return Response({"backfill": shown(backfill)})


def _find(user_id: str, trigger_id: str, backfill_id: str) -> Backfill:
    found: Backfill | None = Backfill.objects.filter(trigger_id=trigger_id, pk=backfill_id).first()
    if found is None or found.user_id != user_id:
        raise NotFoundError("backfill")
    return found


def shown(backfill: Backfill) -> dict[str, Any]:
    """A backfill as the API answers it."""
    found = {
        "backfillId": backfill.pk,
        "triggerId": backfill.trigger_id,
        "kind": backfill.kind,
        "state": backfill.state,
        "total": backfill.total,
        "begun": backfill.begun,
        "underWay": len(backfill.open),
        "succeeded": backfill.succeeded,
        "failed": backfill.failed,
        "skipped": backfill.skipped,
        "perMinute": backfill.per_minute,
        "atOnce": backfill.at_once,
        "createdAt": iso(backfill.created_at),
        "createdBy": backfill.created_by,
    }
    if backfill.ended_at:
        found["endedAt"] = iso(backfill.ended_at)
    return found | ({"reason": backfill.reason} if backfill.reason else {})


def _shown_plan(plan: Plan) -> dict[str, Any]:
    estimate = plan.estimate
    found: dict[str, Any] = {
        "count": len(plan.items),
        "runs": [
            {"dueAt": iso(item.due), "recorded": item.recorded} for item in plan.items[:NAMED]
        ],
        "leftOut": plan.left_out,
        "estimate": {
            "basedOnRuns": estimate.based_on,
            "durationMs": estimate.milliseconds,
            "inputTokens": estimate.input_tokens,
            "outputTokens": estimate.output_tokens,
            "seconds": estimate.seconds,
        },
    }
    return found | ({"since": iso(plan.since)} if plan.since else {})


def _wanted(body: dict[str, Any]) -> tuple[Wanted, bool]:
    """What a request asks for, and whether it only asks for a preview.

    Raises:
        InvalidFieldsError: parts have a wrong type, or are unknown.
    """
    faults: list[Detail] = [
        detail(name, f"There is no such field: give some of {', '.join(sorted(KNOWN))}.", "unknown")
        for name in body.keys() - KNOWN
    ]
    reader = _Reader(body, faults)
    wanted = Wanted(
        kind=reader.one_of("kind", BackfillKind.values, BackfillKind.MISSED),
        since=reader.moment("from"),
        until=reader.moment("to"),
        executions=tuple(dict.fromkeys(reader.texts("executions"))),
        newest_first=reader.one_of("order", ["oldest", "newest"], "oldest") == "newest",
        per_minute=reader.number("perMinute", DEFAULT_PER_MINUTE),
        at_once=reader.number("atOnce", DEFAULT_AT_ONCE),
        with_left_out=reader.flag("includeLeftOut"),
    )
    is_preview = reader.flag("preview")
    if faults:
        raise InvalidFieldsError(faults)
    return wanted, is_preview


class _Reader:
    """Reads the parts of a request, and collects the faults."""

    def __init__(self, body: dict[str, Any], faults: list[Detail]) -> None:
        self._body, self._faults = body, faults

    def one_of(self, name: str, choices: list[str], default: str) -> str:
        value = self._body.get(name)
        if value is None or value in choices:
            return value or default
        self._faults.append(detail(name, f"Give one of {', '.join(choices)}."))
        return default

    def moment(self, name: str) -> datetime | None:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return parse_iso(value)
        except (TypeError, ValueError, OverflowError):
            message = "Give an ISO 8601 time with an offset, such as 2027-01-31T09:00:00Z."
            self._faults.append(detail(name, message))
            return None

    def texts(self, name: str) -> list[str]:
        value = self._body.get(name)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            if len(value) <= MOST_ITEMS:
                return value
            self._faults.append(detail(name, f"Choose at most {MOST_ITEMS:,} runs."))
            return []
        self._faults.append(detail(name, "Give a list of ids of executions."))
        return []

    def number(self, name: str, default: int) -> int:
        value = self._body.get(name)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._faults.append(detail(name, "Give a whole number."))
        return default

    def flag(self, name: str) -> bool:
        value = self._body.get(name)
        if value not in (None, True, False) or (value is not None and not isinstance(value, bool)):
            self._faults.append(detail(name, "Give true or false."))
            return False
        return bool(value)
