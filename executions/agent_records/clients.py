"""The clients of agents that have a record: one for each agent, which keeps its token between runs.

A process has at most MOST_CLIENTS of them. A client is closed when its record has changed or others
were used since, and no run uses it any more.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from agents import AgentClient
from agents.specification import Specification, client_of
from executions.agent_client import LOOKUPS
from executions.agent_records.model import Agent

MOST_CLIENTS = 100


@dataclass(slots=True, eq=False)
class _Shared:
    """A client with the number of runs that use it."""

    specification: Specification
    client: AgentClient
    users: int = 0
    is_retired: bool = False


_shared: OrderedDict[str, _Shared] = OrderedDict()
_lock = threading.Lock()


@contextmanager
def client_for(agent: Agent | None, default: AgentClient) -> Iterator[AgentClient]:
    """Lend the client that calls an agent.

    Args:
        agent: the agent's record; None for the default agent.
        default: the client of the default agent.

    Raises:
        AgentError: of kind "configuration": the record is wrong. Nothing was sent.
    """
    if agent is None:
        yield default
        return
    shared = _borrow(agent)
    try:
        yield shared.client
    finally:
        _give_back(shared)


def new_client(agent: Agent) -> AgentClient:
    """Make a client that nothing shares. Close it after use. Raises AgentError."""
    return client_of(agent.specification, settings, LOOKUPS)


def check_agent(agent: Agent, seconds: float) -> None:
    """Check that an agent's secret can be read, and that a server answers at its address.

    Raises:
        AgentError: one of them fails within `seconds`.
    """
    with new_client(agent) as client:
        client.obtain_token(seconds)
        client.reach(seconds)


def close_all() -> None:
    """Close all clients, those in use at the end of their runs."""
    with _lock:
        for agent_id in list(_shared):
            _retire(agent_id)


def _borrow(agent: Agent) -> _Shared:
    specification = agent.specification
    with _lock:
        shared = _shared.get(agent.pk)
        if shared is None or shared.specification != specification:
            # Before the old one is retired, because this may raise an error.
            shared = _Shared(specification, client_of(specification, settings, LOOKUPS))
            if agent.pk in _shared:
                _retire(agent.pk)
            _shared[agent.pk] = shared
        _shared.move_to_end(agent.pk)
        shared.users += 1
        if len(_shared) > MOST_CLIENTS:
            _retire(next(iter(_shared)))
        return shared


def _give_back(shared: _Shared) -> None:
    with _lock:
        shared.users -= 1
        if shared.is_retired and not shared.users:
            shared.client.close()


def _retire(agent_id: str) -> None:
    shared = _shared.pop(agent_id)
    shared.is_retired = True
    if not shared.users:
        shared.client.close()
