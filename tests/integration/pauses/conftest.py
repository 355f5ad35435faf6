"""The doors through which people pause: the API, the pages and the commands."""

from tests.integration.admin.conftest import administrator, editor, viewer
from tests.integration.api.conftest import alice, bob
from tests.integration.console.conftest import act
from tests.integration.eventbridge.conftest import eventbridge, failing

__all__ = ["act", "administrator", "alice", "bob", "editor", "eventbridge", "failing", "viewer"]
