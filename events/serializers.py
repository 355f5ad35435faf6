"""Serializes event sources for the API's answers and for exported files."""

from typing import Any

from events.models import EventSource
from moca.api.fields import Document, Number, Text
from moca.api.serializers import RowSerializer


class EventSourceSerializer(RowSerializer):
    """An event source, to which event triggers listen."""

    id = Text()
    name = Text()
    description = Text(always=True)
    icon = Text()
    kind = Text(required=True, write_only=True)
    event_bus_name = Text(source="bus_name", write_only=True)
    event_pattern = Document(source="pattern")
    options = Document(write_only=True)
    replay_window_seconds = Number(
        "If no id is signed: how long the same body is the same event, whatever its delivery's id.",
        source="replay_seconds",
    )

    class Meta:
        model = EventSource

    def to_representation(self, instance: EventSource) -> dict[str, Any]:
        answer = super().to_representation(instance)
        if not instance.has_replay_window:
            answer.pop("replayWindowSeconds", None)
        return answer
