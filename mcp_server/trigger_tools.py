"""Tools that look after triggers, and what is needed to write one."""

from typing import Any

from django.utils import timezone

from mcp_server import arguments, outputs, schemas
from mcp_server.arguments import Given
from mcp_server.calls import Call, Session, send
from mcp_server.tool import Tool
from moca.api.json_schema import Schema, boolean, each, number, text
from moca.authentication.api_keys.model import Scope
from triggers.api.preview import DEFAULT_COUNT, MAX_COUNT, PLAN_SHAPES, preview
from triggers.api.views import MAX_KEY

Fields = tuple[dict[str, Schema], list[str]]

# How many triggers or runs a list has, unless more are asked for.
LISTED, MOST_LISTED = 20, 50
NEXT = text("The `nextToken` of the page before, with the same filters.")
LIMIT = number(f"How many; {LISTED} if it is left out.", minimum=1, maximum=MOST_LISTED)
FOLLOWING = {"nextToken": text("If there are more: send it to get the next page.")}
TRIGGER_ID = text("The `id` of a trigger, as list_triggers returns it.")
_FILTERS = ("type", "enabled", "createdBy", "waitsForPerson", "search", "nextToken", "order")


def by_id() -> Fields:
    return {"triggerId": TRIGGER_ID}, ["triggerId"]


def page_size(given: Given) -> str:
    return str(arguments.whole_number(given, "limit", default=LISTED, least=1, most=MOST_LISTED))


def _nothing() -> Fields:
    return {}, []


def _trigger() -> Schema:
    return schemas.record({"trigger": schemas.trigger()})


# Before a trigger is written


def _list_agents(session: Session, given: Given) -> dict[str, Any]:
    return send(session, Call("api-agents"))


def _list_event_sources(session: Session, given: Given) -> dict[str, Any]:
    return send(session, Call("api-events"))


def _preview(session: Session, given: Given) -> dict[str, Any]:
    return preview(given, timezone.now())


def _previewed() -> Fields:
    return {
        "expression": text(
            "`cron(minutes hours day-of-month month day-of-week year)`, `rate(5 minutes)`, "
            "`at(2027-01-31T09:00:00)`. One of the two day fields of cron is `?`."
        ),
        "timezone": text("An IANA name, such as Europe/Berlin; UTC if it is left out."),
        "count": number(
            f"How many runs to name; {DEFAULT_COUNT} if it is left out.",
            minimum=1,
            maximum=MAX_COUNT,
        ),
        **PLAN_SHAPES,
    }, ["expression"]


def _preview_result() -> Schema:
    run = {"utc": text(), "local": text("The same in the time zone.")}
    day = schemas.record({"date": text(), "reason": text()}, {"movedTo": text()})
    return schemas.record(
        {
            "expression": text("As EventBridge Scheduler has it."),
            "description": text("The schedule in words."),
            "nextRuns": each(schemas.record(run), "Empty if it never fires again."),
            "warnings": each(text(), "What may surprise a person about it."),
        },
        {"daysOff": each(day, "The next days whose runs are left out or moved.")},
    )


# Triggers


def _list(session: Session, given: Given) -> dict[str, Any]:
    query = arguments.as_query(given, _FILTERS) | {"limit": page_size(given)}
    found = send(session, Call("api-triggers", query=query))
    return {**found, "triggers": [outputs.short_trigger(one) for one in found["triggers"]]}


def _listed() -> Fields:
    return {
        "type": text("Only those of this type.", enum=["schedule", "event"]),
        "enabled": boolean("Only those that fire, or only those that do not."),
        "createdBy": text("Only those that agents created.", enum=["agent"]),
        "waitsForPerson": boolean("Only those that a person has to enable first, or the others."),
        "search": text("Only those with this text in the name or the description."),
        "limit": LIMIT,
        "nextToken": NEXT,
        "order": text("The oldest first, or the newest.", enum=["asc", "desc"]),
    }, []


def _get(session: Session, given: Given) -> dict[str, Any]:
    return send(session, Call("api-trigger", path=_path(given)))


def _create(session: Session, given: Given) -> dict[str, Any]:
    body = {name: value for name, value in given.items() if name != "idempotencyKey"}
    key = arguments.text(given, "idempotencyKey", most=MAX_KEY)
    headers = {"Idempotency-Key": _plain(key)} if key else {}
    return send(session, Call("api-triggers", "POST", body=body, headers=headers))


def _created() -> Fields:
    fields, needed = schemas.written_fields(is_new=True)
    key = "A text of your own for this request: sent again, it makes no second trigger."
    return {**fields, "idempotencyKey": text(key, maxLength=MAX_KEY)}, needed


