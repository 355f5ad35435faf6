"""Operations of triggers, schedules and health in the OpenAPI document."""

from datetime import UTC, datetime
from typing import Any

from events.api.schema import EVENTS
from moca.api.errors import APIError
from moca.api.json_schema import Schema, boolean, number, text
from moca.api.openapi import (
    INTERNAL,
    NEXT_TOKEN,
    ORDER,
    REQUEST_ID,
    TAGS,
    TIMESTAMP,
    Body,
    Fault,
    describe,
    in_header,
    in_path,
    in_query,
    invalid,
    invalid_parameter,
    metadata,
)
from moca.api.parameters import MAX_TEXT
from triggers.api import shapes
from triggers.api.budgets_schema import describe_trigger
from triggers.api.health import HealthView
from triggers.api.pauses import (
    FOR_OPERATORS,
    InstallationPauseView,
    InstallationResumeView,
    PauseManyView,
    PauseView,
    ResumeManyView,
    ResumeView,
)
from triggers.api.preview import PreviewView, preview
from triggers.api.prompts import PromptVersionsView, RestorePromptView
from triggers.api.views import MAX_KEY, MAX_PAGE, DisableView, EnableView, TriggersView, TriggerView
from triggers.models import Trigger
from triggers.pauses import CACHE_SECONDS
from triggers.serializers import TriggerSerializer

TRIGGERS, RUNS, SCHEDULES, SERVICE = "Triggers", "Runs", "Schedules", "Service"
TAGS += [
    {"name": TRIGGERS, "description": "What to ask which agent, and when."},
    {"name": RUNS, "description": "Running a trigger, and what came of it."},
    {"name": SCHEDULES, "description": "When a trigger may fire."},
    {"name": EVENTS, "description": "What else a trigger may fire on, and where it comes in."},
    {"name": SERVICE, "description": "How the installation is."},
]

# Examples

ID = "0194b0a1-7c3e-7d52-9b1f-3f6a0c2e8d41"
_SENT: dict[str, Any] = {
    "name": "Report",
    "type": "schedule",
    "agentId": "reporter",
    "prompt": "Report on yesterday.",
    "scheduleConfig": {"expression": "cron(0 9 ? * MON-FRI *)", "timezone": "Asia/Tokyo"},
    "tags": ["daily"],
}
# Clocks change twice in the year after the example.
_PREVIEWED = {"expression": "30 2 * * ?", "timezone": "Europe/Berlin", "count": 2}
_ZONE_DATA = {"version": "2026f", "source": "package"}


def _created() -> dict[str, Any]:
    """The API's answer to a request that creates the example's trigger."""
    at = datetime.fromisoformat(TIMESTAMP)
    trigger = Trigger(id=ID, user_id="alice", created_at=at, updated_at=at)
    answer = TriggerSerializer(trigger, data=_SENT, context={"now": at})
    answer.fill()
    return answer.to_representation(trigger)


_CREATED = _created()


def one(status: int = 200, **changes: Any) -> Body:
    """The answer with the example's trigger and these changes; None leaves a field out."""
    shown = {name: value for name, value in (_CREATED | changes).items() if value is not None}
    return Body(shapes.TRIGGER_ANSWER, {"trigger": shown, "metadata": metadata()}, status)


# Operations

TRIGGER_ID = in_path("trigger_id", "The trigger's `id`.")
IF_MATCH = in_header(
    "If-Match",
    text(examples=['"1"']),
    "The `version` that you have seen, in quotes: if somebody has changed the trigger since, "
    "nothing is written.",
)
NO_TRIGGER = Fault(
    "There is no such trigger, or it is another user's.",
    APIError(404, "There is no such trigger."),
)
OTHERS = Fault(
    "Others keep changing it.",
    APIError(409, "Others keep changing this trigger: try again in a moment."),
)
REFUSED = Fault(
    "The scheduler refused or is away; the trigger is as it was.",
    APIError(502, "EventBridge Scheduler is out of reach: try again in a moment."),
)
WRONG = invalid(
    "scheduleConfig.timezone", "This is not an IANA timezone name.", "timezone", "Asia/Tokyo"
)


def _describe_change(method: str, operation_id: str, sent: Schema) -> None:
    describe(
        TriggerView,
        method,
        operation_id,
        "PUT and PATCH are the same, and a whole trigger may be sent back, changed in places. In "
        "`scheduleConfig` and `eventConfig`, too, what is left out stays. The type may change.",
        tag=TRIGGERS,
        parameters=[TRIGGER_ID, IF_MATCH],
        takes=Body(shapes.UPDATE, sent),
        answers=one(prompt="Report on last week.", version=2),
        faults=[
            WRONG,
            invalid_parameter("If-Match", 'Give the version in quotes, such as "3".'),
            NO_TRIGGER,
            OTHERS,
            Fault(
                "Somebody changed the trigger since the version in `If-Match`.",
                APIError(
                    412,
                    "The trigger was changed by someone else in the meantime: load it again and "
                    "repeat your change.",
                ),
            ),
            REFUSED,
        ],
    )


