"""API views under /triggers; those of runs are in `executions.api`."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from moca.api import parameters
from moca.api.editions import edition_of, is_oldest_first
from moca.api.errors import APIError, InvalidParameterError, NotFoundError
from moca.api.pagination import page
from moca.api.views import APIView
from moca.concurrency import StaleVersionError
from triggers import services
from triggers.models import Trigger, TriggerQuerySet, TriggerType
from triggers.serializers import TriggerSerializer

MAX_PAGE = 1000
# Characters of an Idempotency-Key.
MAX_KEY = 255


def respond(trigger: Trigger, status: int = 200) -> Response:
    """The answer that shows a trigger."""
    shown = TriggerSerializer(trigger, context={"now": timezone.now()})
    return Response({"trigger": shown.data}, status=status)


def find(user_id: str, trigger_id: str) -> Trigger:
    """The user's trigger of an id; NotFoundError if the user has none."""
    trigger: Trigger | None = Trigger.objects.find(user_id, trigger_id)
    if trigger is None:
        raise NotFoundError("trigger")
    return trigger


def apply(change: Callable[..., Any], user_id: str, trigger_id: str) -> Trigger:
    """Call a function of `triggers.services`, and return the trigger as it is stored then."""
    trigger = Trigger(pk=trigger_id, user_id=user_id)
    try:
        change(trigger, by=user_id)
    except Trigger.DoesNotExist as error:
        raise NotFoundError("trigger") from error
    return trigger


class TriggersView(APIView):
    parameters: ClassVar = {
        "GET": (
            *("limit", "nextToken", "type", "enabled", "search", "order"),
            *("createdBy", "waitsForPerson"),
        )
    }

    def get(self, request: Request) -> Response:
        """List the user's triggers, newest first."""
        query, edition = request.query_params, edition_of(request)
        filters = {
            "type": parameters.choice(query, "type", TriggerType.values),
            "enabled": parameters.choice(query, "enabled", ["true", "false"]),
            "search": parameters.search_text(query, "search"),
            "createdBy": parameters.choice(query, "createdBy", ["agent"]),
            "waitsForPerson": parameters.choice(query, "waitsForPerson", ["true", "false"]),
        }
        triggers, following = page(
            _filtered(Trigger.objects.of_user(self.user_id), filters),
            limit=edition.page_size(query, default=MAX_PAGE, most=MAX_PAGE),
            token=query.get("nextToken"),
            bound_to=[self.user_id, "triggers", filters],
            oldest_first=is_oldest_first(request, usual=edition.order),
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
        if len(key) > MAX_KEY:
            raise InvalidParameterError("Idempotency-Key", f"Give at most {MAX_KEY} characters.")
        try:
            trigger = services.create(self._make, by=self.user_id, key=key, request=self.body)
        except services.IdempotencyError as error:
            raise APIError(409, str(error)) from error
        return respond(trigger, status=201)

    def _make(self) -> Trigger:
        trigger = Trigger(user_id=self.user_id)
        TriggerSerializer(trigger, data=self.body).fill()
        return trigger


def _filtered(rows: TriggerQuerySet, filters: dict[str, str]) -> TriggerQuerySet:
    if wanted := filters["type"]:
        rows = rows.filter(type=wanted)
    if enabled := filters["enabled"]:
        rows = rows.firing(timezone.now(), wanted=enabled == "true")
    if text := filters["search"]:
        rows = rows.search(text)
    if filters["createdBy"]:
        rows = rows.filter(created_by_agent=True)
    if waits := filters["waitsForPerson"]:
        rows = rows.filter(waits_for_person=waits == "true")
    return rows


class TriggerView(APIView):
    def get(self, request: Request, trigger_id: str) -> Response:
        """Show a trigger."""
        return respond(find(self.user_id, trigger_id))

    def put(self, request: Request, trigger_id: str) -> Response:
        """Change a trigger; what is left out stays as it is."""

        def fill(trigger: Trigger) -> None:
            _check_version(trigger, request.headers.get("If-Match", ""))
            TriggerSerializer(trigger, data=self.body).fill()

        change = partial(services.change, apply=fill)
        return respond(apply(change, self.user_id, trigger_id))

    patch = put

    def delete(self, request: Request, trigger_id: str) -> Response:
        """Delete a trigger and its schedule."""
        try:
            apply(services.delete, self.user_id, trigger_id)
        except NotFoundError:
            if not edition_of(request).deletes_twice:
                raise
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
        return respond(apply(services.enable, self.user_id, trigger_id))


class DisableView(APIView):
    def post(self, request: Request, trigger_id: str) -> Response:
        """Keep a trigger from firing."""
        return respond(apply(services.disable, self.user_id, trigger_id))


def _check_version(trigger: Trigger, if_match: str) -> None:
    """Raise APIError 412 if a trigger has another version than an If-Match header names."""
    if not if_match:
        return
    versions = parse_etags(if_match)
    if not versions:
        raise InvalidParameterError("If-Match", 'Give the version in quotes, such as "3".')
    if "*" not in versions and f'"{trigger.version}"' not in versions:
        raise APIError(412, str(StaleVersionError(trigger)))
