"""Clients of AWS services: one a process, with time-outs and bounded retries."""

from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

# The errors of calls are handed on, so that callers know this package and not botocore.
__all__ = ["BotoCoreError", "ClientError", "client", "credentials", "is_refusal"]

CONNECT_SECONDS = 2
READ_SECONDS = 10
# Calls in all, with pauses between them that grow and have jitter.
ATTEMPTS = 5
REQUEST_TIMEOUT = 408


@cache
def client(service: str, region: str | None = None) -> Any:
    """The client of a service such as `scheduler`, which all threads share.

    Args:
        service: the service as boto3 names it.
        region: where it is; None for AWS_REGION.
    """
    from botocore.config import Config  # 0.15 s of each start that installations without AWS skip

    return _session().create_client(
        service,
        region_name=region or settings.AWS_REGION,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=64,
        ),
    )


def credentials() -> Any:
    """The frozen credentials of this process as they are now; None if it has none."""
    found = _session().get_credentials()
    return found and found.get_frozen_credentials()


@cache
def _session() -> Any:
    # Not boto3, which takes longer still to load.
    import botocore.session  # 0.3 s of each start, which installations without AWS never need

    return botocore.session.get_session()


def is_refusal(error: Exception) -> bool:
    """Whether an error of a call is a service's clear answer that it did nothing.

    After a retry nobody knows whether an earlier try was made and its answer was lost.
    """
    metadata = getattr(error, "response", {}).get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    return 400 <= status < 500 and status != REQUEST_TIMEOUT and not metadata.get("RetryAttempts")
