"""Serializes channels and rules for the API."""

from datetime import time
from typing import Any

from rest_framework import serializers

from alerts.happenings import Happening
from alerts.models import Channel, ChannelKind, Language, Rule
from moca.api.fields import Choice, Flag, Moment, Names, Number, Text
from moca.api.serializers import RowSerializer


class ClockTime(Text):
    """A time of the day, such as 22:00."""

    show = staticmethod(lambda value: f"{value:%H:%M}")

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return time.fromisoformat(text) if text else None
        except ValueError as error:
            raise serializers.ValidationError("Give a time such as 22:00.", "invalid") from error


class ChannelSerializer(RowSerializer):
    """A channel, without its secret.

    An unknown key is refused: a mistyped `url` would be missed only when an alert is lost.
    """

    refuses_unknown = True

    id = Text("The channel's id.", read_only=True, always=True)
    name = Text()
    kind = Choice(ChannelKind, "`email`, `webhook` or `apprise`.")
    recipients = Text("E-mail addresses with spaces between them, for `email`.")
    url = Text("Where `webhook` posts to. For `apprise` it shows the service alone.")
    secret = Text(
        "The URL of `apprise`, or the secret that signs `webhook`; generated without. Or the ARN "
        "of a secret of Secrets Manager whose name begins with `alerts/`. It is never answered.",
        source="secrets",
        write_only=True,
    )
    language = Choice(Language, "The language of its messages; `en` for a new channel.")
    enabled = Flag("Whether it is switched on; true for a new channel.", always=True)
    off_reason = Text("Why the product has switched it off.", read_only=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(always=True, read_only=True)

    class Meta:
        model = Channel
        name = "Channel"

    def assign(self, row: Any, attribute: str, value: Any) -> None:
        """Set an attribute; a secret is sealed by the view."""
        if attribute == "secrets":
            row.given_secret = value or ""
        elif attribute != "url" or row.kind != ChannelKind.APPRISE:
            super().assign(row, attribute, value)


class RuleSerializer(RowSerializer):
    """A rule: which happenings of which triggers go to a channel."""

    refuses_unknown = True

    id = Text("The rule's id.", read_only=True, always=True)
    name = Text()
    channel_id = Text("The `id` of its channel.")
    enabled = Flag("Whether it is switched on; true for a new rule.", always=True)
    tag = Text("Only triggers with this tag; all, and the installation, without.")
    trigger_id = Text("Only this trigger.")
    kinds = Names(
        "What it tells of; all that keeps triggers from their work for a new rule.",
        each={"enum": list(map(str, Happening.values))},
    )
    after_failures = Number("From so many failures in a row on; 1 for a new rule.", always=True)
    pause_minutes = Number(
        "Minutes between messages about a trigger; 60 for a new rule.", always=True
    )
    quiet_from = ClockTime("When quiet hours begin, such as `22:00`.")
    quiet_until = ClockTime("When quiet hours end, such as `07:00`.")
    quiet_zone = Text("The time zone of the quiet hours; `UTC` for a new rule.")
    includes_output = Flag("Whether messages include the start of the agent's output.", always=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(always=True, read_only=True)

    class Meta:
        model = Rule
        name = "AlertRule"
