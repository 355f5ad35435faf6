from django.apps import AppConfig
from django.core.checks import register


class MocaConfig(AppConfig):
    default = True
    name = "moca"

    def ready(self) -> None:
        from moca import checks  # noqa: F401  (registers the system checks)
        from moca.dynamodb.checks import check_layouts

        register(check_layouts)
