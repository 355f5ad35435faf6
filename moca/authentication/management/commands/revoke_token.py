"""The command `revoke_token`, which deletes the rows of tokens."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moca import audit
from moca.authentication.access import STATE_SECONDS
from moca.authentication.models import APIToken


class Command(BaseCommand):
    help = "Revoke API tokens, so that nobody can use them any more."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("ids", nargs="+", metavar="id", help="As list_tokens shows it.")

    def handle(self, *args: Any, ids: list[str], **options: Any) -> None:
        found = {token.pk: token for token in APIToken.objects.filter(pk__in=ids)}
        if unknown := [key for key in ids if key not in found]:
            raise CommandError(
                f"There is no token {', '.join(unknown)}, and none was revoked: list_tokens shows "
                "the ids."
            )
        for token in found.values():
            audit.delete(token, by="revoke_token")
        self.stdout.write(
            f"Revoked {len(found)}. Processes that run notice within {STATE_SECONDS} seconds."
        )
