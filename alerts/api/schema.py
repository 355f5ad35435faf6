"""Describes the routes of alerts, and the webhooks that channels get, in the OpenAPI document."""

from typing import Any

from alerts.api.views import (
    FOR_ADMINS,
    NOT_SENT,
    ChannelsView,
    ChannelTestView,
    ChannelView,
    RulesView,
    RuleView,
)
from alerts.happenings import Happening
from alerts.payload import ALERT, TEST
from alerts.serializers import ChannelSerializer, RuleSerializer
from moca.api.errors import APIError
from moca.api.json_schema import (
    Schema,
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
)
from moca.api.openapi import (
    TAGS,
    TIMESTAMP,
    WEBHOOKS,
    Body,
    Fault,
    describe,
    in_path,
    invalid,
    metadata,
)
from moca.api.operators import FOR_OPERATORS

ALERTS = "Alerts"
TAGS.append({"name": ALERTS, "description": "Who is told what happened to triggers and runs."})

KEY = "01947e2a-6b1c-7c3e-9a5f-2f6d1c8b7a90"
_NO_OPERATOR = Fault("The caller is no operator.", APIError(403, FOR_OPERATORS))
_NO_ADMIN = Fault("The caller is no admin.", APIError(403, FOR_ADMINS))


def _deleted(name: str, what: str) -> Schema:
    return answer(
        name,
        f"The {what} is gone.",
        {"success": boolean(), "message": text()},
        metadata={f"{what}Id": text()},
    )


def _no(what: str) -> Fault:
    return Fault(f"There is no such {what}.", APIError(404, f"There is no such {what}."))


def _busy(what: str) -> Fault:
    said = f"Others keep changing this {what}: try again in a moment."
    return Fault("Others keep changing it.", APIError(409, said))


# Channels

_CHANNEL = ChannelSerializer.answer_shape()
_ONE_CHANNEL = answer("ChannelAnswer", "A channel.", {"channel": _CHANNEL})
_NEW_CHANNEL = answer(
    "NewChannelAnswer",
    "The channel.",
    {"channel": _CHANNEL},
    {"secret": text("The generated secret that signs webhooks. It is not answered again.")},
)
_CHANNELS = answer(
    "ChannelList",
    "All channels.",
    {"channels": each(_CHANNEL)},
    metadata={"count": number("How many there are.")},
)
_TESTED = answer("ChannelTested", "It works.", {"success": boolean(), "message": text()})
_CHANNEL_SENT: dict[str, Any] = {
    "name": "Pager",
    "kind": "webhook",
    "url": "https://pager.example.com/moca",
}
_CHANNEL_SHOWN = {
    "id": KEY,
    **_CHANNEL_SENT,
    "language": "en",
    "enabled": True,
    "createdAt": TIMESTAMP,
    "updatedAt": TIMESTAMP,
}
_CHANNEL_ID = in_path("channel_id", "The channel's `id`.")
_WRONG_CHANNEL = invalid(
    "url", "Give an http or https URL without a user name and password.", "address"
)


def _channel_body(**changes: Any) -> Body:
    return Body(_ONE_CHANNEL, {"channel": {**_CHANNEL_SHOWN, **changes}, "metadata": metadata()})


