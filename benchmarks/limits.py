"""The limit of open files, which benchmarks with thousands of connections raise."""

import resource


def raise_limit() -> int:
    """Raise the limit of this process and its children as far as allowed; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
