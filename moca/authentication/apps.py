from django.apps import AppConfig


class AuthenticationConfig(AppConfig):
    name = "moca.authentication"
    verbose_name = "Operators"
