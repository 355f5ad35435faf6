"""The command `list_keys`: the API keys, without their secrets."""

from typing import Any

from django.core.management.base import BaseCommand

from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Operator
from moca.times import iso


class Command(BaseCommand):
    help = "List the API keys with owner, scopes, end and last use."

    def handle(self, *args: Any, **options: Any) -> None:
        names = dict(Operator.objects.values_list("subject", "username"))
        found = list(APIKey.objects.all())
        for key in found:
            end = f"ends {iso(key.expires_at)}" if key.expires_at else "has no end"
            used = f"used {iso(key.last_used_at)}" if key.last_used_at else "never used"
            owner = names.get(key.user_id, key.user_id)
            parts = [key.pk, key.name, owner, ",".join(key.scopes), end, used]
            self.stdout.write("  ".join([*parts, "agent"] if key.is_agent else parts))
        if not found:
            self.stdout.write("There is no API key: create_key makes one.")
