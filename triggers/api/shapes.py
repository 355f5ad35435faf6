"""The shapes of triggers, schedules and health in the API's description."""

from typing import Any

from moca.api.schema import FOLLOWING
from moca.api.shapes import (
    COMPONENTS,
    answer,
    component,
    each,
    enum,
    flag,
    moment,
    number,
    or_null,
    record,
    text,
    uuid,
)
from triggers.api.body import NEEDED
from triggers.api.preview import DEFAULT_COUNT, MAX_COUNT
from triggers.models import OverlapPolicy, RunStatus, SyncState, TriggerType
from triggers.validation import (
    MAX_DEBOUNCE_SECONDS,
    MAX_RUNS_PER_HOUR,
    MAX_TAGS,
    MAX_TOOLS,
    MAX_WINDOW_MINUTES,
)

# Words

TYPE = enum("TriggerType", TriggerType.values, "What fires the trigger.")
_OVERLAP = enum(
    "OverlapPolicy",
    OverlapPolicy.values,
    "Whether a run is skipped while the one before is still going, or goes beside it. Without, "
    "a new schedule skips, and the runs of a new event trigger overlap.",
)
_SYNC = enum("SyncState", SyncState.values, "Whether the scheduler knows the trigger as it is.")
STATUS = enum("RunStatus", RunStatus.values, "How a run is.")

# Triggers, as they are sent

_EXPRESSION = "`cron(...)`, `rate(...)` or `at(...)` as EventBridge Scheduler has them"
_SCHEDULE_INPUT = component(
    "ScheduleConfigInput",
    record(
        "When the trigger fires. Parts that are left out stay as they are; null clears one.",
        {},
        {
            "expression": or_null(
                text(f"{_EXPRESSION}, or five fields of cron. A schedule needs it.")
            ),
            "timezone": or_null(text("An IANA name, such as `Asia/Tokyo`; UTC without.")),
            "startDate": or_null(moment("No runs before this time.")),
            "endDate": or_null(moment("No runs after this time.")),
            "flexibleTimeWindowMinutes": or_null(
                number(
                    "Minutes within which a run may begin; 0 is exact.",
                    minimum=0,
                    maximum=MAX_WINDOW_MINUTES,
                )
            ),
        },
    ),
)
_EVENT_INPUT = component(
    "EventConfigInput",
    record(
        "What the trigger listens to: a source, or a pattern. Parts that are left out stay as they "
        "are; null clears one.",
        {},
        {
            "eventSourceId": or_null(text("One of `GET /events`.", maxLength=256)),
            "eventBusName": or_null(text("The EventBridge bus.", maxLength=256)),
            "eventPattern": or_null(
                {
                    "type": "object",
                    "minProperties": 1,
                    "description": "Which events: an EventBridge event pattern, by itself or of "
                    "the source's events.",
                }
            ),
            "debounceSeconds": or_null(
                number(
                    "Seconds without a further event after which one run is made for all of them; "
                    "each event runs at once without.",
                    minimum=0,
                    maximum=MAX_DEBOUNCE_SECONDS,
                )
            ),
            "maxRunsPerHour": or_null(
                number(
                    "Runs that may begin within an hour; what comes beyond is dropped and counted.",
                    minimum=1,
                    maximum=MAX_RUNS_PER_HOUR,
                )
            ),
        },
    ),
)
TAG_LETTERS = (
    "Letters and digits of any script, without combining marks, spaces and `. : / @ + - _`."
)
# Not empty, nor nothing but spaces.
_FILLED: dict[str, Any] = {"minLength": 1, "pattern": r"\S"}
_INPUT = {
    "name": text(**_FILLED, maxLength=200),
    "type": TYPE,
    "agentId": text("The agent that is asked.", **_FILLED, maxLength=200),
    "prompt": text("What it is asked.", **_FILLED, maxLength=50_000),
    "includeContext": flag(
        "Whether a section is added to the prompt that says which trigger fired, when and by what; "
        "true for a new trigger."
    ),
    "description": or_null(text(maxLength=2000)),
    "enabled": flag("Whether it fires; true for a new trigger."),
    "scheduleConfig": or_null(_SCHEDULE_INPUT),
    "eventConfig": or_null(_EVENT_INPUT),
    "sessionId": or_null(
        text(
            "The session in which all runs talk; each has its own without.",
            minLength=33,
            maxLength=256,
            pattern="^[!-~]*$",
        )
    ),
    "modelId": or_null(text("The model; the agent's own without.", maxLength=200)),
    "workingDirectory": or_null(text("Where the agent works.", maxLength=1000)),
    "enabledTools": or_null(
        each(
            text(minLength=1, maxLength=128),
            "Names of the tools that the agent may use; its own without.",
            maxItems=MAX_TOOLS,
        )
    ),
    "timeoutSeconds": number(
        "Seconds after which a run is cancelled, and has failed; 600 for a new trigger.",
        minimum=10,
        maximum=86_400,
    ),
    "overlapPolicy": _OVERLAP,
    "maxRetries": number(
        "How often a run is tried again while the agent has not begun on it; 3 for a new trigger.",
        minimum=0,
        maximum=185,
    ),
    "pauseAfterFailures": or_null(
        number(
            "Failed runs in a row after which the trigger is disabled; never without.",
            minimum=1,
            maximum=1000,
        )
    ),
    "tags": or_null(
        each(
            text(TAG_LETTERS, minLength=1, maxLength=50),
            maxItems=MAX_TAGS,
            uniqueItems=True,
        )
    ),
}
CREATE = component(
    "TriggerCreate",
    record(
        "A new trigger. One of type `schedule` needs `scheduleConfig.expression`, one of type "
        "`event` needs `eventConfig.eventSourceId` or `eventConfig.eventPattern`.",
        {name: _INPUT[name] for name in NEEDED},
        {name: schema for name, schema in _INPUT.items() if name not in NEEDED},
    ),
)
UPDATE = component(
    "TriggerUpdate",
    record("Changes. What is left out stays as it is; null clears what may be empty.", {}, _INPUT),
)

