"""What a credential may do over MCP, and the agent that it makes of its caller."""

from dataclasses import dataclass, fields, replace
from typing import Any

from django.conf import settings

from moca.authentication.api import Caller
from moca.authentication.api_keys.grant import OF_PERSON, Grant, KeyUser
from moca.authentication.api_keys.model import Scope
from moca.authentication.models import Role

# The scopes that tools need. Nothing here is for admins.
OFFERED = (Scope.READ, Scope.RUN, Scope.WRITE)
# Characters of a key and its client in an audit entry, and of the name of who created a trigger.
MAX_LABEL, MAX_NAME = 90, 60
NAMELESS = "MCP client"


@dataclass(frozen=True, slots=True)
class ClientGrant(Grant):
    """A grant that an MCP client uses; audit entries name the client too."""

    client: str = ""

    @property
    def label(self) -> str:
        key = f"{self.name} ({self.id})"
        return f"{key}, {self.client}"[:MAX_LABEL] if self.client and self.has_row else key


def granted(caller: Caller, credential: Any) -> frozenset[Scope]:
    """The scopes of a caller: those of the role, as far as the key or the token has them too."""
    is_viewer = caller.role.rank < Role.EDITOR.rank
    scopes = frozenset({Scope.READ} if is_viewer else OFFERED)
    if caller.key is not None:
        return scopes & {Scope(name) for name in caller.key.scopes}
    if settings.MCP_RESOURCE_SERVER and getattr(credential, "scopes", None) is not None:
        prefix = f"{settings.MCP_RESOURCE_SERVER}/"
        scopes &= {name for name in OFFERED if f"{prefix}{name.value}" in credential.scopes}
    return scopes


def as_agent(caller: Caller, credential: Any, client: str) -> Caller:
    """The caller as the API sees a client of theirs.

    A person's own token counts as a key for an agent. A key says itself whether an agent uses it.

    Args:
        caller: whom the request has authenticated.
        credential: the token's user; None for a key.
        client: the name that the client gives itself.
    """
    key = caller.key
    grant = _with_client(key, client) if key else _of_person(caller, credential, client)
    return replace(caller, user_id=KeyUser(grant), key=grant)


def _with_client(key: Grant, client: str) -> Grant:
    values = {each.name: getattr(key, each.name) for each in fields(Grant)}
    return ClientGrant(**values, client=client)


def _of_person(caller: Caller, credential: Any, client: str) -> Grant:
    return Grant(
        id=OF_PERSON,
        user_id=caller.user_id,
        is_of_operator=False,
        name=(client or NAMELESS)[:MAX_NAME],
        scopes=frozenset(scope.value for scope in granted(caller, credential)),
        trigger_ids=frozenset(),
        expires_at=None,
        is_agent=True,
        may_enable=False,
        min_interval_minutes=None,
        max_triggers=None,
        last_used_at=None,
    )
