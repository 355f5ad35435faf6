"""The command `issue_token`, for installations without a Cognito user pool."""

import argparse
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from moca.authentication.models import Operator
from moca.authentication.tokens import MAX_USER_ID, is_user_id, issue

MAX_HOURS = 24 * 366


class Command(BaseCommand):
    help = "Print a token for the API of an installation without Cognito and without Lambda."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "user_id", help="Whose triggers the token is for: a user id, or an operator's username."
        )
        parser.add_argument(
            "--hours",
            type=float,
            default=12,
            help=f"How long it is good, at most {MAX_HOURS}; 12 by default.",
        )

    def handle(self, *args: Any, user_id: str, hours: float, **options: Any) -> None:
        if settings.COGNITO_USER_POOL_ID:
            raise CommandError(
                "Tokens come from Cognito here, since COGNITO_USER_POOL_ID is set: sign in there."
            )
        if settings.TRIGGER_LAMBDA_ARN:
            raise CommandError(
                "The deployed API takes the tokens of a user pool, and none of this machine: set "
                "the stack's CognitoUserPoolId."
            )
        if not is_user_id(user_id):
            raise CommandError(f"Give a user id of 1 to {MAX_USER_ID} printable characters.")
        if not 0 < hours <= MAX_HOURS:
            raise CommandError(f"Give --hours above 0 and up to {MAX_HOURS}.")
        user_id = Operator.objects.user_id_of(user_id)
        if not Operator.objects.filter(subject=user_id).exists():
            self.stderr.write(
                f"No operator has the name or user id {user_id}: the token is for another user."
            )
        self.stdout.write(issue(user_id, lasting=timedelta(hours=hours), now=timezone.now()))
