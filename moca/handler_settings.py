"""Settings of the handler's Lambda function, which loads no pages and no API."""

import os
import secrets

# It signs nothing, and a function's folder keeps no key.
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))

from moca.settings import *  # noqa: F403

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "events",
    "triggers",
    "executions",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
