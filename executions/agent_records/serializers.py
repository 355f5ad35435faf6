"""Serializes agents' records for the API."""

from typing import Any

from executions.agent_records.model import Agent, AgentAuth
from moca.api.fields import Choice, Moment, Names, Number, Text
from moca.api.serializers import RowSerializer
from triggers.models import ReasoningEffort
from triggers.validation import MAX_TOOL_LENGTH, MAX_TOOLS


class AgentNameSerializer(RowSerializer):
    """What everybody may see of an agent."""

    id = Text("What a trigger has as its `agentId`.")
    name = Text()
    description = Text(always=True)

    class Meta:
        model = Agent


class AgentSerializer(RowSerializer):
    """An agent, and how it is called.

    An unknown key is refused: a mistyped `auth` would send the default agent's token.
    """

    refuses_unknown = True

    id = Text("What a trigger has as its `agentId`. It cannot be changed.")
    name = Text()
    description = Text()
    address = Text("A URL, or the ARN of an AgentCore runtime.")
    protocol = Text("How it is asked and answers; `invocations` for a new agent.")
    auth = Choice(AgentAuth, "How requests are authorized; `settings` for a new agent.")
    secret = Text(
        "Where the secret is: an environment variable that begins with `AGENT_`, or the ARN of a "
        "secret whose name begins with `agents/`.",
        source="secret_ref",
    )
    key_header = Text("The header of the key, for `api-key`.")
    client_id = Text("The app client, for `cognito`.")
    token_domain = Text("The URL of the user pool's domain; that of the settings without.")
    scope = Text()
    connect_seconds = Number("How long a connection may take; 10 without.")
    max_concurrency = Number(
        "How many of its runs a scheduler process has under way at most; any number without."
    )
    idle_seconds = Number("How long a begun answer may pause; as in the settings without.")
    model_id = Text("For triggers that have none.")
    reasoning_effort = Choice(ReasoningEffort, "For triggers that have none.")
    enabled_tools = Names(
        "For triggers that have none.",
        each={"minLength": 1, "maxLength": MAX_TOOL_LENGTH},
        rules={"maxItems": MAX_TOOLS},
        empty=(None,),
    )
    created_at = Moment(read_only=True)
    updated_at = Moment(always=True, read_only=True)

    class Meta:
        model = Agent
        name = "AgentDetails"

    def assign(self, row: Any, attribute: str, value: Any) -> None:
        """Set an attribute, but not the id of an agent that triggers may name."""
        if attribute != "id" or row._state.adding:
            super().assign(row, attribute, value)
