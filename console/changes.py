"""What was changed, by whom, as the pages tell it."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from moca import audit, reasons
from moca.authentication.models import AuditEntry

CHANGES = 50
# What stands in an entry in the place of a field: the id of a test event that was sent.
TEST_EVENT = "test event"


def changes_of(instance: Model, labels: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The latest changes of a row, with the values before and after.

    Args:
        instance: the row, which the reader may see.
        labels: what its fields are called, where that is not as the model calls them.
    """
    named = {**(labels or {}), TEST_EVENT: _("Test event")}
    entries = AuditEntry.objects.filter(
        object_id=instance.pk, object_type=instance._meta.label_lower
    )
    return [
        {
            "entry": entry,
            "reason": reasons.shown(entry, "reason"),
            "values": audit.told(entry, type(instance), named),
        }
        for entry in entries.order_by("-id")[:CHANGES]
    ]
