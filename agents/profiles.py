"""Reads agents' profiles from a table: the system prompt, the tools and the MCP servers of each.

The key of a row is `userId` and `agentId`. Its `systemPrompt`, `enabledTools` and `mcpConfig` go
into the request. In `mcpConfig`, `{"ssm": NAME}` stands for the secret parameter NAME of Systems
Manager, and is replaced by its value. NAME must be below MCP_SECRETS_PATH/USER, because users write
the rows of their own agents, and must not read the secrets of others.

`{"__ssm": true}` as the `env` of an MCP server stands for its part of one parameter that has the
environments of all servers of the agent: SSM_PARAMETER_PREFIX/agents/USER/AGENT/mcp-env.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agents import errors
from moca.sentences import Reason

KEPT_SECONDS = 60.0
MOST_KEPT = 1000
# Shorter texts below `env` and `headers` are not masked in what the agent says.
SHORTEST_INLINE = 8


@dataclass(frozen=True, slots=True)
class Profile:
    """An agent's row in the table. Fields are None if the row does not have them."""

    system_prompt: str | None = field(default=None, repr=False)
    enabled_tools: list[str] | None = None
    mcp_config: dict[str, Any] | None = field(default=None, repr=False)
    # Texts in `mcp_config` that are masked: see `_secrets_in()`.
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class AgentsTable:
    """Functions that read the table, and the secrets that its rows name. They raise AgentError.

    Attributes:
        name: the table's name.
        secrets_path: MCP_SECRETS_PATH, or "" if it is not set.
        parameter_prefix: SSM_PARAMETER_PREFIX, or "" if it is not set.
        allows_unknown: ALLOW_UNKNOWN_AGENTS: whether an agent without a row has an empty profile.
        row: returns the row of a user's agent in JSON's own types, None if there is none.
        parameters: returns the values of secret parameters, from a path and their names. Those
            that do not exist are missing.
    """

    name: str
    secrets_path: str
    parameter_prefix: str
    allows_unknown: bool
    row: Callable[[str, str], dict[str, Any] | None]
    parameters: Callable[[str, list[str]], dict[str, str]]


_kept: dict[tuple[str, str, str], tuple[float, Profile]] = {}


def profile_of(table: AgentsTable, user_id: str, agent_id: str) -> Profile:
    """Return the agent's profile, at most a minute old.

    Raises:
        AgentError: of kind "configuration", before the agent is reached: the agent is not in the
            table, the table or a parameter cannot be read, or the row is malformed.
    """
    key = (table.name, user_id, agent_id)
    until, profile = _kept.get(key, (0.0, Profile()))
    if time.monotonic() < until:
        return profile
    profile = _read(table, user_id, agent_id)
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[key] = time.monotonic() + KEPT_SECONDS, profile
    return profile


def forget() -> None:
    """Empty the cache."""
    _kept.clear()


def _read(table: AgentsTable, user_id: str, agent_id: str) -> Profile:
    row = table.row(user_id, agent_id)
    where = {"agent": agent_id, "table": table.name}
    if row is None:
        if not table.allows_unknown:
            raise errors.misconfigured(errors.AGENT_NOT_FOUND(**where))
        return Profile()
    tools = _typed(row.get("enabledTools"), list, errors.TOOLS_MALFORMED(**where))
    if tools and not all(isinstance(tool, str) for tool in tools):
        raise errors.misconfigured(errors.TOOLS_MALFORMED(**where))
    config = _typed(row.get("mcpConfig"), dict, errors.CONFIG_MALFORMED(**where))
    prompt = row.get("systemPrompt")
    system_prompt = _typed(prompt, str, errors.SYSTEM_PROMPT_MALFORMED(**where))
    if not config:
        return Profile(system_prompt or None, tools)
    parameters = _parameters(table, config, user_id)
    # Before environments are put in, because nothing in them names a parameter.
    filled = _with_environments(table, _filled(config, parameters), user_id, agent_id)
    secrets = {*parameters.values(), *_secrets_in(filled)}
    return Profile(system_prompt or None, tools, filled, tuple(secrets))


