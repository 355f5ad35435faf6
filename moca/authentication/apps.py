from django.apps import AppConfig


class AuthenticationConfig(AppConfig):
    name = "moca.authentication"
    verbose_name = "Operators"

    def ready(self) -> None:
        from moca.authentication import signals  # noqa: F401  (connects the receivers)
