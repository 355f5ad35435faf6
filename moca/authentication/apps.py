"""The app config of authentication, which connects the receivers of signals."""

from django.apps import AppConfig


class AuthenticationConfig(AppConfig):
    name = "moca.authentication"
    verbose_name = "Operators"

    def ready(self) -> None:
        from moca.authentication import signals  # noqa: F401  (its import connects the receivers)
