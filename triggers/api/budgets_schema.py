"""Describes the routes of budgets and prices in the API's OpenAPI document."""

from typing import Any

from moca.api.errors import APIError
from moca.api.json_schema import Schema, answer, boolean, component, each, moment, number, record
from moca.api.json_schema import text as words
from moca.api.openapi import TAGS, TIMESTAMP, Body, Fault, describe, in_path, invalid, metadata
from moca.api.operators import FOR_OPERATORS
from triggers.api.budgets import (
    FOR_ADMINS,
    TAKEN,
    BudgetsView,
    PricesView,
    PriceView,
    TriggerBudgetView,
    UserBudgetResumeView,
    UserBudgetSerializer,
    UserBudgetsView,
    UserBudgetView,
)

BUDGETS = "Budgets"
TAGS.append({"name": BUDGETS, "description": "What may be spent, and what models cost."})

_PERIOD: Schema = {"type": "string", "enum": ["day", "month"]}
_UNIT: Schema = {"type": "string", "enum": ["tokens", "cost"]}
_AMOUNT: Schema = {"type": "number"}
STANDING = component(
    "BudgetStanding",
    record(
        "How a limit stands.",
        {
            "period": _PERIOD,
            "unit": _UNIT,
            "limit": {**_AMOUNT, "description": "Tokens, or money in BUDGET_CURRENCY."},
            "spent": {**_AMOUNT, "description": "What was spent of it so far."},
            "resetsAt": moment("When the day or the month ends."),
        },
    ),
)
_STANDS = {
    "period": "day",
    "unit": "tokens",
    "limit": 100_000,
    "spent": 82_500,
    "resetsAt": TIMESTAMP,
}
_NO_OPERATOR = Fault("The caller is no operator.", APIError(403, FOR_OPERATORS))
_NO_ADMIN = Fault("The caller is no admin.", APIError(403, FOR_ADMINS))
_TAKEN = Fault("The name is taken.", APIError(409, TAKEN))
_DELETED = answer(
    "DeletedBudgetRow",
    "It is gone.",
    {"success": boolean(), "message": words()},
    metadata={"id": words()},
)


def describe_trigger(trigger_id: Any, no_trigger: Fault) -> None:
    """Describe the budget of a trigger."""
    shape = answer(
        "TriggerBudget",
        "What was spent; empty lists without limits.",
        {"budget": each(STANDING), "userBudget": each(STANDING)},
    )
    describe(
        TriggerBudgetView,
        "GET",
        "getTriggerBudget",
        "The limits of a day and a month of the trigger, and those that all triggers of its user "
        "share.",
        tag=BUDGETS,
        parameters=[trigger_id],
        answers=Body(shape, {"budget": [_STANDS], "userBudget": [], "metadata": metadata()}),
        faults=[no_trigger],
    )


def _describe(
    many: type[BudgetsView],
    one: type[BudgetsView],
    noun: str,
    named: str,
    sent: dict[str, Any],
    shown: dict[str, Any],
    change: dict[str, Any],
    wrong: Fault,
    more: dict[str, Any],
) -> None:
    """Describe the routes of prices, or of users' budgets."""
    serializer, name = many.serializer, str(many.model._meta.verbose_name)
    shape = serializer.answer_shape()
    extra: dict[str, Schema] = {key: each(STANDING) for key in more}
    single = answer(f"{noun}Answer", "It.", {many.what: shape, **extra})
    listed = answer(
        f"{noun}List",
        "All of them.",
        {many.many: each(shape)},
        metadata={"count": number("How many there are.")},
    )
    key = in_path(named, "Its name.", words())
    missing = Fault("There is none of this name.", APIError(404, f"There is no such {name}."))
    busy = f"Others keep changing this {name}: try again in a moment."
    conflict = Fault("Others keep changing it.", APIError(409, busy))

    def body(status: int = 200, **changes: Any) -> Body:
        example = {many.what: {**shown, **changes}, **more, "metadata": metadata()}
        return Body(single, example, status)

    describe(
        many,
        "GET",
        f"list{noun}s",
        "For operators.",
        tag=BUDGETS,
        answers=Body(listed, {many.many: [shown], "metadata": metadata(count=1)}),
        faults=[_NO_OPERATOR],
    )
    describe(
        many,
        "POST",
        f"create{noun}",
        "For admins. It takes effect within half a minute.",
        tag=BUDGETS,
        takes=Body(serializer.request_shape(f"New{noun}", "A new one.", is_new=True), sent),
        answers=body(201),
        faults=[wrong, _NO_ADMIN, _TAKEN],
    )
    describe(
        one,
        "GET",
        f"get{noun}",
        "For operators.",
        tag=BUDGETS,
        parameters=[key],
        answers=body(),
        faults=[_NO_OPERATOR, missing],
    )
    update = serializer.request_shape(f"{noun}Update", "What is to change.", is_new=False)
    for method, operation in (("PUT", f"replace{noun}"), ("PATCH", f"update{noun}")):
        describe(
            one,
            method,
            operation,
            "For admins. PUT and PATCH are the same.",
            tag=BUDGETS,
            parameters=[key],
            takes=Body(update, {**sent, **change} if method == "PUT" else change),
            answers=body(**change),
            faults=[wrong, _NO_ADMIN, missing, conflict],
        )
    gone = {"success": True, "message": f"The {name} was deleted."}
    describe(
        one,
        "DELETE",
        f"delete{noun}",
        "For admins.",
        tag=BUDGETS,
        parameters=[key],
        answers=Body(_DELETED, {**gone, "metadata": metadata(id="key")}),
        faults=[_NO_ADMIN, missing, conflict],
    )


_PRICE = {"id": "large", "inputPrice": 3.0, "outputPrice": 15.0}
_TIMES = {"createdAt": TIMESTAMP, "updatedAt": TIMESTAMP}
_describe(
    PricesView,
    PriceView,
    "Price",
    "price_id",
    _PRICE,
    {**_PRICE, "cacheReadPrice": 0.3, "cacheWritePrice": 3.75, "inputHasCached": False, **_TIMES},
    {"outputPrice": 12.0},
    invalid("inputPrice", "Give a number."),
    {},
)
_BUDGET = {"userId": "ann", "timezone": "Asia/Tokyo", "maxTokensPerDay": 100_000}
_describe(
    UserBudgetsView,
    UserBudgetView,
    "UserBudget",
    "user_id",
    _BUDGET,
    {**_BUDGET, **_TIMES},
    {"maxTokensPerDay": 200_000},
    invalid("maxTokensPerDay", "Give a whole number."),
    {"standing": [_STANDS]},
)
describe(
    UserBudgetResumeView,
    "POST",
    "resumeUserBudget",
    "For admins. The same limit does not pause the user again in that day or month.",
    tag=BUDGETS,
    parameters=[in_path("user_id", "The user.", words())],
    answers=Body(
        answer(
            "UserBudgetAnswer",
            "It.",
            {"budget": UserBudgetSerializer.answer_shape(), "standing": each(STANDING)},
        ),
        {"budget": {**_BUDGET, **_TIMES}, "standing": [_STANDS], "metadata": metadata()},
    ),
    faults=[
        _NO_ADMIN,
        Fault("There is none of this name.", APIError(404, "There is no such user's budget.")),
    ],
)
