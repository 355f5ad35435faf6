"""What a tool is: what it takes, does and returns, and the scope that it needs.

A tool calls a view of the API in the caller's name, so that both obey the same rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_server import arguments, schemas
from mcp_server.arguments import Given
from mcp_server.calls import Session
from moca.api.json_schema import Schema
from moca.authentication.api_keys.model import Scope

Run = Callable[[Session, Given], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
        name: the name by which it is called.
        title: its name for people.
        description: what it does, for the agent that chooses a tool.
        scope: what the credential has to be allowed.
        run: does it.
        takes: the fields of its arguments, and the names of those that it needs.
        returns: the schema of its result.
        destroys: whether it may destroy or end something.
        is_repeatable: whether a second call with the same arguments changes nothing more.
        is_general: whether it concerns more than one trigger that its arguments name, so that keys
            for some triggers cannot use it.
        leaves: whether it reaches others than this installation: the agent that a trigger calls.
    """

    name: str
    title: str
    description: str
    scope: Scope
    run: Run
    takes: Callable[[], tuple[Mapping[str, Schema], list[str]]]
    returns: Callable[[], Schema]
    destroys: bool = False
    is_repeatable: bool = False
    leaves: bool = False
    is_general: bool = False

    def call(self, session: Session, given: Given) -> dict[str, Any]:
        """Check the names of the arguments, and run the tool.

        Raises:
            CallError, APIError, ValidationError...: the errors of the API, for the agent.
        """
        fields, needed = self.takes()
        arguments.require_known(given, fields.keys(), needed)
        return self.run(session, given)

    def shown(self) -> dict[str, Any]:
        """The tool as `tools/list` shows it."""
        reads = self.scope is Scope.READ
        hints = {"title": self.title, "readOnlyHint": reads, "openWorldHint": self.leaves}
        if not reads:
            hints |= {"destructiveHint": self.destroys, "idempotentHint": self.is_repeatable}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": schemas.arguments(*self.takes()),
            "outputSchema": schemas.returned(self.returns()),
            "annotations": hints,
        }
