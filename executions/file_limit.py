"""The limit of open files, which bounds how many runs a scheduler process may have under way."""

import logging
import resource

logger = logging.getLogger(__name__)

# Files that a process needs besides one connection for each run.
RESERVED = 256


def affordable(places: int) -> int:
    """Raise this process's limit of open files for so many runs; returns how many fit.

    Args:
        places: the setting SCHEDULER_CONCURRENCY.
    """
    needed = places + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most >= needed:
        return places
    fitting = max(1, most - RESERVED)
    logger.warning(
        "The limit of open files is %d, so that %d runs go on at the same time instead of %d: "
        "raise it (ulimit -n, LimitNOFILE, --ulimit nofile) to %d, or lower SCHEDULER_CONCURRENCY",
        hard,
        fitting,
        places,
        needed,
    )
    return fitting
