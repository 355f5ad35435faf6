"""What was changed, by whom, as the pages tell it."""

import json
from typing import Any

from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from moca.authentication.models import AuditEntry

CHANGES = 50
# What stands in an entry in the place of a field: the id of a test event that was sent.
TEST_EVENT = "test event"


def changes_of(instance: Model) -> list[dict[str, Any]]:
    """The latest changes of a row, with the values before and after."""
    labels = {field.name: capfirst(str(field.verbose_name)) for field in instance._meta.fields}
    labels |= {TEST_EVENT: _("Test event")}
    entries = AuditEntry.objects.filter(
        object_id=instance.pk, object_type=instance._meta.label_lower
    )
    return [
        {
            "entry": entry,
            "values": [
                (labels.get(name, name), _readable(before), _readable(after))
                for name, (before, after) in entry.changes.items()
            ],
        }
        for entry in entries.order_by("-id")[:CHANGES]
    ]


def _readable(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
