"""The API's views that run a trigger and show its executions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from executions import search
from executions.answers import Fault, InvalidAnswersError
from executions.dispatchers import DispatchError
from executions.looks import note_look
from executions.models import TriggerExecution
from executions.pieces import fold_in
from executions.runner import RunEndedError, TriggerBusyError, cancel_run
from executions.runner.answer import NotWaitingError, answer_run
from executions.runner.manual import run_now
from executions.serializers import ExecutionSerializer
from moca.api import parameters
from moca.api.editions import NEWEST_FIRST, edition_of, is_oldest_first
from moca.api.errors import (
    APIError,
    Detail,
    InvalidFieldsError,
    InvalidParameterError,
    NotFoundError,
    detail,
)
from moca.api.pagination import filtered_page, page
from moca.api.views import APIView
from moca.ids import first_id
from triggers.api.views import find
from triggers.models import Outcome, RunStatus, Trigger

# The fields of answers that lists leave out.
UNLISTED = ("output", "output_tail", "reasoning", "tools")
DEFAULT_PAGE = 20
MAX_PAGE = 100


class RunView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Run a trigger now, enabled or not."""
        trigger = find(self.user_id, trigger_id)
        return _accepted(request, trigger)


class AllExecutionsView(APIView):
    parameters: ClassVar = {
        "GET": (
            "limit",
            "nextToken",
            "status",
            "outcome",
            "agentId",
            "search",
            "triggerId",
            "since",
            "until",
            "order",
        ),
    }

    def get(self, request: Request) -> Response:
        """List the executions of all your triggers, newest first."""
        query, now = request.query_params, timezone.now()
        filters = Filters(query, now)
        trigger_id = parameters.search_text(query, "triggerId")
        since, until = span(query)
        rows = TriggerExecution.objects.of_user(self.user_id)
        if trigger_id:
            rows = of_trigger(self.user_id, trigger_id)[0]
        if since:
            rows = rows.filter(pk__gte=first_id(since))
        if until:
            rows = rows.filter(pk__lt=first_id(until))
        rows = filters.listed(rows)
        pages: dict[str, Any] = {
            "limit": _limit(request),
            "token": query.get("nextToken"),
            "oldest_first": is_oldest_first(request, usual=NEWEST_FIRST),
            "bound_to": [
                self.user_id,
                "all executions",
                trigger_id,
                *filters.values,
                str(since),
                str(until),
            ],
        }
        if filters.first:
            found = filtered_page(rows, filters.match, **pages)
        else:
            found = page(rows, **pages)
        return _list(request, *found, now)


class ExecutionsView(APIView):
    parameters: ClassVar = {
        "GET": ("limit", "nextToken", "status", "outcome", "agentId", "search", "order")
    }

    def get(self, request: Request, trigger_id: str) -> Response:
        """List a trigger's executions, newest first."""
        query, now = request.query_params, timezone.now()
        filters = Filters(query, now)
        rows, is_there = of_trigger(self.user_id, trigger_id)
        pages: dict[str, Any] = {
            "limit": _limit(request),
            "token": query.get("nextToken"),
            "bound_to": [self.user_id, "executions", trigger_id, *filters.values],
            "oldest_first": is_oldest_first(request, usual=NEWEST_FIRST),
        }
        if filters.reads_outputs:
            found = filtered_page(filters.listed(rows), filters.match, **pages)
        else:
            rows = filters.narrow(filters.listed(rows))
            found = page(rows, **pages, searched_by=filters.first)
        executions, following = found
        if not executions and not is_there:
            raise NotFoundError("trigger")
        return _list(request, executions, following, now, triggerId=trigger_id)


