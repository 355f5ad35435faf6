"""API views under /agents: everybody lists names, operators see the records, admins change them.

A record says to which address this installation's secrets are sent.
"""

from django.db import IntegrityError
from rest_framework.request import Request
from rest_framework.response import Response

from executions.agent_records import lookup, services
from executions.agent_records.model import Agent
from executions.agent_records.serializers import AgentNameSerializer, AgentSerializer
from moca.api.errors import APIError, NotFoundError
from moca.api.operators import OperatorsView

FOR_ADMINS = "Only admins may change agents: ask one for it."
TAKEN = "There is an agent of this id: change that one, or use another id."
LISTED = "The settings list this agent: change it in AGENTS_CONFIG or AGENTS_FILE."


class AgentRecordsView(OperatorsView):
    for_admins = FOR_ADMINS


class AgentsView(AgentRecordsView):
    open_methods = ("GET",)

    def get(self, request: Request) -> Response:
        """List the agents that triggers can name."""
        found = lookup.all_agents()
        shown = AgentNameSerializer(found, many=True).data
        return Response({"agents": shown, "metadata": {"count": len(found)}})

    def post(self, request: Request) -> Response:
        """Create an agent."""
        agent = Agent()
        AgentSerializer(agent, data=self.body).fill()
        if agent.pk in lookup.configured():
            raise APIError(409, LISTED)
        try:
            services.save(agent, by=self.user_id)
        except IntegrityError as error:
            raise APIError(409, TAKEN) from error
        return _respond(agent, status=201)


class AgentView(AgentRecordsView):
    def get(self, request: Request, agent_id: str) -> Response:
        """Show an agent."""
        agent = lookup.find(agent_id)
        if agent is None:
            raise NotFoundError("agent")
        return _respond(agent)

    def put(self, request: Request, agent_id: str) -> Response:
        """Change an agent; what is left out stays as it is."""
        agent = _stored(agent_id)

        def apply(row: Agent) -> None:
            AgentSerializer(row, data=self.body).fill()

        try:
            services.change(agent, apply, by=self.user_id)
        except Agent.DoesNotExist as error:
            raise NotFoundError("agent") from error
        return _respond(agent)

    patch = put

    def delete(self, request: Request, agent_id: str) -> Response:
        """Delete an agent."""
        try:
            services.delete(_stored(agent_id), by=self.user_id)
        except Agent.DoesNotExist as error:
            raise NotFoundError("agent") from error
        return Response(
            {
                "success": True,
                "message": "The agent was deleted.",
                "metadata": {"agentId": agent_id},
            }
        )


def _stored(agent_id: str) -> Agent:
    """The row of an id, to change it; an error if there is none, or if the settings list it."""
    agent = lookup.find(agent_id)
    if agent is None:
        raise NotFoundError("agent")
    if agent.is_configured:
        raise APIError(409, LISTED)
    return agent


def _respond(agent: Agent, status: int = 200) -> Response:
    return Response({"agent": AgentSerializer(agent).data}, status=status)
