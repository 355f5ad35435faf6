"""The dead man's switch: calls HEARTBEAT_URL while schedules are fired.

A monitoring service, such as Healthchecks or Cronitor, alerts people if the calls stay away. It
does so even if this machine is gone, and all that could send an alert with it.
"""

import logging

import httpx
from django.conf import settings

from moca.retry import retry

logger = logging.getLogger(__name__)

# How often the URL is called.
EVERY_SECONDS = 180.0
TIMEOUT_SECONDS = 10.0
TRIES = 2
# The longest pause before the second try.
PAUSE_SECONDS = 5.0


class _CallError(Exception):
    """A call of the URL failed; the text says why, without the URL."""


def call() -> str:
    """Call HEARTBEAT_URL; returns why that failed, or an empty text.

    A failure is logged. The URL stays out of the log and of the text, because it is a secret of the
    monitoring service.
    """
    try:
        retry(_call_once, _CallError, tries=TRIES, first=PAUSE_SECONDS, longest=PAUSE_SECONDS)
    except _CallError as error:
        logger.warning("HEARTBEAT_URL could not be called: %s", error)
        return str(error)
    return ""


def _call_once() -> None:
    try:
        answer = httpx.get(settings.HEARTBEAT_URL, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    except httpx.TimeoutException:
        raise _CallError(f"No answer within {TIMEOUT_SECONDS:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _CallError(f"The connection failed ({type(error).__name__}).") from None
    if not answer.is_success:
        raise _CallError(f"The answer was HTTP {answer.status_code}.")
