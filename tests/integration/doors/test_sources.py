"""Each interface that changes an event source writes the same audit entry, or none if refused."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from events import signing_keys
from events.buses import BusError
from events.models import EventSource
from tests.integration.admin.conftest import overtaken
from tests.integration.doors.conftest import Import, page, record

ADMIN, CONSOLE = "/admin/events/eventsource/", "/console/events"
SECRET = "a-secret-that-nobody-guesses"
FULL = "EventBridge has no room for more rules."
FORMS = ["admin", "console", "import"]
PAGES = ["admin", "console"]


class Doors:
    """Makes one change through an interface, and returns what the operator reads."""

    def __init__(self, client: Client, imported: Import) -> None:
        self.client, self.imported = client, imported

    def create(self, door: str) -> str:
        entered = {"id": "shop", "name": "Shop", "kind": "webhook", "secret": SECRET}
        match door:
            case "admin":
                return page(self.client, f"{ADMIN}add/", entered)
            case "console":
                return page(self.client, f"{CONSOLE}/new", entered)
            case "import":
                entry = {"id": "shop", "name": "Shop", "kind": "webhook"}
                return self.imported({"eventSources": [entry]})
        raise NotImplementedError(door)

    def rename(self, door: str) -> str:
        entered = {"name": "Other", "opened_version": 1}
        match door:
            case "admin":
                return page(self.client, f"{ADMIN}shop/change/", entered)
            case "console":
                return page(self.client, f"{CONSOLE}/shop/edit", entered)
            case "import":
                entry = {"id": "shop", "name": "Other", "kind": "webhook"}
                return self.imported({"eventSources": [entry]})
        raise NotImplementedError(door)

    def delete(self, door: str) -> str:
        address = f"{ADMIN}shop/delete/" if door == "admin" else f"{CONSOLE}/shop/delete"
        return page(self.client, address, {"post": "yes"})

    def rotate_secret(self) -> str:
        return page(self.client, f"{CONSOLE}/shop/secret", {})


@pytest.fixture
def doors(editor: Client, imported: Import) -> Doors:
    return Doors(editor, imported)


@pytest.fixture
def shop(db: None) -> EventSource:
    sealed = signing_keys.seal(SECRET, timezone.now())
    source = EventSource(id="shop", name="Shop", kind="webhook", secrets=sealed)
    source.save()
    return source


@pytest.fixture
def full(request: pytest.FixtureRequest) -> Iterator[None]:
    """The bus refuses to write and to delete rules."""
    error = BusError(FULL, is_refusal=True)
    bus = "events.buses.local.LocalBus"
    with patch(f"{bus}.keep", side_effect=error), patch(f"{bus}.drop", side_effect=error):
        yield


class TestRecord:
    @pytest.mark.parametrize("door", FORMS)
    def test_new(self, doors: Doors, door: str) -> None:
        doors.create(door)
        assert record() == [("created", "events.eventsource", "Shop", {})]

    @pytest.mark.parametrize("door", FORMS)
    def test_changed(self, doors: Doors, shop: EventSource, door: str) -> None:
        doors.rename(door)
        changes = {"name": ["Shop", "Other"]}
        assert record() == [("updated", "events.eventsource", "Other", changes)]

    @pytest.mark.parametrize("door", PAGES)
    def test_deleted(self, doors: Doors, shop: EventSource, door: str) -> None:
        doors.delete(door)
        assert record() == [("deleted", "events.eventsource", "Shop", {})]


class TestRefusal:
    """The event bus refuses: the reason is shown, and nothing changes."""

    @pytest.mark.parametrize("door", FORMS)
    def test_new(self, doors: Doors, full: None, door: str) -> None:
        read = doors.create(door)
        assert (FULL in read, EventSource.objects.count(), record()) == (True, 0, [])

    @pytest.mark.parametrize("door", FORMS)
    def test_changed(self, doors: Doors, shop: EventSource, full: None, door: str) -> None:
        read = doors.rename(door)
        assert (FULL in read, EventSource.objects.get().name, record()) == (True, "Shop", [])

    @pytest.mark.parametrize("door", PAGES)
    def test_deleted(self, doors: Doors, shop: EventSource, full: None, door: str) -> None:
        read = doors.delete(door)
        assert (FULL in read, EventSource.objects.count(), record()) == (True, 1, [])


@pytest.mark.sqlite
class TestLostRace:
    """Another write comes first: the change is retried on the row that is stored then."""

    @pytest.mark.parametrize("door", PAGES)
    def test_deleted(self, doors: Doors, shop: EventSource, door: str) -> None:
        with overtaken("DELETE", "shop", times=1):
            doors.delete(door)
        assert (EventSource.objects.count(), len(record())) == (0, 1)

    def test_new_secret_is_added_to_the_stored_ones(self, doors: Doors, shop: EventSource) -> None:
        with overtaken("UPDATE", "shop", times=1):
            doors.rotate_secret()
        held = EventSource.objects.get().active_secrets(timezone.now())
        assert (len(held), held[-1]) == (2, SECRET)