describe(
    ChannelsView,
    "GET",
    "listChannels",
    "For admins: the address of a webhook may be a secret. Other secrets are not answered.",
    tag=ALERTS,
    answers=Body(_CHANNELS, {"channels": [_CHANNEL_SHOWN], "metadata": metadata(count=1)}),
    faults=[_NO_ADMIN],
)
describe(
    ChannelsView,
    "POST",
    "createChannel",
    "For admins: a channel says where data of this installation goes.",
    tag=ALERTS,
    takes=Body(
        ChannelSerializer.request_shape("NewChannel", "A new channel.", is_new=True), _CHANNEL_SENT
    ),
    answers=Body(
        _NEW_CHANNEL,
        {
            "channel": _CHANNEL_SHOWN,
            "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "metadata": metadata(),
        },
        201,
    ),
    faults=[_WRONG_CHANNEL, _NO_ADMIN],
)
describe(
    ChannelView,
    "GET",
    "getChannel",
    "For admins.",
    tag=ALERTS,
    parameters=[_CHANNEL_ID],
    answers=_channel_body(),
    faults=[_NO_ADMIN, _no("channel")],
)
_CHANNEL_CHANGE = ChannelSerializer.request_shape(
    "ChannelUpdate", "What is to change.", is_new=False
)
for _method, _name, _sent in (
    ("PUT", "replaceChannel", {**_CHANNEL_SENT, "name": "On call"}),
    ("PATCH", "updateChannel", {"name": "On call"}),
):
    describe(
        ChannelView,
        _method,
        _name,
        "For admins. PUT and PATCH are the same. Without `secret`, the stored one stays.",
        tag=ALERTS,
        parameters=[_CHANNEL_ID],
        takes=Body(_CHANNEL_CHANGE, _sent),
        answers=_channel_body(name="On call"),
        faults=[_WRONG_CHANNEL, _NO_ADMIN, _no("channel"), _busy("channel")],
    )
describe(
    ChannelView,
    "DELETE",
    "deleteChannel",
    "For admins. What waits for it stays undelivered.",
    tag=ALERTS,
    parameters=[_CHANNEL_ID],
    answers=Body(
        _deleted("DeletedChannel", "channel"),
        {
            "success": True,
            "message": "The channel was deleted.",
            "metadata": metadata(channelId=KEY),
        },
    ),
    faults=[_NO_ADMIN, _no("channel"), _busy("channel")],
)
describe(
    ChannelTestView,
    "POST",
    "testChannel",
    "For admins. The answer comes once the channel has taken the message.",
    tag=ALERTS,
    parameters=[_CHANNEL_ID],
    answers=Body(
        _TESTED,
        {"success": True, "message": "The test message was delivered.", "metadata": metadata()},
    ),
    faults=[
        _NO_ADMIN,
        _no("channel"),
        Fault(
            "The channel did not take it.",
            APIError(502, NOT_SENT % "The receiver answered 500."),
        ),
    ],
)

# Rules

_RULE = RuleSerializer.answer_shape()
_ONE_RULE = answer("AlertRuleAnswer", "A rule.", {"rule": _RULE})
_RULES = answer(
    "AlertRuleList",
    "All rules.",
    {"rules": each(_RULE)},
    metadata={"count": number("How many there are.")},
)
_RULE_SENT: dict[str, Any] = {
    "name": "Nightly reports",
    "channelId": KEY,
    "tag": "reports",
    "kinds": ["failing", "recovered", "missed"],
    "afterFailures": 2,
    "pauseMinutes": 60,
    "quietFrom": "22:00",
    "quietUntil": "07:00",
    "quietZone": "Asia/Tokyo",
}
_RULE_SHOWN = {
    "id": KEY,
    **_RULE_SENT,
    "enabled": True,
    "includesOutput": False,
    "createdAt": TIMESTAMP,
    "updatedAt": TIMESTAMP,
}
_RULE_ID = in_path("rule_id", "The rule's `id`.")
_WRONG_RULE = invalid("channelId", "There is no such channel.")


def _rule_body(status: int = 200, **changes: Any) -> Body:
    return Body(_ONE_RULE, {"rule": {**_RULE_SHOWN, **changes}, "metadata": metadata()}, status)


