"""Clients of AWS services with time-outs and bounded retries; one per service and process."""

from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

# Re-export the errors of calls, so that callers import this module and not botocore.
__all__ = ["BotoCoreError", "ClientError", "client", "credentials", "is_refusal"]

CONNECT_SECONDS = 2
READ_SECONDS = 10
# Tries per call of any service. botocore waits up to 1, 2, 4 and 8 s between them, with jitter.
# How often EventBridge delivers to a function is DELIVERY_RETRIES in the modules `eventbridge`.
ATTEMPTS = 5
REQUEST_TIMEOUT = 408


@cache
def client(
    service: str,
    region: str | None = None,
    *,
    attempts: int = ATTEMPTS,
    read_seconds: int = READ_SECONDS,
) -> Any:
    """The client of a service; all threads share it.

    Args:
        service: boto3's name of the service, such as `scheduler`.
        region: the region; None for AWS_REGION.
        attempts: the tries per call, for callers that retry themselves.
        read_seconds: how long an answer may take.
    """
    from botocore.config import Config  # 0.15 s of each start that installations without AWS skip

    return _session().create_client(
        service,
        region_name=region or settings.AWS_REGION,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=64,
        ),
    )


def credentials() -> Any:
    """The current credentials of this process, frozen; None if it has none."""
    found = _session().get_credentials()
    return found and found.get_frozen_credentials()


@cache
def _session() -> Any:
    # botocore loads faster than boto3.
    import botocore.session  # 0.3 s of each start, which installations without AWS never need

    return botocore.session.get_session()


def is_refusal(error: Exception) -> bool:
    """Whether an error means that the service certainly did nothing.

    After a retry this is unknown: an earlier try may have succeeded, and its answer was lost.
    """
    metadata = getattr(error, "response", {}).get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    return 400 <= status < 500 and status != REQUEST_TIMEOUT and not metadata.get("RetryAttempts")
