"""The dead man's switch: calls HEARTBEAT_URL while schedules are fired.

A monitoring service, such as Healthchecks or Cronitor, alerts people if the calls stay away. It
does so even if this machine is gone, and all that could send an alert with it.
"""

import logging
import random
import time

import httpx
from django.conf import settings

logger = logging.getLogger(__name__)

# How often the URL is called.
EVERY_SECONDS = 180.0
TIMEOUT_SECONDS = 10.0
TRIES = 2
# The longest pause before the second try.
PAUSE_SECONDS = 5.0


def call() -> str:
    """Call HEARTBEAT_URL; returns why that failed, or an empty text.

    A failure is logged. The URL stays out of the log and of the text, because it is a secret of the
    monitoring service.
    """
    error = ""
    for count in range(TRIES):
        if count:
            time.sleep(PAUSE_SECONDS * random.uniform(0.2, 1))  # noqa: S311  (no secret)
        error = _call_once()
        if not error:
            return ""
    logger.warning("HEARTBEAT_URL could not be called: %s", error)
    return error


def _call_once() -> str:
    try:
        answer = httpx.get(settings.HEARTBEAT_URL, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    except httpx.TimeoutException:
        return f"No answer within {TIMEOUT_SECONDS:.0f} s."
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"The connection failed ({type(error).__name__})."
    return "" if answer.is_success else f"The answer was HTTP {answer.status_code}."