describe(
    TriggersView,
    "GET",
    "listTriggers",
    f"Newest first; all of them, up to {MAX_PAGE:,}, if no `limit` is given.",
    tag=TRIGGERS,
    parameters=[
        in_query(
            "limit",
            number(minimum=1, maximum=MAX_PAGE, default=MAX_PAGE),
            "How many a page has at the most.",
        ),
        NEXT_TOKEN,
        ORDER,
        in_query("type", shapes.TYPE, "Only those of this type."),
        in_query("enabled", boolean(), "Only those that fire, or only those that do not."),
        in_query(
            "search",
            text(maxLength=MAX_TEXT),
            "Only those with this text in the name or the description, in any case.",
        ),
    ],
    answers=Body(shapes.TRIGGER_LIST, {"triggers": [_CREATED], "metadata": metadata(count=1)}),
    faults=[invalid_parameter("limit", f"Give a whole number from 1 to {MAX_PAGE}.")],
)
describe(
    TriggersView,
    "POST",
    "createTrigger",
    "With an `Idempotency-Key`, the same request may be sent again for 24 hours and makes one "
    "trigger; it is answered with that trigger as it is now.",
    tag=TRIGGERS,
    parameters=[
        in_header(
            "Idempotency-Key", text(maxLength=MAX_KEY), "A text of your own for this request."
        )
    ],
    takes=Body(shapes.CREATE, _SENT),
    answers=one(201),
    faults=[
        WRONG,
        Fault(
            "The `Idempotency-Key` was used for another request, its trigger was deleted, or such "
            "requests are under way.",
            APIError(409, "This Idempotency-Key was used for another request: use a new one."),
        ),
        REFUSED,
    ],
)
describe(
    TriggerView,
    "GET",
    "getTrigger",
    "With its next runs, while it is enabled.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=one(),
    faults=[NO_TRIGGER],
)
_describe_change("PUT", "replaceTrigger", {**_SENT, "prompt": "Report on last week."})
_describe_change("PATCH", "updateTrigger", {"prompt": "Report on last week."})
describe(
    TriggerView,
    "DELETE",
    "deleteTrigger",
    "Its executions stay until their time is up.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=Body(
        shapes.DELETED,
        {
            "success": True,
            "message": "The trigger was deleted.",
            "metadata": metadata(triggerId=ID),
        },
    ),
    faults=[NO_TRIGGER, OTHERS, REFUSED],
)
describe(
    EnableView,
    "POST",
    "enableTrigger",
    "One that is enabled stays as it is. Failures counted so far are forgiven.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=one(version=2),
    faults=[
        invalid(
            "scheduleConfig.expression",
            "This never fires again: choose a time that lies ahead, within the start and end "
            "dates.",
            "never",
        ),
        NO_TRIGGER,
        OTHERS,
        REFUSED,
    ],
)
describe(
    DisableView,
    "POST",
    "disableTrigger",
    "One that is disabled stays as it is. It may still be run by hand.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=one(enabled=False, nextRuns=None, version=2),
    faults=[NO_TRIGGER, OTHERS, REFUSED],
)
_PAUSE = {"until": "monday 09:00", "note": "The shop is being moved."}
_PAUSED: dict[str, Any] = {
    "pausedAt": TIMESTAMP,
    "pausedUntil": "2027-01-11T00:00:00.000Z",
    "pausedBy": "alice",
    "pauseNote": "The shop is being moved.",
}
_NO_MOMENT = invalid("until", "This is past: choose a later moment.", "past")
describe(
    PauseView,
    "POST",
    "pauseTrigger",
    "It does not fire until then, and fires by itself after. What is due meanwhile is left out, "
    "and counted in `skippedRuns`. It may still be run by hand.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    takes=Body(shapes.PAUSE, _PAUSE),
    answers=one(enabled=False, nextRuns=None, version=2, **_PAUSED),
    faults=[_NO_MOMENT, NO_TRIGGER, OTHERS, REFUSED],
)
describe(
    ResumeView,
    "POST",
    "resumeTrigger",
    "One that is not paused stays as it is.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=one(version=3),
    faults=[NO_TRIGGER, OTHERS, REFUSED],
)
_VERSION = "9f86d08188"
_VERSIONS: list[dict[str, Any]] = [
    {"version": "2c26b46b68", "prompt": "Report on last week.", "since": TIMESTAMP, "by": "alice"},
    {"version": _VERSION, "prompt": "Report on yesterday.", "since": TIMESTAMP, "by": "alice"},
]
describe(
    PromptVersionsView,
    "GET",
    "listPromptVersions",
    "From the record of changes: of the last 200 changes of the trigger, those of its prompt. "
    "Prompts that other programs wrote may be missing.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID],
    answers=Body(shapes.PROMPT_VERSIONS, {"versions": _VERSIONS, "metadata": metadata()}),
    faults=[NO_TRIGGER],
)
describe(
    RestorePromptView,
    "POST",
    "restorePromptVersion",
    "Its next runs have that prompt. Nothing else of the trigger changes.",
    tag=TRIGGERS,
    parameters=[TRIGGER_ID, in_path("version_id", "The `version` of the prompt.")],
    answers=one(version=2),
    faults=[
        Fault(
            "There is no such trigger, or no such version.",
            APIError(404, "There is no such version of the prompt."),
        ),
        OTHERS,
        REFUSED,
    ],
)
_NONE_NAMED = invalid("tag", "Give a tag; or all, which is true.", "required")
_COUNTED = {"changed": 2, "unchanged": 0, "left": 0, "refused": [], "metadata": metadata()}
describe(
    PauseManyView,
    "POST",
    "pauseTriggers",
    "As each of them alone.",
    tag=TRIGGERS,
    takes=Body(shapes.PAUSE_MANY, {"tag": "daily", **_PAUSE}),
    answers=Body(shapes.MANY_CHANGED, _COUNTED),
    faults=[_NONE_NAMED],
)
describe(
    ResumeManyView,
    "POST",
    "resumeTriggers",
    "As each of them alone.",
    tag=TRIGGERS,
    takes=Body(shapes.RESUME_MANY, {"tag": "daily"}),
    answers=Body(shapes.MANY_CHANGED, _COUNTED),
    faults=[_NONE_NAMED],
)
_INSTALLATION = Body(shapes.INSTALLATION, {"pause": _PAUSED, "metadata": metadata()})
_NO_OPERATOR = Fault("The caller is no operator.", APIError(403, FOR_OPERATORS))
describe(
    InstallationPauseView,
    "GET",
    "getInstallationPause",
    "Without `pause`, it is not paused.",
    tag=SERVICE,
    answers=_INSTALLATION,
)
describe(
    InstallationPauseView,
    "POST",
    "pauseInstallation",
    "No trigger of any user fires until then; only operators may do this. Other processes notice "
    f"within {CACHE_SECONDS} seconds. People may still run triggers by hand.",
    tag=SERVICE,
    takes=Body(shapes.PAUSE, _PAUSE),
    answers=_INSTALLATION,
    faults=[_NO_MOMENT, _NO_OPERATOR],
)
describe(
    InstallationResumeView,
    "POST",
    "resumeInstallation",
    "Triggers fire again. What was due meanwhile does not run.",
    tag=SERVICE,
    answers=Body(shapes.INSTALLATION, {"metadata": metadata()}),
    faults=[
        _NO_OPERATOR,
        Fault(
            "Somebody else has just changed the pause.",
            APIError(409, "Somebody else has just changed the pause: look again."),
        ),
    ],
)
describe(
    PreviewView,
    "POST",
    "previewSchedule",
    "Before it is saved: in words, its next runs, and what may surprise about it.",
    tag=SCHEDULES,
    takes=Body(shapes.PREVIEW_REQUEST, _PREVIEWED),
    answers=Body(
        shapes.PREVIEW_RESULT,
        preview(_PREVIEWED, datetime(2027, 3, 26, 12, tzinfo=UTC)) | {"metadata": metadata()},
    ),
    faults=[invalid("timezone", "This is not an IANA timezone name.", "timezone", "Europe/Berlin")],
)
describe(
    HealthView,
    "GET",
    "getHealth",
    "Open to everybody.",
    tag=SERVICE,
    parameters=[
        in_query(
            "deep", boolean(default=False), "Whether to reach the database and the scheduler."
        ),
    ],
    answers=Body(
        shapes.HEALTH,
        {
            "status": "ok",
            "checks": {"database": "ok", "scheduler": "ok"},
            "zoneData": _ZONE_DATA,
            "queue": {"waiting": 0, "oldestSeconds": 0, "running": 12, "places": 10_000},
            "metadata": {"requestId": REQUEST_ID, "timestamp": TIMESTAMP},
        },
    ),
    faults=[
        invalid_parameter("deep", "Give one of true, false, 1, 0."),
        INTERNAL,
        Fault(
            "Something is out of reach; told where `deep` is given.",
            APIError(
                503,
                "Out of reach: scheduler.",
                extra={
                    "status": "error",
                    "checks": {"database": "ok", "scheduler": "error"},
                    "zoneData": _ZONE_DATA,
                },
            ),
            shapes.UNHEALTHY,
        ),
    ],
    is_open=True,
)
describe_trigger(TRIGGER_ID, NO_TRIGGER)