def _change(session: Session, given: Given) -> dict[str, Any]:
    body = {name: value for name, value in given.items() if name not in ("triggerId", "version")}
    version = arguments.whole_number(given, "version", default=0, least=1, most=10**9)
    headers = {"If-Match": f'"{version}"'} if version else {}
    return send(
        session, Call("api-trigger", "PATCH", path=_path(given), body=body, headers=headers)
    )


def _changed() -> Fields:
    fields, _needed = schemas.written_fields(is_new=False)
    version = "The `version` that you have seen: if somebody has changed the trigger since, nothing"
    return {
        "triggerId": TRIGGER_ID,
        **fields,
        "version": number(f"{version} is written.", minimum=1),
    }, ["triggerId"]


def _enable(session: Session, given: Given) -> dict[str, Any]:
    return send(session, Call("api-enable", "POST", path=_path(given)))


def _disable(session: Session, given: Given) -> dict[str, Any]:
    return send(session, Call("api-disable", "POST", path=_path(given)))


def _delete(session: Session, given: Given) -> dict[str, Any]:
    send(session, Call("api-trigger", "DELETE", path=_path(given)))
    return {"triggerId": given["triggerId"], "deleted": True}


def _path(given: Given) -> dict[str, str]:
    return {"trigger_id": arguments.identifier(given, "triggerId")}


def _plain(text: str) -> str:
    """A key in ASCII, as a header would have it."""
    return text.encode("ascii", "backslashreplace").decode()


TOOLS = [
    Tool(
        "list_agents",
        "List agents",
        "List the agents that a trigger can call. Their `id` is the `agentId` of a trigger. The "
        "list may be empty: then one default agent answers to any name.",
        Scope.READ,
        _list_agents,
        _nothing,
        lambda: schemas.record({"agents": schemas.agents()}),
    ),
    Tool(
        "list_event_sources",
        "List event sources",
        "List the sources that an event trigger can listen to, for `eventConfig.eventSourceId`.",
        Scope.READ,
        _list_event_sources,
        _nothing,
        lambda: schemas.record({"eventSources": schemas.event_sources()}),
    ),
    Tool(
        "preview_schedule",
        "Preview a schedule",
        "Say in words when a schedule fires, with its next runs and warnings. Call it before you "
        "create or change a schedule, and show the words to the person. If the expression is "
        "wrong, the error suggests corrections.",
        Scope.READ,
        _preview,
        _previewed,
        _preview_result,
    ),
    Tool(
        "list_triggers",
        "List triggers",
        "List the triggers of the user, newest first. Prompts are cut: get_trigger has them whole.",
        Scope.READ,
        _list,
        _listed,
        lambda: schemas.record({"triggers": each(schemas.trigger())}, FOLLOWING),
        is_general=True,
    ),
    Tool(
        "get_trigger",
        "Show a trigger",
        "Show one trigger with its whole prompt, its next runs and how its last run ended.",
        Scope.READ,
        _get,
        by_id,
        _trigger,
    ),
    Tool(
        "create_trigger",
        "Create a trigger",
        "Create a trigger: a prompt that an agent gets on a schedule or on events. A schedule "
        "needs `scheduleConfig.expression`, an event trigger `eventConfig.eventSourceId` or "
        "`eventConfig.eventPattern`. The agent sees nothing of this conversation, so the prompt "
        "has to say all that it needs. Set a budget such as `maxTokensPerDay`.",
        Scope.WRITE,
        _create,
        _created,
        _trigger,
        is_general=True,
    ),
    Tool(
        "update_trigger",
        "Change a trigger",
        "Change the fields that you give; the others stay, and null clears one. In "
        "`scheduleConfig` and `eventConfig`, too, what is left out stays.",
        Scope.WRITE,
        _change,
        _changed,
        _trigger,
        destroys=True,
        is_repeatable=True,
    ),
    Tool(
        "enable_trigger",
        "Enable a trigger",
        "Let a trigger fire. One that waits for a person (`waitsForPerson`) is mostly refused.",
        Scope.WRITE,
        _enable,
        by_id,
        _trigger,
        is_repeatable=True,
    ),
    Tool(
        "disable_trigger",
        "Disable a trigger",
        "Keep a trigger from firing, until it is enabled.",
        Scope.WRITE,
        _disable,
        by_id,
        _trigger,
        is_repeatable=True,
    ),
    Tool(
        "delete_trigger",
        "Delete a trigger",
        "Delete a trigger for good; the records of its runs stay for a while. Ask the person "
        "first. disable_trigger only stops it.",
        Scope.WRITE,
        _delete,
        by_id,
        lambda: schemas.record({"triggerId": text(), "deleted": boolean()}),
        destroys=True,
        is_repeatable=True,
    ),
]
