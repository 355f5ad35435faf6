"""When a trigger fired in the past, by the audit log: not while it was disabled or paused."""

from bisect import bisect_right
from collections import defaultdict
from datetime import datetime
from typing import Any

from moca.audit import UNCERTAIN
from moca.authentication.models import AuditEntry
from moca.ids import first_id
from moca.times import iso, parse_iso
from triggers.models import InstallationPause, Trigger
from triggers.models.pause import INSTALLATION

# How many audit entries of a trigger are read.
MOST_READ = 1000
# Fields whose change makes other occurrences of the time before it.
OF_THE_SCHEDULE = ("schedule_config", "type")


class Timeline:
    """The values that fields of one row had since a moment; one bounded read."""

    def __init__(self, label: str, key: str, present: dict[str, Any], since: datetime) -> None:
        rows = AuditEntry.objects.filter(
            object_id=key, object_type=label, pk__gte=first_id(since - UNCERTAIN)
        )
        self._present = present
        self._times: dict[str, list[datetime]] = defaultdict(list)
        self._before: dict[str, list[Any]] = defaultdict(list)
        for entry in rows.order_by("pk")[:MOST_READ]:
            for name, values in entry.changes.items():
                if isinstance(values, list) and values:
                    self._times[name].append(entry.at)
                    self._before[name].append(values[0])

    def at(self, name: str, moment: datetime) -> Any:
        """The value at a moment: that before the next change, or the present one."""
        place = bisect_right(self._times[name], moment)
        before = self._before[name]
        return before[place] if place < len(before) else self._present.get(name)

    def last_change(self, name: str) -> datetime | None:
        """When the field was changed for the last time since the start; None if it was not."""
        return max(self._times[name], default=None)


class History:
    """Whether a trigger fired at moments since a start."""

    def __init__(self, trigger: Trigger, since: datetime) -> None:
        present = {"enabled": trigger.enabled, "paused_until": trigger.paused_until}
        self._trigger = Timeline(trigger._meta.label_lower, trigger.pk, present, since)
        pause = InstallationPause.objects.filter(pk=INSTALLATION).first()
        switch = {"paused_until": pause.paused_until if pause else None}
        label = InstallationPause._meta.label_lower
        self._installation = Timeline(label, INSTALLATION, switch, since)

    def fired_at(self, moment: datetime) -> bool:
        """Whether the trigger was enabled, and neither it nor the installation was paused."""
        is_enabled = self._trigger.at("enabled", moment) is not False
        return is_enabled and not any(
            _is_later(each.at("paused_until", moment), moment)
            for each in (self._trigger, self._installation)
        )

    def schedule_since(self) -> datetime | None:
        """When the schedule was changed for the last time; None if it was not."""
        found = [self._trigger.last_change(name) for name in OF_THE_SCHEDULE]
        return max((moment for moment in found if moment), default=None)


def _is_later(value: Any, moment: datetime) -> bool:
    if not value:
        return False
    return parse_iso(iso(value) if isinstance(value, datetime) else str(value)) > moment
