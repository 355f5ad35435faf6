"""Which paths belong to the API, and how ids stand in them."""

from django.urls import Resolver404, resolve

ROOTS = {"triggers", "schedules", "events", "health", "openapi.json"}
# Where what is sent is signed, by headers of many names.
SIGNED = {"/events"}


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, whatever is below it."""
    return path.removeprefix("/").partition("/")[0] in ROOTS


def is_route(path: str) -> bool:
    """Whether there is a view for a path."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


class IdConverter:
    """An id in a path: whatever could stand in the database, looked up as it is given."""

    regex = r"[^/\x00-\x1f\x7f]{1,128}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
