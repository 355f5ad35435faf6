"""Runs that have said something."""

from tests.integration.admin.conftest import administrator, editor, viewer
from tests.integration.api.conftest import alice, bob, make_execution

__all__ = ["administrator", "alice", "bob", "editor", "make_execution", "viewer"]
