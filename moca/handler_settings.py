"""Settings of the handler's Lambda function, which serves neither pages nor the API."""

import logging.config
import os
import secrets

# The function signs nothing, and its folder is read-only: any key will do.
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))

from moca.settings import *  # noqa: F403

INSTALLED_APPS = [
    "moca",
    "moca.authentication",
    "alerts",
    "events",
    "triggers",
    "executions",
]

# Django would first set up its own logs, and load its error pages for them.
LOGGING_CONFIG = None
logging.config.dictConfig(LOGGING)  # noqa: F405