class ExecutionView(APIView):
    def get(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Show an execution and the agent's output."""
        execution = _find(self.user_id, trigger_id, execution_id)
        note_look(execution)
        fold_in(execution)
        return _answer(request, execution, with_output=True)


class OutputView(APIView):
    parameters: ClassVar = {"GET": ("after",)}

    def get(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Show the agent's output so far, from a byte on."""
        after = parameters.whole_number(
            request.query_params, "after", default=0, least=0, most=10**18
        )
        execution = _find(self.user_id, trigger_id, execution_id)
        fold_in(execution)
        execution.close_if_lost(timezone.now())
        note_look(execution)
        text, following = execution.said.after(after)
        done = execution.status != RunStatus.RUNNING
        return Response({"text": text, "next": following, "done": done, "status": execution.status})


class ReplayView(APIView):
    def post(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Run a trigger again with the event of an earlier execution."""
        execution = _find(self.user_id, trigger_id, execution_id)
        trigger = find(self.user_id, trigger_id)
        return _accepted(request, trigger, replayed=execution)


class CancelView(APIView):
    def post(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Cancel a run that is waiting or under way."""
        execution = _find(self.user_id, trigger_id, execution_id)
        try:
            cancelled = cancel_run(execution, by=self.user_id)
        except RunEndedError as error:
            raise APIError(409, str(error), code="RUN_ENDED") from error
        return _answer(request, cancelled, status=202)


class Filters:
    """The filters of a list of executions that no index knows.

    Attributes:
        values: the values of all; empty ones filter nothing.
        first: the first parameter that filters; empty if none does.
    """

    def __init__(self, query: QueryDict, now: datetime) -> None:
        self.now = now
        self.status = parameters.choice(query, "status", RunStatus.values)
        self.outcome = parameters.choice(query, "outcome", Outcome.values)
        self.agent_id = parameters.search_text(query, "agentId")
        self.search = parameters.search_text(query, "search")
        self.terms = search.terms_of(self.search)
        # Without an index, what agents said is read and compared run by run.
        self.reads_outputs = bool(self.search) and not search.has_index()
        self.values = [self.status, self.outcome, self.agent_id, self.search]
        names = ["status", "outcome", "agentId", *(["search"] if self.reads_outputs else [])]
        by_name = zip(names, self.values, strict=False)
        self.first = next((name for name, value in by_name if value), "")

    def listed(self, rows: Any) -> Any:
        """The executions that the index finds, without what a list does not show."""
        if self.reads_outputs:
            return rows.defer(*(name for name in UNLISTED if not name.startswith("output")))
        return (search.narrow(rows, self.terms) if self.search else rows).defer(*UNLISTED)

    def narrow(self, rows: Any) -> Any:
        """Filter executions by a query."""
        rows = rows.shown_as(self.status, self.now).ended_as(self.outcome, self.now)
        return rows.filter(agent_id=self.agent_id) if self.agent_id else rows

    def match(self, execution: TriggerExecution) -> bool:
        """Whether an execution passes. A lost one is shown as failed from here on."""
        execution.close_if_lost(self.now)
        return (
            self.status in ("", execution.status)
            and self.outcome in ("", execution.shown_outcome)
            and self.agent_id in ("", execution.agent_id)
            and (not self.reads_outputs or search.has_said(execution, self.terms))
        )


class AnswerView(APIView):
    def post(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Answer the questions of an execution, which goes on by a new one."""
        execution = _find(self.user_id, trigger_id, execution_id)
        answers = self.body.get("answers")
        if not isinstance(answers, dict):
            message = "Give an object with an answer for the id of each question."
            raise InvalidFieldsError([detail("answers", message, "required")])
        try:
            with _refusals():
                made = answer_run(execution, answers, by=self.user_id)
        except NotWaitingError as error:
            raise APIError(409, str(error)) from error
        except InvalidAnswersError as error:
            raise InvalidFieldsError(map(_detail, error.faults)) from error
        return _answer(request, made, status=202)


def _detail(fault: Fault) -> Detail:
    parts = ("answers", fault.question_id, *fault.path)
    return detail(".".join(filter(None, parts)), fault.message, fault.code)


def _limit(request: Request) -> int:
    query = request.query_params
    return edition_of(request).page_size(query, default=DEFAULT_PAGE, most=MAX_PAGE)


def span(query: QueryDict) -> tuple[datetime | None, datetime | None]:
    since, until = parameters.moment(query, "since"), parameters.moment(query, "until")
    if since and until and since >= until:
        raise InvalidParameterError("until", "Give a time after `since`.")
    return since, until


def of_trigger(user_id: str, trigger_id: str) -> tuple[Any, bool]:
    """A user's executions of a trigger, and whether the trigger is theirs and still there.

    A deleted trigger's executions stay, for their user. Records of the TypeScript service name no
    user: they are their trigger's.
    """
    is_there = _has_trigger(user_id, trigger_id)
    users = [user_id, ""] if is_there else [user_id]
    rows = TriggerExecution.objects.filter(trigger_id=trigger_id, user_id__in=users)
    return rows, is_there


def _list(
    request: Request,
    executions: list[TriggerExecution],
    following: dict[str, str],
    now: datetime,
    **metadata: str,
) -> Response:
    context = {"now": now, "edition": edition_of(request)}
    shown = ExecutionSerializer(executions, many=True, context=context)
    return Response(
        {
            "executions": shown.data,
            **following,
            "metadata": {**metadata, "count": len(executions)},
        }
    )


def _accepted(
    request: Request, trigger: Trigger, replayed: TriggerExecution | None = None
) -> Response:
    with _refusals():
        execution = run_now(trigger, by=trigger.user_id, replayed=replayed)
    return _answer(request, execution, status=202)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn the errors that refuse a manual run into answers."""
    try:
        yield
    except TriggerBusyError as error:
        raise APIError(409, str(error)) from error
    except DispatchError as error:
        raise APIError(503, str(error), headers={"Retry-After": "5"}) from error


def _answer(
    request: Request, execution: TriggerExecution, *, with_output: bool = False, status: int = 200
) -> Response:
    context = {
        "now": timezone.now(),
        "edition": edition_of(request),
        "with_output": with_output,
    }
    shown = ExecutionSerializer(execution, context=context)
    return Response({"execution": shown.data}, status=status)


def _has_trigger(user_id: str, trigger_id: str) -> bool:
    return Trigger.objects.find(user_id, trigger_id) is not None


def _find(user_id: str, trigger_id: str, execution_id: str) -> TriggerExecution:
    execution = TriggerExecution.objects.filter(trigger_id=trigger_id, pk=execution_id).first()
    # Records of the TypeScript service name no user; they belong to the trigger's.
    if execution is not None and (
        execution.user_id == user_id
        or (not execution.user_id and _has_trigger(user_id, trigger_id))
    ):
        return execution
    raise NotFoundError("execution")
