"""JSON schemas of triggers, schedules and health in the OpenAPI document."""

from moca.api.json_schema import (
    COMPONENTS,
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
from moca.api.openapi import FOLLOWING
from triggers.api.preview import DEFAULT_COUNT, MAX_COUNT, PLAN_SHAPES
from triggers.models import MAX_PAUSE_NOTE
from triggers.serializers import TriggerSerializer
from triggers.validation import MAX_TAG_LENGTH

# Triggers

TYPE = TriggerSerializer.shape_of("type")
STATUS = TriggerSerializer.shape_of("lastStatus")
OUTCOME = TriggerSerializer.shape_of("lastOutcome")
CREATE = TriggerSerializer.request_shape(
    "TriggerCreate",
    "A new trigger. One of type `schedule` needs `scheduleConfig.expression`, one of type `event` "
    "needs `eventConfig.eventSourceId` or `eventConfig.eventPattern`.",
    is_new=True,
)
UPDATE = TriggerSerializer.request_shape(
    "TriggerUpdate",
    "Changes. What is left out stays as it is; null clears what may be empty.",
    is_new=False,
)
_TRIGGER = TriggerSerializer.answer_shape()
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
    {"success": boolean(const=True), "message": text()},
    metadata={"triggerId": uuid()},
)

# Pauses

_WHEN = "`30m`, `1h`, `2d`, `tomorrow 09:00`, `monday 09:00`, or a date and time. Without an "
_PAUSE = {
    "until": or_null(
        text(_WHEN + "offset it is in the time zone. Until somebody resumes, if it is left out.")
    ),
    "note": or_null(text("Why, for those who find it paused.", maxLength=MAX_PAUSE_NOTE)),
    "timezone": or_null(text("The IANA zone of `until`; the schedule's, or UTC, without.")),
}
PAUSE = component("PauseRequest", record("How long to pause.", {}, _PAUSE))
_WHICH = {
    "tag": text("Those with this tag.", minLength=1, maxLength=MAX_TAG_LENGTH),
    "all": boolean("All of them."),
}
PAUSE_MANY = component(
    "PauseManyRequest",
    record("Which triggers to pause, by a tag or all, and how long.", {}, {**_WHICH, **_PAUSE}),
)
RESUME_MANY = component(
    "ResumeManyRequest", record("Which triggers to resume: those of a tag, or all.", {}, _WHICH)
)
MANY_CHANGED = answer(
    "ManyChanged",
    "What came of an action on several triggers.",
    {
        "changed": number("How many have changed."),
        "unchanged": number("How many needed no change."),
        "left": number("For how many there was no time: send the request again for these."),
        "refused": each(text(), "The name and the reason of each that could not be changed."),
    },
)
_INSTALLATION_PAUSE = component(
    "InstallationPause",
    record(
        "A pause of the whole installation.",
        {"pausedAt": moment("When it began."), "pausedBy": text("Who began it.")},
        {
            "pausedUntil": moment("When it ends; without, once somebody resumes."),
            "pauseNote": text("Why."),
        },
    ),
)
INSTALLATION = answer(
    "InstallationState",
    "Whether the whole installation is paused.",
    {},
    {"pause": _INSTALLATION_PAUSE},
)

# Prompts

PROMPT_VERSIONS = answer(
    "PromptVersions",
    "The versions of a trigger's prompt that are known.",
    {
        "versions": each(
            component(
                "PromptVersion",
                record(
                    "A prompt that the trigger has or had.",
                    {
                        "version": text("Names it; executions have it as `promptVersion`."),
                        "prompt": text(),
                    },
                    {
                        "since": moment("When the trigger got it, if that is known."),
                        "by": text("Who wrote it, if that is known."),
                    },
                ),
            ),
            "The present one first.",
        )
    },
)

# Schedules, health

PREVIEW_REQUEST = component(
    "PreviewRequest",
    record(
        "A schedule to try.",
        {
            "expression": text(
                "`cron(...)`, `rate(...)` or `at(...)` as EventBridge Scheduler has them, or five "
                "fields of cron."
            )
        },
        {
            "timezone": or_null(text("An IANA name; UTC without.")),
            "count": or_null(
                number(
                    f"How many runs to tell; {DEFAULT_COUNT} without.", minimum=1, maximum=MAX_COUNT
                )
            ),
            **PLAN_SHAPES,
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
_DAY_OFF = component(
    "PreviewDayOff",
    record(
        "A day on which the schedule would run, if it was not left out.",
        {"date": text(format="date"), "reason": text("Why it is left out.")},
        {"movedTo": text("The working day on which it runs instead.", format="date")},
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
    {"daysOff": each(_DAY_OFF, "The next days that are left out, in the year to come.")},
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
_QUEUE = component(
    "HealthQueue",
    record(
        "The runs of the scheduler processes on this machine, as of their last heartbeats.",
        {
            "waiting": number("The runs that are due and wait for a place.", minimum=0),
            "oldestSeconds": number("For how long the first of them has waited.", minimum=0),
            "running": number("The runs under way.", minimum=0),
            "places": number("How many may be under way.", minimum=0),
        },
    ),
)
# Other answers name the user, who is signed in.
_PROBE = record("About the request.", {"requestId": uuid(), "timestamp": moment()})
HEALTH = component(
    "Health",
    record(
        "The service is up.",
        {"status": text(const="ok"), "metadata": component("HealthMetadata", _PROBE)},
        {"checks": _CHECKS, "zoneData": _ZONE_DATA, "queue": _QUEUE},
    ),
)
_ERROR = COMPONENTS["Error"]["properties"]
UNHEALTHY = component(
    "HealthError",
    record(
        "Something that the service needs is out of reach.",
        {
            **{
                name: _ERROR[name]
                for name in ("error", "message", "code", "timestamp", "requestId")
            },
            "status": text(const="error"),
            "checks": _CHECKS,
            "zoneData": _ZONE_DATA,
        },
        {"queue": _QUEUE},
    ),
)
