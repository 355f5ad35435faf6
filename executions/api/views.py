"""The API's views that run a trigger and show its executions."""

from typing import ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from executions.dispatchers import DispatchError
from executions.models import TriggerExecution
from executions.runner import TriggerBusyError
from executions.runner.manual import run_now
from executions.serializers import ExecutionSerializer
from moca.api import parameters
from moca.api.errors import APIError, NotFoundError
from moca.api.pagination import page
from moca.api.views import APIView
from triggers.api.views import find
from triggers.models import RunStatus, Trigger

DEFAULT_PAGE = 20
MAX_PAGE = 100


class RunView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Run a trigger now, enabled or not."""
        trigger = find(self.user_id, trigger_id)
        return _accepted(trigger, self.user_id)


class ExecutionsView(APIView):
    parameters: ClassVar = {"GET": ("limit", "nextToken", "status")}

    def get(self, request: Request, trigger_id: str) -> Response:
        """List a trigger's executions, newest first."""
        query, now = request.query_params, timezone.now()
        status = parameters.choice(query, "status", RunStatus.values)
        rows = TriggerExecution.objects.filter(trigger_id=trigger_id)
        is_there = _has_trigger(self.user_id, trigger_id)
        # The executions of a deleted trigger stay, for their user. Records of the TypeScript
        # service name no user; they belong to the trigger's.
        rows = rows.filter(user_id__in=[self.user_id, ""] if is_there else [self.user_id])
        executions, following = page(
            rows.shown_as(status, now).defer("output", "output_tail"),
            limit=parameters.whole_number(
                query, "limit", default=DEFAULT_PAGE, least=1, most=MAX_PAGE
            ),
            token=query.get("nextToken"),
            bound_to=[self.user_id, "executions", trigger_id, status],
            searched_by="status" if status else "",
        )
        if not executions and not is_there:
            raise NotFoundError("trigger")
        shown = ExecutionSerializer(executions, many=True, context={"now": now})
        return Response(
            {
                "executions": shown.data,
                **following,
                "metadata": {"triggerId": trigger_id, "count": len(executions)},
            }
        )


class ExecutionView(APIView):
    def get(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Show an execution and the agent's output."""
        execution = _find(self.user_id, trigger_id, execution_id)
        return _answer(execution, with_output=True)


class OutputView(APIView):
    parameters: ClassVar = {"GET": ("after",)}

    def get(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Show the agent's output so far, from a byte on."""
        after = parameters.whole_number(
            request.query_params, "after", default=0, least=0, most=10**18
        )
        execution = _find(self.user_id, trigger_id, execution_id)
        execution.close_if_lost(timezone.now())
        text, following = execution.said.after(after)
        done = execution.status != RunStatus.RUNNING
        return Response({"text": text, "next": following, "done": done, "status": execution.status})


class ReplayView(APIView):
    def post(self, request: Request, trigger_id: str, execution_id: str) -> Response:
        """Run a trigger again with the event of an earlier execution."""
        execution = _find(self.user_id, trigger_id, execution_id)
        trigger = find(self.user_id, trigger_id)
        return _accepted(trigger, self.user_id, replayed=execution)


def _accepted(trigger: Trigger, user_id: str, replayed: TriggerExecution | None = None) -> Response:
    try:
        execution = run_now(trigger, by=user_id, replayed=replayed)
    except TriggerBusyError as error:
        raise APIError(409, str(error)) from error
    except DispatchError as error:
        raise APIError(503, str(error), headers={"Retry-After": "5"}) from error
    return _answer(execution, status=202)


def _answer(
    execution: TriggerExecution, *, with_output: bool = False, status: int = 200
) -> Response:
    context = {"now": timezone.now(), "with_output": with_output}
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
