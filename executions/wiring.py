"""Hands the package `agents` what it needs of this installation: its settings, and AWS."""

from typing import Any

from django.conf import settings

from agents import AgentClient, AgentError, configuration, profiles
from agents.configuration import Lookups
from agents.profiles import AgentsTable, Profile
from moca.aws import BotoCoreError, ClientError, client
from moca.aws.cognito import PoolError, domain_of
from moca.aws.secrets import SecretError, secret
from moca.dynamodb.codec import MalformedError, from_json

# What one call of GetParameters takes.
MOST_PARAMETERS = 10


def client_from_settings() -> AgentClient:
    """Make the agent client that the settings describe; AgentError if a setting is wrong."""
    return configuration.client_from(settings, Lookups(secret=_secret, domain=_domain))


def profile_of(user_id: str, agent_id: str) -> Profile | None:
    """What the table of agents says of a user's agent; None if no table is configured.

    Raises:
        AgentError: as `agents.profiles.profile_of()`.
    """
    if not (settings.AGENTS_TABLE_NAME and agent_id):
        return None
    table = AgentsTable(settings.AGENTS_TABLE_NAME, settings.MCP_SECRETS_PATH, _row, _parameters)
    return profiles.profile_of(table, user_id, agent_id)


def _secret(arn: str, setting: str) -> str:
    try:
        return secret(arn, setting)
    except SecretError as error:
        raise _wrong(str(error).rstrip(".")) from error


def _domain(pool_id: str) -> str:
    try:
        return domain_of(pool_id)
    except PoolError as error:
        raise _wrong(str(error).rstrip(".")) from error


def _row(user_id: str, agent_id: str) -> dict[str, Any]:
    table = settings.AGENTS_TABLE_NAME
    try:
        answer = client("dynamodb").get_item(
            TableName=table,
            Key={"userId": {"S": user_id}, "agentId": {"S": agent_id}},
            ProjectionExpression="systemPrompt, enabledTools, mcpConfig",
        )
    except (ClientError, BotoCoreError) as error:
        raise _wrong(
            f"the agents' table {table} cannot be read ({error}): check AGENTS_TABLE_NAME, and "
            "that the role has dynamodb:GetItem on it"
        ) from error
    try:
        row: dict[str, Any] = from_json({"M": answer.get("Item", {})})
    except MalformedError as error:
        raise _wrong(f"the agent {agent_id} in the table {table} is malformed: {error}") from error
    return row


def _parameters(path: str, names: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for first in range(0, len(names), MOST_PARAMETERS):
        try:
            answer = client("ssm").get_parameters(
                Names=names[first : first + MOST_PARAMETERS], WithDecryption=True
            )
        except (ClientError, BotoCoreError) as error:
            raise _wrong(
                f"parameters below {path} cannot be read ({error}): check MCP_SECRETS_PATH, and "
                "that the role has ssm:GetParameters on it"
            ) from error
        values |= {found["Name"]: found["Value"] for found in answer["Parameters"]}
    return values


def _wrong(message: str) -> AgentError:
    return AgentError(message, kind="configuration")
