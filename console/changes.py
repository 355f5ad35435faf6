"""The audit entries of a row, as the pages show them: who changed what, and when."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from moca import audit, reasons
from moca.authentication.models import AuditEntry
from triggers.models import FOREVER

CHANGES = 50
# The end of a pause that only a person ends, as an audit entry has it.
ENDLESS = FOREVER.isoformat().replace("+00:00", "Z")
# The name, in an audit entry, of the id of a test event.
TEST_EVENT = "test event"


def changes_of(instance: Model, labels: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The latest changes of a row, with the values before and after.

    Args:
        instance: the row, which the reader may see.
        labels: labels of fields that differ from those of the model.
    """
    named = {**(labels or {}), TEST_EVENT: _("Test event")}
    entries = AuditEntry.objects.filter(
        object_id=instance.pk, object_type=instance._meta.label_lower
    )
    return [
        {
            "entry": entry,
            "reason": reasons.shown(entry, "reason"),
            "values": [
                (label, _shown(before), _shown(after))
                for label, before, after in audit.changed_values(entry, type(instance), named)
            ],
        }
        for entry in entries.order_by("-id")[:CHANGES]
    ]


def _shown(value: str) -> str:
    return _("Until somebody resumes") if value == ENDLESS else value
