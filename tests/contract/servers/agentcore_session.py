"""An agent that keeps its sessions, and so can go on after a person's answer. Usage: PORT."""

import sys
from collections.abc import AsyncIterator
from typing import Any

from bedrock_agentcore.runtime import BedrockAgentCoreApp
from standin import StandIn, ask, clock
from strands import Agent

app = BedrockAgentCoreApp()
agents: dict[str, Agent] = {}


@app.entrypoint
async def invoke(payload: dict[str, Any], context: Any) -> AsyncIterator[Any]:
    agent = agents.setdefault(
        context.session_id, Agent(model=StandIn(), tools=[clock, ask], callback_handler=None)
    )
    # The prompt of an answer is the list that Strands takes.
    async for event in agent.stream_async(payload["prompt"]):
        if "event" in event or "tool_interrupt_event" in event:
            yield event


app.run(port=int(sys.argv[1]), host="127.0.0.1")
