"""The command `create_operator`, which `make run` calls on its first start too."""

import argparse
import secrets
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, connection, transaction

from moca import audit
from moca.authentication.models import AuditEntry, Operator, Role


class Command(BaseCommand):
    help = "Create an operator who signs in by name and password, or a service account."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username", help="the name to sign in by")
        parser.add_argument(
            "--role",
            choices=Role.values,
            help=f"{Role.ADMIN} by default, {Role.EDITOR} for a service account",
        )
        parser.add_argument("--email", default="", help="none by default")
        parser.add_argument(
            "--subject", help="The user id that the operator's own triggers belong to."
        )
        parser.add_argument(
            "--password", help="Generated and printed once if it is left out.", default=""
        )

        parser.add_argument(
            "--service",
            action="store_true",
            help="A service account, which cannot sign in: it has API keys.",
        )

    def handle(self, *args: Any, username: str, password: str, **options: Any) -> None:
        is_service = options["service"]
        if is_service and password:
            raise CommandError("A service account has no password: leave --password out.")
        generated = None if is_service else password or secrets.token_urlsafe(12)
        options["role"] = options["role"] or (Role.EDITOR if is_service else Role.ADMIN)
        fields = {name: options[name] for name in ("role", "email", "subject") if options[name]}
        try:
            if password:
                validate_password(password, Operator(username=username))
            with transaction.atomic():
                operator = Operator.objects.create_operator(
                    username, password=generated, is_service=is_service, **fields
                )
                audit.note(AuditEntry.Action.CREATED, operator, by=audit.system("create_operator"))
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(
                f"Another operator named {username}, or with that --subject, was created at the "
                "same moment: choose another name or subject."
            ) from error
        shown = "the one given" if password else generated
        database = f"{connection.display_name}, {connection.settings_dict['NAME']}"
        if is_service:
            self.stdout.write(f"Service account {username} ({operator.role})")
        else:
            self.stdout.write(f"Operator {username} ({operator.role}), password: {shown}")
        self.stdout.write(f"It is in {database}.")
