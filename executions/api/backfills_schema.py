"""Describe the routes of backfills in the API's OpenAPI document."""

from typing import Any

from executions.api.backfills import (
    LISTED,
    NAMED,
    BackfillsView,
    BackfillView,
    StartBackfillView,
    StopBackfillView,
)
from executions.backfill.model import (
    DEFAULT_AT_ONCE,
    DEFAULT_PER_MINUTE,
    MOST_AT_ONCE,
    MOST_PER_MINUTE,
    BackfillKind,
    BackfillState,
)
from executions.backfill.plan import MOST_ITEMS
from moca.api.errors import APIError
from moca.api.json_schema import (
    answer,
    boolean,
    component,
    each,
    enum,
    moment,
    number,
    or_null,
    record,
    text,
    uuid,
)
from moca.api.openapi import TIMESTAMP, Body, Fault, describe, in_path, invalid, metadata
from triggers.api.schema import ID, NO_TRIGGER, RUNS, TRIGGER_ID

_KIND = enum("BackfillKind", BackfillKind.values, "What it makes up for.")
_STATE = enum("BackfillState", BackfillState.values, "How it is.")
_REQUEST = component(
    "BackfillRequest",
    record(
        "Which runs to make up for, and at which pace.",
        {},
        {
            "kind": or_null(_KIND),
            "from": or_null(text("From when on, inclusive.", format="date-time")),
            "to": or_null(text("Up to when, inclusive; now without.", format="date-time")),
            "executions": or_null(
                each(text(), "Failed executions; all failed ones without.", maxItems=MOST_ITEMS)
            ),
            "order": or_null(
                enum("BackfillOrder", ["oldest", "newest"], "Which run first; the oldest without.")
            ),
            "perMinute": or_null(
                number(
                    f"How many begin in a minute; {DEFAULT_PER_MINUTE} without.",
                    minimum=1,
                    maximum=MOST_PER_MINUTE,
                )
            ),
            "atOnce": or_null(
                number(
                    f"How many are under way at a time; {DEFAULT_AT_ONCE} without.",
                    minimum=1,
                    maximum=MOST_AT_ONCE,
                )
            ),
            "includeLeftOut": or_null(
                boolean("Whether also what was due while the trigger was disabled or paused.")
            ),
            "preview": or_null(boolean("Whether to tell only what would run.")),
        },
    ),
)
_PLAN = component(
    "BackfillPlan",
    record(
        "What a backfill runs.",
        {
            "count": number("How many runs."),
            "runs": each(
                component(
                    "BackfillRun",
                    record(
                        "One of the runs.",
                        {
                            "dueAt": moment("When it was due, or the failed one began."),
                            "recorded": boolean("Whether it is on record as missed or failed."),
                        },
                    ),
                ),
                f"The first {NAMED}, in the order in which they begin.",
            ),
            "leftOut": number("How many more were due while the trigger did not fire."),
            "estimate": component(
                "BackfillEstimate",
                record(
                    "What it may cost, by the averages of the trigger's newest runs.",
                    {
                        "basedOnRuns": number("How many runs those are."),
                        "durationMs": number("How long all runs may take together."),
                        "inputTokens": number("What the agent may read."),
                        "outputTokens": number("What it may write."),
                        "seconds": number("In how many seconds all may have run."),
                    },
                ),
            ),
        },
        {"since": moment("From when on occurrences are known: the schedule was changed then.")},
    ),
)
_BACKFILL = component(
    "Backfill",
    record(
        "A backfill, and how far it is.",
        {
            "backfillId": uuid(),
            "triggerId": uuid(),
            "kind": _KIND,
            "state": _STATE,
            "total": number("How many runs it is for."),
            "begun": number("How many it has begun."),
            "underWay": number("How many of these have not ended."),
            "succeeded": number("How many have completed."),
            "failed": number("How many have failed."),
            "skipped": number("How many were on record when their turn came."),
            "perMinute": number(),
            "atOnce": number(),
            "createdAt": moment(),
            "createdBy": text("Who started it."),
        },
        {"endedAt": moment(), "reason": text("Why it was stopped.")},
    ),
)
_ONE = answer("BackfillAnswer", "A backfill.", {"backfill": _BACKFILL})
_STARTED = answer(
    "BackfillStarted",
    "What runs, and the backfill, unless this is a preview or nothing is to run.",
    {"plan": _PLAN},
    {"backfill": _BACKFILL},
)
_LIST = answer(
    "BackfillList",
    "The backfills of a trigger, newest first.",
    {"backfills": each(_BACKFILL)},
    metadata={"count": number("How many these are.")},
)
BACKFILL_ID = in_path("backfill_id", "The backfill's `backfillId`.")
_NO_BACKFILL = Fault(
    "There is no such backfill, or it is another user's.",
    APIError(404, "There is no such backfill."),
)
_EXAMPLE: dict[str, Any] = {
    "backfillId": "0194b0a1-7c3e-7d52-9b1f-3f6a0c2e8d42",
    "triggerId": ID,
    "kind": "missed",
    "state": "running",
    "total": 1,
    "begun": 1,
    "underWay": 1,
    "succeeded": 0,
    "failed": 0,
    "skipped": 0,
    "perMinute": 10,
    "atOnce": 1,
    "createdAt": TIMESTAMP,
    "createdBy": "alice",
}
_EXAMPLE_PLAN: dict[str, Any] = {
    "count": 1,
    "runs": [{"dueAt": TIMESTAMP, "recorded": True}],
    "leftOut": 0,
    "estimate": {
        "basedOnRuns": 20,
        "durationMs": 12_000,
        "inputTokens": 900,
        "outputTokens": 150,
        "seconds": 12,
    },
}

describe(
    StartBackfillView,
    "POST",
    "startBackfill",
    f"For at most {MOST_ITEMS:,} runs: the occurrences of the schedule between two moments that "
    "have no record or are on record as missed, or failed runs. Each runs once, however often it "
    "is asked for. It stops if the trigger is disabled, paused or deleted.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    takes=Body(_REQUEST, {"from": TIMESTAMP, "perMinute": 10}),
    answers=Body(_STARTED, {"plan": _EXAMPLE_PLAN, "backfill": _EXAMPLE, "metadata": metadata()}),
    faults=[
        invalid("from", "Give the moment from which on runs are wanted."),
        NO_TRIGGER,
        Fault(
            "The trigger does not fire.",
            APIError(
                409,
                "The trigger is disabled or paused, which stops a backfill: enable or resume it.",
            ),
        ),
    ],
)
describe(
    BackfillsView,
    "GET",
    "listBackfills",
    f"The newest {LISTED}.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    answers=Body(_LIST, {"backfills": [_EXAMPLE], "metadata": metadata(count=1)}),
    faults=[NO_TRIGGER],
)
describe(
    BackfillView,
    "GET",
    "getBackfill",
    "Poll it to see how far it is.",
    tag=RUNS,
    parameters=[TRIGGER_ID, BACKFILL_ID],
    answers=Body(_ONE, {"backfill": _EXAMPLE, "metadata": metadata()}),
    faults=[_NO_BACKFILL],
)
describe(
    StopBackfillView,
    "POST",
    "stopBackfill",
    "Runs under way go on. One that has ended stays as it is.",
    tag=RUNS,
    parameters=[TRIGGER_ID, BACKFILL_ID],
    answers=Body(_ONE, {"backfill": _EXAMPLE, "metadata": metadata()}),
    faults=[
        _NO_BACKFILL,
        Fault(
            "Others keep changing it.",
            APIError(409, "Others keep changing this backfill: try again in a moment."),
        ),
    ],
)
