"""The app config of moca, which registers the system checks."""

from django.apps import AppConfig
from django.core.checks import register


class MocaConfig(AppConfig):
    default = True
    name = "moca"

    def ready(self) -> None:
        from moca import (  # noqa: F401  (their import registers the checks)
            address_checks,
            checks,
            telemetry_checks,
        )
        from moca.dynamodb.checks import check_layouts

        register(check_layouts)
