"""The admin app, apart from the others so that what has no pages need not load it."""

from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    default = False
    default_site = "moca.admin.AdminSite"
