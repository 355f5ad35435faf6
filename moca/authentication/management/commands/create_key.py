"""The command `create_key`, which prints a new API key."""

import argparse
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from moca import audit
from moca.authentication.api_keys import services
from moca.authentication.api_keys.model import APIKey, Scope
from moca.authentication.models import Operator
from moca.authentication.tokens import MAX_USER_ID, TokenError, is_user_id


class Command(BaseCommand):
    help = "Print a new API key, which is not shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "user_id", help="Whose triggers the key is for: a user id, or an operator's username."
        )
        parser.add_argument("name", help="What the key is for.")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            dest="scopes",
            help="What the key may do; repeat it for several. `read` by default.",
        )
        parser.add_argument(
            "--trigger",
            action="append",
            dest="triggers",
            help="The id of the only trigger it is for; repeat it for several. All by default.",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=services.DEFAULT_DAYS,
            help=f"When it ends; 0: never. {services.DEFAULT_DAYS} by default.",
        )
        parser.add_argument("--agent", action="store_true", help="An agent uses it.")
        parser.add_argument(
            "--may-enable",
            action="store_true",
            help="What the agent writes fires without a person who enables it.",
        )

    def handle(self, *args: Any, user_id: str, name: str, days: int, **options: Any) -> None:
        if not is_user_id(user_id):
            raise CommandError(f"Give a user id of 1 to {MAX_USER_ID} printable characters.")
        if not 0 <= days <= services.MOST_DAYS:
            raise CommandError(f"Give --days from 0 to {services.MOST_DAYS}.")
        key = APIKey(
            user_id=Operator.objects.user_id_of(user_id),
            name=name,
            scopes=list(dict.fromkeys(options["scopes"] or [Scope.READ.value])),
            trigger_ids=list(dict.fromkeys(options["triggers"] or [])),
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            is_agent=options["agent"],
            may_enable=options["may_enable"],
        )
        try:
            text = services.make(key, by=audit.system("create_key"))
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        except TokenError as error:
            raise CommandError(f"{user_id} is not active: activate the operator first.") from error
        self.stderr.write(f"The key {key.pk} is not shown again:")
        self.stdout.write(text)