# Triggers, as they are answered. Rows may have been written by other programs, so nothing is
# promised of the lengths.

_SCHEDULE = component(
    "ScheduleConfig",
    record(
        "When the trigger fires, as it was written.",
        {},
        {
            "expression": text(f"{_EXPRESSION}, or five fields. A schedule has it."),
            "timezone": text("An IANA name; UTC without."),
            "startDate": text("No runs before this time, in ISO 8601."),
            "endDate": text("No runs after this time, in ISO 8601."),
            "flexibleTimeWindowMinutes": number("Minutes within which a run may begin."),
            "schedulerArn": text("The schedule in EventBridge Scheduler."),
            "scheduleGroupName": text("Its group there."),
        },
    ),
)
_EVENT = component(
    "EventConfig",
    record(
        "What the trigger listens to.",
        {},
        {
            "eventSourceId": text("One of `GET /events`."),
            "eventBusName": text("The EventBridge bus."),
            "eventPattern": {"type": "object", "description": "An EventBridge event pattern."},
            "debounceSeconds": number("Seconds without a further event before a run."),
            "maxRunsPerHour": number("Runs that may begin within an hour."),
            "ruleArn": text("The rule in EventBridge."),
        },
    ),
)
_TRIGGER = component(
    "Trigger",
    record(
        "What to ask which agent, and when.",
        {
            "id": uuid(),
            "userId": text("Whose it is."),
            "name": text(),
            "type": TYPE,
            "enabled": flag("Whether it fires."),
            "agentId": text("The agent that is asked."),
            "prompt": text("What it is asked."),
            "includeContext": flag("Whether the prompt is followed by what fired it."),
            "createdAt": moment(),
            "updatedAt": moment(),
            "timeoutSeconds": number("Seconds after which a run is cancelled, and has failed."),
            "overlapPolicy": _OVERLAP,
            "maxRetries": number(
                "How often a run is tried again while the agent has not begun on it."
            ),
            "syncState": _SYNC,
            "consecutiveFailures": number("Failed runs in a row, up to the last."),
            "version": number("Counts the changes; `If-Match` takes it."),
        },
        {
            "description": text(),
            "sessionId": text("The session in which all runs talk; each has its own without."),
            "modelId": text("The model; the agent's own without."),
            "workingDirectory": text("Where the agent works."),
            "enabledTools": each(text(), "Tools that the agent may use; its own without."),
            "scheduleConfig": _SCHEDULE,
            "eventConfig": _EVENT,
            "lastExecutedAt": moment("When the last run began."),
            "pauseAfterFailures": number("Failed runs in a row after which it is disabled."),
            "tags": each(text()),
            "nextRuns": each(moment(), "The next three, of an enabled schedule.", maxItems=3),
            "scheduleDescription": text("The schedule in words."),
            "syncError": text("Why the scheduler does not know the trigger as it is."),
            "lastStatus": STATUS,
            "skippedRuns": number("Runs that were due, or events that came, and that did not run."),
            "lastSkippedAt": moment("When the last of them was due."),
            "lastSkipReason": text("Why it did not run."),
        },
    ),
)
TRIGGER_ANSWER = answer("TriggerAnswer", "A trigger.", {"trigger": _TRIGGER})
TRIGGER_LIST = answer(
    "TriggerList",
    "A page of triggers, newest first.",
    {"triggers": each(_TRIGGER)},
    {"nextToken": FOLLOWING},
    metadata={"count": number("How many this page has.")},
)
DELETED = answer(
    "TriggerDeleted",
    "A trigger is gone.",
    {"success": flag(const=True), "message": text()},
    metadata={"triggerId": uuid()},
)

