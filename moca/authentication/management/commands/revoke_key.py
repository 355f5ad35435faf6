"""The command `revoke_key`, which revokes API keys."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moca import audit
from moca.authentication.access import STATE_SECONDS
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey


class Command(BaseCommand):
    help = "Revoke API keys, so that nobody can use them any more."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("ids", nargs="+", metavar="id", help="As list_keys shows it.")

    def handle(self, *args: Any, ids: list[str], **options: Any) -> None:
        found = {key.pk: key for key in APIKey.objects.filter(pk__in=ids)}
        if unknown := [key for key in ids if key not in found]:
            raise CommandError(
                f"There is no API key {', '.join(unknown)}, and none was revoked: list_keys shows "
                "the ids."
            )
        for key in found.values():
            services.revoke(key, by=audit.system("revoke_key"))
        self.stdout.write(
            f"Revoked {len(found)}. Processes that run notice within {STATE_SECONDS} seconds."
        )
