"""Make the agent client from the settings and AWS, which the package `agents` does not know."""

from typing import Any

from django.conf import settings

from agents import AgentClient, AgentError, configuration, errors, profiles
from agents.authorization import Headers
from agents.configuration import Lookups
from agents.profiles import AgentsTable, Profile
from moca.aws.clients import BotoCoreError, ClientError, client
from moca.aws.secrets_manager import SecretError, secret
from moca.aws.signing import NoCredentialsError, signature_headers
from moca.aws.user_pool import PoolError, domain_of
from moca.dynamodb.codec import MalformedError, from_json

# The most names that one call of GetParameters takes.
MOST_PARAMETERS = 10


def client_from_settings() -> AgentClient:
    """Make the agent client that the settings describe.

    Raises:
        AgentError: a setting is wrong.
    """
    return configuration.client_from(settings, LOOKUPS)


def profile_of(user_id: str, agent_id: str, *, has_record: bool = False) -> Profile | None:
    """Read the profile of a user's agent from the table of agents.

    Args:
        user_id: the user.
        agent_id: the agent.
        has_record: whether the agent has a record, so that it need not be in the table.

    Returns:
        None if no table is configured, or the trigger names no agent.

    Raises:
        AgentError: as `agents.profiles.profile_of()`.
    """
    if not (settings.AGENTS_TABLE_NAME and agent_id):
        return None
    table = AgentsTable(
        name=settings.AGENTS_TABLE_NAME,
        secrets_path=settings.MCP_SECRETS_PATH,
        parameter_prefix=settings.SSM_PARAMETER_PREFIX,
        allows_unknown=settings.ALLOW_UNKNOWN_AGENTS or has_record,
        row=_row,
        parameters=_parameters,
    )
    return profiles.profile_of(table, user_id, agent_id)


def _secret(arn: str, setting: str) -> str:
    try:
        return secret(arn, setting)
    except SecretError as error:
        raise errors.misconfigured(
            errors.SECRET_UNREADABLE(error=str(error).rstrip("."))
        ) from error


def _domain(pool_id: str) -> str:
    try:
        return domain_of(pool_id)
    except PoolError as error:
        raise errors.misconfigured(errors.POOL_UNREADABLE(error=str(error).rstrip("."))) from error


def _sign(_token: str | None, url: str, headers: Headers, content: bytes) -> Headers:
    plain = {name.decode(): value.decode() for name, value in headers}
    try:
        added = signature_headers(
            "bedrock-agentcore", url, plain, content, region=settings.AWS_REGION
        )
    except NoCredentialsError as error:
        raise AgentError(errors.CREDENTIALS_MISSING(), kind="token") from error
    return [(name.encode(), value.encode()) for name, value in added.items()]


def _row(user_id: str, agent_id: str) -> dict[str, Any] | None:
    table = settings.AGENTS_TABLE_NAME
    try:
        answer = client("dynamodb").get_item(
            TableName=table,
            Key={"userId": {"S": user_id}, "agentId": {"S": agent_id}},
            # With a part of the key, because an item without the others would have nothing.
            ProjectionExpression="agentId, systemPrompt, enabledTools, mcpConfig",
        )
    except (ClientError, BotoCoreError) as error:
        raise errors.misconfigured(
            errors.TABLE_UNREADABLE(table=table, error=str(error))
        ) from error
    if not answer.get("Item"):
        return None
    row: dict[str, Any] = {}
    for name, value in answer["Item"].items():
        try:
            row |= from_json({"M": {name: value}})
        except MalformedError as error:
            parts = {"attribute": name, "agent": agent_id, "table": table, "error": str(error)}
            raise errors.misconfigured(errors.ROW_MALFORMED(**parts)) from error
    return row


def _parameters(path: str, names: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for first in range(0, len(names), MOST_PARAMETERS):
        try:
            answer = client("ssm").get_parameters(
                Names=names[first : first + MOST_PARAMETERS], WithDecryption=True
            )
        except (ClientError, BotoCoreError) as error:
            raise errors.misconfigured(
                errors.PARAMETERS_UNREADABLE(place=path, error=str(error))
            ) from error
        values |= {found["Name"]: found["Value"] for found in answer["Parameters"]}
    return values


LOOKUPS = Lookups(secret=_secret, domain=_domain, sign=_sign)
