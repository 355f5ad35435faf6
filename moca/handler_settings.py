"""Settings of the handler's Lambda function, which loads no pages and no API."""

from moca.settings import *  # noqa: F403

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "triggers",
    "executions",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