describe(
    RulesView,
    "GET",
    "listAlertRules",
    "For operators.",
    tag=ALERTS,
    answers=Body(_RULES, {"rules": [_RULE_SHOWN], "metadata": metadata(count=1)}),
    faults=[_NO_OPERATOR],
)
describe(
    RulesView,
    "POST",
    "createAlertRule",
    "For admins. It takes effect within half a minute.",
    tag=ALERTS,
    takes=Body(
        RuleSerializer.request_shape("NewAlertRule", "A new rule.", is_new=True), _RULE_SENT
    ),
    answers=_rule_body(201),
    faults=[_WRONG_RULE, _NO_ADMIN],
)
describe(
    RuleView,
    "GET",
    "getAlertRule",
    "For operators.",
    tag=ALERTS,
    parameters=[_RULE_ID],
    answers=_rule_body(),
    faults=[_NO_OPERATOR, _no("rule")],
)
_RULE_CHANGE = RuleSerializer.request_shape("AlertRuleUpdate", "What is to change.", is_new=False)
for _method, _name, _sent in (
    ("PUT", "replaceAlertRule", {**_RULE_SENT, "afterFailures": 3}),
    ("PATCH", "updateAlertRule", {"afterFailures": 3}),
):
    describe(
        RuleView,
        _method,
        _name,
        "For admins. PUT and PATCH are the same. It takes effect within half a minute.",
        tag=ALERTS,
        parameters=[_RULE_ID],
        takes=Body(_RULE_CHANGE, _sent),
        answers=_rule_body(afterFailures=3),
        faults=[_WRONG_RULE, _NO_ADMIN, _no("rule"), _busy("rule")],
    )
describe(
    RuleView,
    "DELETE",
    "deleteAlertRule",
    "For admins. What it has gathered for its next message is not sent.",
    tag=ALERTS,
    parameters=[_RULE_ID],
    answers=Body(
        _deleted("DeletedAlertRule", "rule"),
        {"success": True, "message": "The rule was deleted.", "metadata": metadata(ruleId=KEY)},
    ),
    faults=[_NO_ADMIN, _no("rule"), _busy("rule")],
)

# What webhooks are sent

_TOLD = component(
    "AlertHappening",
    record(
        "Happenings of one kind at one trigger, or at the installation.",
        {
            "kind": enum("AlertKind", map(str, Happening.values), "What happened."),
            "count": number("How many there were.", minimum=1),
            "triggerId": or_null(text("Null for the installation.")),
            "triggerName": or_null(text()),
            "userId": or_null(text("The trigger's owner.")),
            "executionId": or_null(text("The last run of these.")),
            "firstAt": moment("When the first of them happened."),
            "lastAt": moment("When the last of them happened."),
            "title": text("What happened, in the channel's language."),
            "reason": or_null(text("Why.")),
            "advice": or_null(text("What to do.")),
            "output": or_null(text("The start of the agent's output, if the rule includes it.")),
            "url": or_null(text("The page of the run or trigger; null without PUBLIC_URL.")),
        },
    ),
)
_MESSAGE = {
    "id": text("The message's id. All its tries have it, also as `webhook-id`."),
    "subject": text("The message in one line."),
    "text": text("The message as people read it."),
    "url": or_null(text("Where to look first.")),
}
_ALERT = component(
    "AlertMessage",
    record(
        "What a webhook is sent. `type` says which it is; test messages have no happenings.",
        {
            "type": text("", enum=[ALERT, TEST]),
            "timestamp": moment("When the message was made."),
            "data": record(
                "The message.",
                _MESSAGE,
                {
                    "ruleId": text("The rule that sent it."),
                    "ruleName": text(),
                    "number": number("How many happenings it tells, all together."),
                    "more": number("How many of them are not listed, because there are too many."),
                    "happenings": each(_TOLD, "The latest first."),
                },
            ),
        },
    ),
)
WEBHOOKS["alert"] = {
    "post": {
        "operationId": "receiveAlert",
        "summary": "An alert",
        "description": "What a channel of the kind `webhook` is sent, signed by Standard Webhooks "
        "in the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. Answer 2xx "
        "within ten seconds. Any other answer has it sent again over a day, with the same id; 410 "
        "switches the channel off.",
        "tags": [ALERTS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ALERT}}},
        "responses": {"2XX": {"description": "Taken."}},
    }
}
