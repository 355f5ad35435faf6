"""Describes the routes of fire tokens in the API's OpenAPI document."""

from django.conf import settings

from executions.api.fire import REFUSED, FireTokenView, FireView
from moca.api.errors import APIError
from moca.api.json_schema import answer, boolean, component, moment, record, text, uuid
from moca.api.openapi import (
    INTERNAL,
    REQUEST_ID,
    TIMESTAMP,
    Body,
    Fault,
    describe,
    in_header,
    invalid_parameter,
    metadata,
)
from moca.api.paths import FIRE_HEADER
from triggers.api.schema import ID, NO_TRIGGER, RUNS, TRIGGER_ID

_EXECUTION_ID = "0194b0a9-51d0-7c11-8a6e-90f3b7d2c415"
_TOKEN = {"createdAt": TIMESTAMP, "createdBy": "alice"}
_SECRET = "mocafire_00nTzw2qY8vLd3kXb5RmJc_hP4mT0aVx2LqS9dKfW7yRbN3cJ6gZ8eU1iO5pXtYwQz00kD3f"  # noqa: S105
_SHAPE = component(
    "FireToken",
    record(
        "The fire token of a trigger.",
        {"createdAt": moment("When it was made."), "createdBy": text("Who made it.")},
        {"lastUsedAt": moment("When it was used last, to five minutes.")},
    ),
)
_ONE = answer("FireTokenAnswer", "The fire token.", {"fireToken": _SHAPE})
_NEW = answer(
    "NewFireTokenAnswer",
    "The fire token.",
    {"fireToken": _SHAPE, "secret": text("The whole token. It is not answered again.")},
)
_ENDED = answer(
    "EndedFireToken",
    "The fire token has ended.",
    {"success": boolean(), "message": text()},
    metadata={"triggerId": text()},
)
_FIRED = component(
    "FiredAnswer",
    record(
        "The run has been accepted.",
        {
            "executionId": uuid("The id of the execution."),
            "metadata": component(
                "FiredMetadata",
                record("About the answer.", {"requestId": uuid(), "timestamp": moment()}),
            ),
        },
    ),
)
_NO_TOKEN = Fault("It has no fire token.", APIError(404, "There is no such fire token."))
_BUSY = Fault(
    "Somebody else has made or ended it at this moment.",
    APIError(409, "The fire token was changed by someone else in the meantime."),
)

describe(
    FireView,
    "POST",
    "fireTrigger",
    "The token alone is the credential: as `X-Fire-Token`, as `Authorization: Bearer`, or at the "
    "end of the path, `/fire/TOKEN`. The JSON body is the `event.detail` of the run: a prompt "
    "reads it by `{{ event.detail.name }}`. With an `Idempotency-Key`, a repeat within 24 hours "
    "answers the same run.",
    tag=RUNS,
    parameters=[
        in_header(FIRE_HEADER, text(), "The fire token of the trigger."),
        in_header("Idempotency-Key", text(maxLength=255), "The same for each repeat."),
    ],
    takes=Body({"type": "object"}, {"order": 17}),
    answers=Body(
        _FIRED,
        {
            "executionId": _EXECUTION_ID,
            "metadata": {"requestId": REQUEST_ID, "timestamp": TIMESTAMP},
        },
        202,
    ),
    faults=[
        invalid_parameter("Idempotency-Key", "Give at most 255 characters."),
        Fault("The token is wrong.", APIError(401, REFUSED, code="INVALID_FIRE_TOKEN")),
        Fault(
            "The trigger is disabled, paused or busy, or the key came with another body.",
            APIError(409, "The trigger is disabled or paused: enable or resume it first."),
        ),
        Fault(
            "Too many requests with the token, or too many wrong tokens from the address.",
            APIError(429, "Too many requests with this token: try again in 12 s."),
        ),
        INTERNAL,
        Fault("Nobody takes runs.", APIError(503, "Nobody takes runs: start the scheduler.")),
    ],
    is_open=True,
    limit=settings.MAX_FIRE_BYTES,
)
describe(
    FireTokenView,
    "GET",
    "getFireToken",
    "Without the token itself, and without an API key: use the token or the session of a person.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    answers=Body(_ONE, {"fireToken": _TOKEN, "metadata": metadata()}),
    faults=[NO_TRIGGER, _NO_TOKEN],
)
describe(
    FireTokenView,
    "POST",
    "makeFireToken",
    "A trigger has one fire token: a new one ends the one before at once. Not by an API key.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    answers=Body(_NEW, {"fireToken": _TOKEN, "secret": _SECRET, "metadata": metadata()}, 201),
    faults=[NO_TRIGGER, _BUSY],
)
describe(
    FireTokenView,
    "DELETE",
    "endFireToken",
    "Not by an API key.",
    tag=RUNS,
    parameters=[TRIGGER_ID],
    answers=Body(
        _ENDED,
        {
            "success": True,
            "message": "The fire token has ended.",
            "metadata": metadata(triggerId=ID),
        },
    ),
    faults=[NO_TRIGGER, _NO_TOKEN, _BUSY],
)
