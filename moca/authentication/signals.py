"""Ends all sessions of an operator who signs out."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver

from moca.authentication.models import Operator


@receiver(user_logged_out)
def end_sessions(user: Operator | None, **_: Any) -> None:
    if user is not None:
        user.end_sessions()
