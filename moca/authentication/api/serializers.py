"""The serializer of API keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from moca.api.fields import Flag, Moment, Names, Number, Text
from moca.api.serializers import RowSerializer
from moca.authentication.api_keys.model import MOST_ID, MOST_TRIGGERS, APIKey, Scope
from moca.authentication.api_keys.services import DEFAULT_DAYS
from moca.times import parse_iso


class WrittenMoment(Moment):
    """A time that requests set."""

    remedy = "Give an ISO 8601 time with an offset, such as 2027-01-31T09:00:00Z."

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_iso(super().to_internal_value(data))
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError(self.remedy) from error


class APIKeySerializer(RowSerializer):
    """An API key, without its secret."""

    refuses_unknown = True

    id = Text("The public part of the key, by which lists and audit entries name it.")
    user_id = Text("Whose triggers it is for.")
    name = Text("What the key is for.", required=True)
    scopes = Names(
        "What the key may do. No scope includes another one.",
        each={"enum": Scope.values},
        rules={"minItems": 1, "uniqueItems": True},
        required=True,
    )
    trigger_ids = Names(
        "The only triggers that the key is for; all without.",
        each={"minLength": 1, "maxLength": MOST_ID},
        rules={"maxItems": MOST_TRIGGERS},
    )
    expires_at = WrittenMoment(
        f"When the key ends. A new key without it ends in {DEFAULT_DAYS} days; null: never."
    )
    is_agent = Flag("Whether an agent uses the key: what it creates is marked and limited.")
    may_enable = Flag("Whether what the agent writes fires without a person who enables it.")
    min_interval_minutes = Number(
        "The least minutes between two runs of what the agent writes; the usual without.",
        empty=(None,),
    )
    max_triggers = Number("How many triggers of the agent may exist; the usual without.")
    created_at = Moment()
    created_by = Text("Who made it.")
    last_used_at = Moment("When it was used last, to five minutes.")

    class Meta:
        model = APIKey

    def complete(self, row: APIKey, body: Mapping[str, Any]) -> None:
        """Set the end of a new key, if the request names none."""
        if "expiresAt" not in body:
            row.expires_at = timezone.now() + timedelta(days=DEFAULT_DAYS)
