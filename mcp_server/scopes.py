"""What a credential may do over MCP, in scopes."""

from enum import StrEnum
from typing import Any

from django.conf import settings

from moca.authentication.models import Role


class Scope(StrEnum):
    READ = "read"
    RUN = "run"
    WRITE = "write"


def granted(caller: Any, credential: Any) -> frozenset[Scope]:
    """The scopes of a caller: those of the role, as far as the token has them too."""
    is_viewer = caller.role.rank < Role.EDITOR.rank
    scopes = frozenset({Scope.READ} if is_viewer else Scope)
    if settings.MCP_RESOURCE_SERVER and getattr(credential, "scopes", None) is not None:
        prefix = f"{settings.MCP_RESOURCE_SERVER}/"
        scopes &= {Scope(name) for name in Scope if f"{prefix}{name}" in credential.scopes}
    return scopes
