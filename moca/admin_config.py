"""The app config of the admin; a module of its own, since functions without pages skip it."""

from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    default = False
    default_site = "moca.admin.AdminSite"
