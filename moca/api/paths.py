"""Which paths belong to the API, and how ids stand in them."""

ROOTS = {"triggers", "schedules", "events", "health", "openapi.json"}
# Where what is sent is signed, by headers of many names.
SIGNED = {"/events"}


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, whatever is below it."""
    return path.removeprefix("/").partition("/")[0] in ROOTS


class IdConverter:
    """An id in a path: whatever could stand in the database, looked up as it is given."""

    regex = r"[^/\x00-\x1f\x7f]{1,128}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