# Schedules, health

PREVIEW_REQUEST = component(
    "PreviewRequest",
    record(
        "A schedule to try.",
        {"expression": text(f"{_EXPRESSION}, or five fields of cron.")},
        {
            "timezone": or_null(text("An IANA name; UTC without.")),
            "count": or_null(
                number(
                    f"How many runs to tell; {DEFAULT_COUNT} without.", minimum=1, maximum=MAX_COUNT
                )
            ),
        },
    ),
)
_RUN = component(
    "PreviewRun",
    record(
        "One run.",
        {"utc": moment(), "local": text("The same in the zone.", format="date-time")},
    ),
)
PREVIEW_RESULT = answer(
    "PreviewResult",
    "What a schedule does.",
    {
        "expression": text("As EventBridge Scheduler has it."),
        "description": text("In words."),
        "nextRuns": each(_RUN, "Empty where it never fires again."),
        "warnings": each(text(), "What may surprise, such as runs that a change of clocks skips."),
    },
)
_CHECK = enum("HealthCheck", ["ok", "error"], "Whether it can be reached.")
_CHECKS = component(
    "HealthChecks",
    record("What the service needs.", {"database": _CHECK, "scheduler": _CHECK}),
)
_ZONE_DATA = component(
    "HealthZoneData",
    record(
        "The data of the time zones that is in use.",
        {
            "version": text("Such as `2026f`; empty where it does not say."),
            "source": enum(
                "ZoneDataSource",
                ["package", "host", "PYTHONTZPATH"],
                "The tzdata package, the host, or what the variable names.",
            ),
        },
    ),
)
# Nobody is signed in here.
_PROBE = record("About the request.", {"requestId": uuid(), "timestamp": moment()})
HEALTH = component(
    "Health",
    record(
        "The service is up.",
        {"status": text(const="ok"), "metadata": component("HealthMetadata", _PROBE)},
        {"checks": _CHECKS, "zoneData": _ZONE_DATA},
    ),
)
_ERROR = COMPONENTS["Error"]["properties"]
UNHEALTHY = component(
    "HealthError",
    record(
        "Something that the service needs is out of reach.",
        {
            **{name: _ERROR[name] for name in ("error", "message", "requestId")},
            "status": text(const="error"),
            "checks": _CHECKS,
            "zoneData": _ZONE_DATA,
        },
    ),
)
