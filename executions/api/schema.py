"""Describe the routes of runs and executions in the API's OpenAPI document."""

from typing import Any

from executions.answers import MAX_BYTES
from executions.api import (  # noqa: F401  (describe the routes of agents, backfills and results)
    agents_schema,
    backfills_schema,
    export_schema,
    result_schema,
)
from executions.api.views import (
    DEFAULT_PAGE,
    MAX_PAGE,
    AllExecutionsView,
    AnswerView,
    CancelView,
    ExecutionsView,
    ExecutionView,
    OutputView,
    ReplayView,
    RunView,
)
from executions.serializers import ExecutionSerializer
from moca.api.errors import APIError
from moca.api.json_schema import (
    answer,
    boolean,
    component,
    each,
    moment,
    number,
    record,
    text,
    uuid,
)
from moca.api.openapi import (
    FOLLOWING,
    NEXT_TOKEN,
    ORDER,
    Body,
    Fault,
    describe,
    in_path,
    in_query,
    invalid,
    invalid_parameter,
    metadata,
)
from moca.api.pagination import MOST_READ
from moca.api.parameters import MAX_TEXT
from triggers.api.schema import ID, NO_TRIGGER, RUNS, TRIGGER_ID
from triggers.api.shapes import OUTCOME, STATUS

EXECUTION = ExecutionSerializer.answer_shape()
ONE = answer("ExecutionAnswer", "An execution.", {"execution": EXECUTION})
PAGE = answer(
    "ExecutionList",
    "A page of executions, newest first.",
    {"executions": each(EXECUTION)},
    {"nextToken": FOLLOWING},
    metadata={"triggerId": uuid(), "count": number("How many this page has.")},
)
ALL_PAGE = answer(
    "AllExecutionsList",
    "A page of executions of all triggers of a user, newest first.",
    {"executions": each(EXECUTION)},
    {"nextToken": FOLLOWING},
    metadata={"count": number("How many this page has.")},
)
OUTPUT = answer(
    "ExecutionOutput",
    "What the agent said after a byte.",
    {
        "text": text("May be empty while the agent thinks."),
        "next": number("What to send as `after` to go on."),
        "done": boolean("Whether no more will come."),
        "status": STATUS,
    },
)

ANSWERS = component(
    "Answers",
    record(
        "A person's answers to the questions of an execution.",
        {
            "answers": {
                "type": "object",
                "description": "An answer for the `id` of each of its `questions`: any JSON value "
                f"that fits the question's `schema`; together {MAX_BYTES:,} bytes at the most.",
                "additionalProperties": {},
            }
        },
    ),
)

EXECUTION_ID = in_path("execution_id", "The execution's `executionId`.")
NO_EXECUTION = Fault(
    "There is no such execution, or it is another user's.",
    APIError(404, "There is no such execution."),
)
BUSY = Fault(
    "A run is going that may not be overlapped.",
    APIError(
        409,
        "The trigger is running, and its overlap policy is to skip: wait for the run to end, or "
        "allow overlaps.",
    ),
)
RUN_ENDED = Fault(
    "The run has ended.",
    APIError(
        409,
        "The run has ended and cannot be cancelled: read how it ended in its record.",
        code="RUN_ENDED",
    ),
)
ANSWERED = Fault(
    "It asks nothing, or was answered or has ended; or a run is going that may not be overlapped.",
    APIError(409, "Somebody has answered this run already: see the run that continues it."),
)
NOBODY = Fault("Nobody takes runs.", APIError(503, "Nobody takes runs: start the scheduler."))

_EXECUTION_ID = "0194b0a9-51d0-7c11-8a6e-90f3b7d2c415"
_ACCEPTED = {
    "executionId": _EXECUTION_ID,
    "triggerId": ID,
    "userId": "alice",
    "status": "running",
    "agentId": "reporter",
    "startedAt": "2027-02-01T00:00:00.412Z",
    "executedAt": "2027-02-01T00:00:00.412Z",
    "source": "manual",
    "attempt": 0,
}
_ENDED = {
    **_ACCEPTED,
    "status": "completed",
    "outcome": "success",
    "source": "schedule",
    "attempt": 1,
    "completedAt": "2027-02-01T00:00:09.730Z",
    "durationMs": 9318,
    "scheduledAt": "2027-02-01T00:00:00.000Z",
    "usage": {"inputTokens": 812, "outputTokens": 64},
}
_DID = {
    "toolUses": [
        {
            "id": "call-1",
            "name": "list_orders",
            "input": '{"day": "2027-01-31"}',
            "atMs": 1204,
            "result": "12 orders, 12 shipped",
            "tookMs": 380,
        }
    ],
    "reasoning": "I need the orders of yesterday.",
}
_SAID = "Yesterday 12 orders came in, all shipped."


def _one(execution: dict[str, Any], status: int = 200) -> Body:
    return Body(ONE, {"execution": execution, "metadata": metadata()}, status)


