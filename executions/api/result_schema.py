"""Describe the route of agents' results in the API's OpenAPI document."""

from executions import results
from executions.api.result import ENDED, REFUSED, ResultView
from moca.api.errors import APIError
from moca.api.json_schema import (
    boolean,
    component,
    each,
    enum,
    moment,
    number,
    record,
    text,
    uuid,
)
from moca.api.openapi import (
    INTERNAL,
    REQUEST_ID,
    TIMESTAMP,
    Body,
    Fault,
    describe,
    in_header,
    in_path,
    invalid,
)
from triggers.api.schema import ID, RUNS, TRIGGER_ID
from triggers.api.shapes import OUTCOME, STATUS

_ID = "0194b0a9-51d0-7c11-8a6e-90f3b7d2c415"
_COUNT = number(minimum=0, maximum=results.MOST_TOKENS)
_VALUE = {"description": "Any JSON value; the first 2,000 characters of its text are kept."}
TOOL = component(
    "ReportedTool",
    record(
        "A call of a tool.",
        {"id": text(minLength=1), "name": text(minLength=1)},
        {"input": _VALUE, "result": _VALUE, "failed": boolean("Whether the tool failed.")},
    ),
)
USAGE = component(
    "ReportedUsage", record("Tokens that the run took.", {}, dict.fromkeys(results.COUNTS, _COUNT))
)
RESULT = component(
    "Result",
    record(
        "How the agent's work in a run ended.",
        {"status": enum("ResultStatus", list(results.STATUSES), "How the work ended.")},
        {
            "output": text("The answer. If it is left out, what the stream said stays."),
            "error": text("Why the work failed; the first 2 KB are kept. Only with `failed`."),
            "usage": USAGE,
            "toolUses": each(TOOL, "The tools that the agent called.", maxItems=100),
        },
    ),
)
TAKEN = component(
    "ResultAnswer",
    record(
        "The run with its end.",
        {
            "result": component(
                "RecordedEnd",
                record(
                    "How the run ended.",
                    {
                        "executionId": uuid(),
                        "triggerId": uuid(),
                        "status": STATUS,
                        "outcome": OUTCOME,
                    },
                ),
            ),
            "metadata": component(
                "ResultMetadata",
                record("About the answer.", {"requestId": uuid(), "timestamp": moment()}),
            ),
        },
    ),
)
_USAGE = {"inputTokens": 812, "outputTokens": 64}

describe(
    ResultView,
    "POST",
    "sendResult",
    "The token came with the request to the agent, and is for this run alone. A result ends a run "
    "that is under way, and replaces the end of a run whose end was not known or that was lost. "
    "The first result wins; a repeat of the same result changes nothing.",
    tag=RUNS,
    parameters=[
        TRIGGER_ID,
        in_path("execution_id", "The execution's `executionId`."),
        in_header("Authorization", text(), "`Bearer` and the token."),
    ],
    takes=Body(RESULT, {"status": "completed", "output": "12 orders, 12 shipped", "usage": _USAGE}),
    answers=Body(
        TAKEN,
        {
            "result": {
                "executionId": _ID,
                "triggerId": ID,
                "status": "completed",
                "outcome": "success",
            },
            "metadata": {"requestId": REQUEST_ID, "timestamp": TIMESTAMP},
        },
    ),
    faults=[
        invalid("status", "Give one of completed, failed."),
        Fault(
            "There is no such run, or the token is another run's or has expired.",
            APIError(401, REFUSED, code="INVALID_RESULT_TOKEN"),
        ),
        Fault(
            "The run ended by itself, was cancelled, or has had another result.",
            APIError(409, ENDED, code="RUN_ENDED"),
        ),
        Fault(
            "Too many wrong tokens came from this address.",
            APIError(429, "Too many wrong tokens: try again in 60 s."),
        ),
        INTERNAL,
        Fault("The database is busy: send the result again.", APIError(503)),
    ],
    is_open=True,
)
