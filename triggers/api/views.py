"""The routes under /triggers that concern triggers alone."""

from functools import partial
from typing import ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api import parameters
from moca.api.errors import InvalidFieldsError
from moca.api.pagination import page
from moca.api.serializers import rule_faults
from moca.api.views import APIView
from triggers.api import writing
from triggers.models import Trigger, TriggerQuerySet, TriggerType
from triggers.serializers import TriggerSerializer, fill, switch

MAX_PAGE = 1000


def answer(trigger: Trigger, status: int = 200) -> Response:
    shown = TriggerSerializer(trigger, context={"now": timezone.now()})
    return Response({"trigger": shown.data}, status=status)


class TriggersView(APIView):
    parameters: ClassVar = {"GET": ("limit", "nextToken", "type", "enabled", "search")}

    def get(self, request: Request) -> Response:
        """List the user's triggers, newest first."""
        query = request.query_params
        filters = {
            "type": parameters.choice(query, "type", TriggerType.values),
            "enabled": parameters.choice(query, "enabled", ["true", "false"]),
            "search": parameters.search_text(query, "search"),
        }
        triggers, following = page(
            _filtered(Trigger.objects.of_user(self.user_id), filters),
            limit=parameters.whole_number(query, "limit", default=MAX_PAGE, least=1, most=MAX_PAGE),
            token=query.get("nextToken"),
            bound_to=[self.user_id, "triggers", filters],
            searched_by="search" if filters["search"] else "",
        )
        shown = TriggerSerializer(triggers, many=True, context={"now": timezone.now()})
        return Response(
            {
                "triggers": shown.data,
                **following,
                "metadata": {"count": len(triggers)},
            }
        )

    def post(self, request: Request) -> Response:
        """Create a trigger."""
        key = request.headers.get("Idempotency-Key", "")
        return answer(writing.create(self.user_id, self.body, key), status=201)


def _filtered(rows: TriggerQuerySet, filters: dict[str, str]) -> TriggerQuerySet:
    if wanted := filters["type"]:
        rows = rows.filter(type=wanted)
    if enabled := filters["enabled"]:
        rows = rows.filter(enabled=enabled == "true")
    if text := filters["search"]:
        rows = rows.search(text)
    return rows


class TriggerView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """Show a trigger."""
        return answer(writing.find(self.user_id, trigger_id))

    def put(self, request: Request, trigger_id: str) -> Response:
        """Change a trigger; what is left out stays as it is."""
        apply = partial(fill, body=self.body)
        if_match = request.headers.get("If-Match", "")
        return answer(writing.change(self.user_id, trigger_id, apply, if_match=if_match))

    patch = put

    def delete(self, request: Request, trigger_id: str) -> Response:
        """Delete a trigger and its schedule."""
        writing.delete(self.user_id, trigger_id)
        return Response(
            {
                "success": True,
                "message": "The trigger was deleted.",
                "metadata": {"triggerId": trigger_id},
            }
        )


class EnableView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Let a trigger fire."""
        return answer(writing.change(self.user_id, trigger_id, _enable))


class DisableView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Keep a trigger from firing."""
        return answer(writing.change(self.user_id, trigger_id, partial(switch, on=False)))


def _enable(trigger: Trigger) -> None:
    if trigger.enabled:
        return
    switch(trigger, on=True)
    if found := list(rule_faults(trigger)):
        raise InvalidFieldsError(found)