describe(
    RunView,
    "POST",
    "runTrigger",
    "Enabled or not. The answer does not wait for the run: follow it by its output.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    answers=_one(_ACCEPTED, 202),
    faults=[NO_TRIGGER, BUSY, NOBODY],
)
LIMIT = in_query(
    "limit",
    number(minimum=1, maximum=MAX_PAGE, default=DEFAULT_PAGE),
    "How many a page has at the most.",
)
FILTERS = [
    in_query("status", STATUS, "Only those that are so."),
    in_query("outcome", OUTCOME, "Only those that ended so."),
    in_query("agentId", text(maxLength=MAX_TEXT), "Only those that asked this agent."),
    export_schema.SEARCH,
]
describe(
    AllExecutionsView,
    "GET",
    "listAllExecutions",
    "Without what the agent said. Those of deleted triggers stay until their time is up. With "
    "`status`, `outcome` or `agentId`, and on DynamoDB with `search`, a page looks through "
    f"{MOST_READ} executions at the most: it may have fewer than `limit`, or none, and still a "
    "`nextToken`.",
    tag=RUNS,
    parameters=[
        LIMIT,
        NEXT_TOKEN,
        ORDER,
        *FILTERS,
        in_query("triggerId", text(maxLength=MAX_TEXT), "Only those of this trigger."),
        in_query(
            "since",
            moment(),
            "Only those that were due, or were asked for, at this time or later.",
        ),
        in_query("until", moment(), "Only those that were due, or were asked for, before this."),
    ],
    answers=Body(ALL_PAGE, {"executions": [_ENDED], "metadata": metadata(count=1)}),
    faults=[invalid_parameter("limit", f"Give a whole number from 1 to {MAX_PAGE}.")],
)
describe(
    ExecutionsView,
    "GET",
    "listExecutions",
    "Without what the agent said. Those of a deleted trigger stay until their time is up.",
    tag=RUNS,
    parameters=[TRIGGER_ID, LIMIT, NEXT_TOKEN, ORDER, *FILTERS],
    answers=Body(PAGE, {"executions": [_ENDED], "metadata": metadata(triggerId=ID, count=1)}),
    faults=[
        invalid_parameter("limit", f"Give a whole number from 1 to {MAX_PAGE}."),
        NO_TRIGGER,
    ],
)
describe(
    ExecutionView,
    "GET",
    "getExecution",
    "While the run is under way, `output`, `toolUses` and `reasoning` are what has come so far.",
    tag=RUNS,
    parameters=[TRIGGER_ID, EXECUTION_ID],
    answers=_one({**_ENDED, "output": _SAID, **_DID}),
    faults=[NO_EXECUTION],
)
describe(
    OutputView,
    "GET",
    "getExecutionOutput",
    "Ask again with `next` as `after` until `done` is true.",
    tag=RUNS,
    parameters=[
        TRIGGER_ID,
        EXECUTION_ID,
        in_query("after", number(minimum=0, default=0), "The byte after which to go on."),
    ],
    answers=Body(
        OUTPUT,
        {
            "text": _SAID,
            "next": len(_SAID.encode()),
            "done": True,
            "status": "completed",
            "metadata": metadata(),
        },
    ),
    faults=[
        invalid_parameter("after", "Give a whole number from 0 to 1000000000000000000."),
        NO_EXECUTION,
    ],
)
describe(
    CancelView,
    "POST",
    "cancelExecution",
    "A run that waits for a process ends at once. The process of any other closes the request to "
    "the agent within five seconds, and keeps what the agent has said: follow the run by its "
    "output. It ends as `failed` with the `errorCode` `cancelled_by_person`, unless it has ended "
    "by itself meanwhile. To ask again changes nothing.",
    tag=RUNS,
    parameters=[TRIGGER_ID, EXECUTION_ID],
    answers=_one({**_ACCEPTED, "attempt": 1, "cancelRequestedAt": "2027-02-01T00:00:05.120Z"}, 202),
    faults=[NO_EXECUTION, RUN_ENDED],
)
describe(
    ReplayView,
    "POST",
    "replayExecution",
    "It sends the same event, with the trigger's prompt as it is now.",
    tag=RUNS,
    parameters=[TRIGGER_ID, EXECUTION_ID],
    answers=_one(
        {
            **_ACCEPTED,
            "executionId": "0194b0b2-0c8a-7f3d-b2c4-5d1e6f708192",
            "source": "replay",
            "replayOf": _EXECUTION_ID,
        },
        202,
    ),
    faults=[NO_EXECUTION, BUSY, NOBODY],
)
describe(
    AnswerView,
    "POST",
    "answerExecution",
    "For an execution that has `questions`. The new execution goes on in the same session, and the "
    "answer does not wait for it. Each question needs an answer that fits its `schema`.",
    tag=RUNS,
    parameters=[TRIGGER_ID, EXECUTION_ID],
    takes=Body(ANSWERS, {"answers": {"approval": {"approved": True}}}),
    answers=_one(
        {
            **_ACCEPTED,
            "executionId": "0194b0c3-7b1e-7a52-9c0d-3f2a1e5b6c7d",
            "source": "answer",
            "continues": _EXECUTION_ID,
            "answeredBy": "alice",
        },
        202,
    ),
    faults=[
        invalid("answers.approval.approved", "Give true or false."),
        NO_EXECUTION,
        ANSWERED,
        NOBODY,
    ],
)
