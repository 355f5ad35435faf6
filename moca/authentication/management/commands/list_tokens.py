"""The command `list_tokens`: the tokens of `issue_token` that are still valid."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from moca.authentication.models import APIToken, Operator
from moca.times import iso


class Command(BaseCommand):
    help = "List the API tokens that issue_token printed and that are still good."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        found = [token for token in APIToken.objects.all() if token.expires_at > now]
        names = dict(Operator.objects.values_list("subject", "username"))
        for token in found:
            name = names.get(token.user_id)
            self.stdout.write(
                f"{token.pk}  issued {iso(token.created_at)}  expires {iso(token.expires_at)}  "
                f"{token.user_id}{f' ({name})' if name else ''}"
            )
        if not found:
            self.stdout.write("No token is good: issue_token prints one.")