def _with_environments(
    table: AgentsTable, config: dict[str, Any], user_id: str, agent_id: str
) -> dict[str, Any]:
    """Put in the environments of the MCP servers whose `env` is `{"__ssm": true}`."""
    servers = config.get("mcpServers")
    if not isinstance(servers, dict):
        return config
    names = [name for name, server in servers.items() if _is_kept_apart(server)]
    if not names:
        return config
    if not table.parameter_prefix:
        raise errors.misconfigured(errors.PARAMETER_PREFIX_MISSING(server=names[0]))
    folder = f"{table.parameter_prefix}/agents/{user_id}/"
    place = f"{folder}{agent_id}/mcp-env"
    if not _has_folder(user_id):
        raise errors.misconfigured(errors.PARAMETER_NOT_ALLOWED(name=place, place=folder))
    found = table.parameters(place, [place])
    if place not in found:
        raise errors.misconfigured(errors.PARAMETER_MISSING(names=place))
    environments = _environments(place, found[place])
    if missing := [name for name in names if name not in environments]:
        raise errors.misconfigured(errors.ENVIRONMENT_MISSING(name=place, server=missing[0]))
    given = {name: {**servers[name], "env": environments[name]} for name in names}
    return {**config, "mcpServers": {**servers, **given}}


def _is_kept_apart(server: Any) -> bool:
    env = server.get("env") if isinstance(server, dict) else None
    return isinstance(env, dict) and env.get("__ssm") is True


def _environments(place: str, text: str) -> dict[str, dict[str, str]]:
    """Read a parameter's environments by server. The error never quotes the parameter."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(_is_environment(each) for each in found.values()):
        # The cause would quote the text.
        raise errors.misconfigured(errors.ENVIRONMENTS_MALFORMED(name=place)) from None
    return found


def _is_environment(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _secrets_in(part: Any, *, named: bool = False) -> Iterator[str]:
    """Yield the texts below `env` and `headers`, because many people write secrets there.

    Leaves out short ones: most are plain settings such as `prod`, which would be masked wherever
    the agent says them.
    """
    if isinstance(part, dict):
        for key, each in part.items():
            yield from _secrets_in(each, named=named or key in ("env", "headers"))
    elif isinstance(part, list):
        for each in part:
            yield from _secrets_in(each, named=named)
    elif named and isinstance(part, str) and len(part) >= SHORTEST_INLINE:
        yield part


def _parameters(table: AgentsTable, config: dict[str, Any], user_id: str) -> dict[str, str]:
    """Read the parameters that a config names. Returns their values by name."""
    names = sorted(set(_named(config)))
    own = f"{table.secrets_path}/{user_id}/"
    for name in names:
        is_own = table.secrets_path and name.startswith(own) and ".." not in name
        if not is_own or not _has_folder(user_id):
            raise errors.misconfigured(errors.PARAMETER_NOT_ALLOWED(name=name, place=own))
    values = table.parameters(own, names) if names else {}
    if missing := [name for name in names if name not in values]:
        raise errors.misconfigured(errors.PARAMETER_MISSING(names=", ".join(missing)))
    return values


def _has_folder(user_id: str) -> bool:
    """Whether a user has a folder of parameters, and not one within another user's."""
    return "/" not in user_id


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(name := part.get("ssm"), str) and len(part) == 1:
            yield name
        else:
            for each in part.values():
                yield from _named(each)
    elif isinstance(part, list):
        for each in part:
            yield from _named(each)


def _filled(part: Any, values: dict[str, str]) -> Any:
    if isinstance(part, dict):
        if isinstance(name := part.get("ssm"), str) and len(part) == 1:
            return values[name]
        return {key: _filled(each, values) for key, each in part.items()}
    return [_filled(each, values) for each in part] if isinstance(part, list) else part


def _typed(value: Any, kind: type, reason: Reason) -> Any:
    if value is not None and not isinstance(value, kind):
        raise errors.misconfigured(reason)
    return value
