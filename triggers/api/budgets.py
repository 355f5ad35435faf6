"""API views of budgets: how those of a trigger stand, and what admins enter of users and prices."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import IntegrityError
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api.errors import APIError, NotFoundError
from moca.api.fields import Amount, Flag, Moment, Number, Text
from moca.api.operators import OperatorsView
from moca.api.serializers import RowSerializer
from moca.api.views import APIView
from moca.times import iso
from triggers import budget_records, budgets
from triggers.api.views import find
from triggers.models import Price, UserBudget
from triggers.models.budget import MILLION

FOR_ADMINS = "Only admins may change budgets and prices: ask one for it."
TAKEN = "There is one of this name: change that one, or use another name."


class PriceSerializer(RowSerializer):
    """What a million tokens cost."""

    refuses_unknown = True

    id = Text("The model as triggers and agents name it; or the id of an agent.")
    input_price = Amount("For a million tokens that the model reads.", always=True)
    output_price = Amount("For a million tokens that the model writes.", always=True)
    cache_read_price = Amount("For a million tokens from its cache.", always=True)
    cache_write_price = Amount("For a million tokens into its cache.", always=True)
    input_has_cached = Flag(
        "Whether the agent counts cached tokens among the input as well; false for a new price.",
        always=True,
    )
    created_at = Moment(read_only=True)
    updated_at = Moment(always=True, read_only=True)

    class Meta:
        model = Price

    def assign(self, row: Any, attribute: str, value: Any) -> None:
        """Set an attribute, but not the name of a stored row."""
        if attribute != "id" or row._state.adding:
            super().assign(row, attribute, value)


class UserBudgetSerializer(RowSerializer):
    """What all triggers of a user may spend together."""

    refuses_unknown = True

    user_id = Text("Whose it is.")
    timezone = Text("Days and months begin at midnight there; UTC for a new budget.")
    max_tokens_per_day = Number("Tokens a day.", empty=(None, 0))
    max_tokens_per_month = Number("Tokens a month.", empty=(None, 0))
    max_cost_per_day = Amount("Money a day.", empty=(None, 0))
    max_cost_per_month = Amount("Money a month.", empty=(None, 0))
    used_up_until = Moment("Until when the user's triggers do not fire.", read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(always=True, read_only=True)

    class Meta:
        model = UserBudget

    def assign(self, row: Any, attribute: str, value: Any) -> None:
        """Set an attribute, but not the user of a stored row."""
        if attribute != "user_id" or row._state.adding:
            super().assign(row, attribute, value)


class TriggerBudgetView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """Show what a trigger and its user have spent of their budgets."""
        trigger, now = find(self.user_id, trigger_id), timezone.now()
        mine = budgets.Owner.trigger(trigger)
        budget = budgets.budget_of(trigger.user_id)
        theirs = budgets.Owner.user(budget) if budget else None
        return Response({"budget": shown(mine, now), "userBudget": shown(theirs, now)})


def shown(owner: budgets.Owner | None, now: datetime) -> list[dict[str, Any]]:
    """How the limits of an owner stand, for answers."""
    return [
        {
            "period": each.limit.period,
            "unit": each.limit.unit,
            "limit": _number(each.limit.unit, each.limit.most),
            "spent": _number(each.limit.unit, each.spent),
            "resetsAt": iso(each.resets_at),
        }
        for each in (budgets.standings(owner, now) if owner else ())
    ]


def _number(unit: str, number: int) -> float:
    return number if unit == "tokens" else number / MILLION


class BudgetsView(OperatorsView):
    """Rows that operators see and admins change.

    Attributes:
        model: the model of the rows.
        serializer: shows them.
        what, many: the keys of one and of many in answers.
    """

    for_admins = FOR_ADMINS
    model: ClassVar[Any]
    serializer: ClassVar[Any]
    what: ClassVar[str]
    many: ClassVar[str]

    def answer(self, row: Any, status: int = 200) -> Response:
        return Response({self.what: self.serializer(row).data}, status=status)

    def find(self, key: str) -> Any:
        found = self.model.objects.filter(pk=key).first() if "\0" not in key else None
        if found is None:
            raise NotFoundError(self.name)
        return found

    @property
    def name(self) -> str:
        return str(self.model._meta.verbose_name)

    def listed(self) -> Response:
        found = list(self.model.objects.all()[: budgets.MOST_ROWS])
        rows = self.serializer(found, many=True).data
        return Response({self.many: rows, "metadata": {"count": len(found)}})

    def create(self) -> Response:
        row = self.model()
        self.serializer(row, data=self.body).fill()
        try:
            budget_records.save(row, by=self.user_id)
        except IntegrityError as error:
            raise APIError(409, TAKEN) from error
        return self.answer(row, 201)

    def change(self, key: str) -> Response:
        row, body = self.find(key), self.body
        try:
            budget_records.change(
                row, lambda found: self.serializer(found, data=body).fill(), by=self.user_id
            )
        except self.model.DoesNotExist as error:
            raise NotFoundError(self.name) from error
        return self.answer(row)

    def remove(self, key: str) -> Response:
        try:
            budget_records.delete(self.find(key), by=self.user_id)
        except self.model.DoesNotExist as error:
            raise NotFoundError(self.name) from error
        said = {"success": True, "message": f"The {self.name} was deleted."}
        return Response({**said, "metadata": {"id": key}})


class _Prices(BudgetsView):
    model, serializer, what, many = Price, PriceSerializer, "price", "prices"


class PricesView(_Prices):
    def get(self, request: Request) -> Response:
        """List the prices."""
        return self.listed()

    def post(self, request: Request) -> Response:
        """Enter a price."""
        return self.create()


class PriceView(_Prices):
    def get(self, request: Request, price_id: str) -> Response:
        """Show a price."""
        return self.answer(self.find(price_id))

    def put(self, request: Request, price_id: str) -> Response:
        """Change a price; what is left out stays as it is."""
        return self.change(price_id)

    patch = put

    def delete(self, request: Request, price_id: str) -> Response:
        """Delete a price."""
        return self.remove(price_id)


class _UserBudgets(BudgetsView):
    model, serializer, what, many = UserBudget, UserBudgetSerializer, "budget", "budgets"

    def answer(self, row: Any, status: int = 200) -> Response:
        """The budget, and how its limits stand."""
        standing = shown(budgets.Owner.user(row), timezone.now())
        return Response({"budget": self.serializer(row).data, "standing": standing}, status=status)


class UserBudgetsView(_UserBudgets):
    def get(self, request: Request) -> Response:
        """List the budgets of users."""
        return self.listed()

    def post(self, request: Request) -> Response:
        """Give a user a budget."""
        return self.create()


class UserBudgetView(_UserBudgets):
    def get(self, request: Request, user_id: str) -> Response:
        """Show a user's budget, and what is spent of it."""
        return self.answer(self.find(user_id))

    def put(self, request: Request, user_id: str) -> Response:
        """Change a user's budget; what is left out stays as it is."""
        return self.change(user_id)

    patch = put

    def delete(self, request: Request, user_id: str) -> Response:
        """Delete a user's budget."""
        return self.remove(user_id)


class UserBudgetResumeView(_UserBudgets):
    def post(self, request: Request, user_id: str) -> Response:
        """Let the user's triggers fire again, although the budget is used up."""
        row = self.find(user_id)
        try:
            budgets.resume_user(row.pk, by=self.user_id)
        except UserBudget.DoesNotExist as error:
            raise NotFoundError(self.name) from error
        row.refresh_from_db()
        return self.answer(row)
