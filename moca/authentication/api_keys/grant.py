"""What a verified API key grants, and the user id of a caller who used one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from moca.authentication.api_keys.model import APIKey

# The id of what an MCP client may do with a person's own token. There is no key, and no row.
OF_PERSON = "mcp"


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified key, as its row was read some seconds ago at most."""

    id: str
    user_id: str
    is_of_operator: bool
    name: str
    scopes: frozenset[str]
    trigger_ids: frozenset[str]
    expires_at: datetime | None
    is_agent: bool
    may_enable: bool
    min_interval_minutes: int | None
    max_triggers: int | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: APIKey) -> Self:
        return cls(
            id=key.pk,
            user_id=key.user_id,
            is_of_operator=key.is_of_operator,
            name=key.name,
            scopes=frozenset(key.scopes),
            trigger_ids=frozenset(key.trigger_ids),
            expires_at=key.expires_at,
            is_agent=key.is_agent,
            may_enable=key.may_enable,
            min_interval_minutes=key.min_interval_minutes,
            max_triggers=key.max_triggers,
            last_used_at=key.last_used_at,
        )

    @property
    def has_row(self) -> bool:
        """Whether there is a key, and not only a person's token."""
        return self.id != OF_PERSON

    @property
    def label(self) -> str:
        """The key as audit entries name it."""
        return f"{self.name} ({self.id})"

    def is_for(self, trigger_id: str) -> bool:
        """Whether the key is for a trigger of its owner."""
        return not self.trigger_ids or trigger_id in self.trigger_ids


class KeyUser(str):
    """The user id of a caller who used an API key.

    It is handed on as `by` to the functions that write. They note the key in the audit entry, and
    apply the limits of agents' keys.
    """

    __slots__ = ("key",)
    key: Grant

    def __new__(cls, key: Grant) -> Self:
        user = super().__new__(cls, key.user_id)
        user.key = key
        return user


def key_of(by: str) -> Grant | None:
    """The API key of whoever makes a change; None if it is made without one."""
    return by.key if isinstance(by, KeyUser) else None
