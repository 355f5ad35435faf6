from django.apps import AppConfig
from django.contrib.admin import apps


class MocaConfig(AppConfig):
    default = True
    name = "moca"

    def ready(self) -> None:
        from moca import checks  # noqa: F401  (registers the system checks)


class AdminConfig(apps.AdminConfig):
    default = False
    default_site = "moca.admin.AdminSite"
