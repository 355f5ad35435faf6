"""Settings of `manage.py runscheduler`, which serves neither pages nor the API.

Without their apps, the process needs a third less memory.
"""

from moca.settings import *  # noqa: F403

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "alerts",
    "events",
    "triggers",
    "executions",
]
ROOT_URLCONF = "moca.scheduler_settings"
urlpatterns: list[object] = []
MIDDLEWARE = []
TEMPLATES = []
