"""An agent that streams, as the guide of AgentCore's Python SDK makes it. Usage: PORT."""

import sys
from collections.abc import AsyncIterator
from typing import Any

from bedrock_agentcore.runtime import BedrockAgentCoreApp
from standin import StandIn, ask, clock
from strands import Agent

app = BedrockAgentCoreApp()


@app.entrypoint
async def invoke(payload: dict[str, Any]) -> AsyncIterator[Any]:
    prompt = payload["prompt"]
    mode = prompt.partition(":")[0]
    agent = Agent(model=StandIn(), tools=[clock, ask], callback_handler=None)
    if mode == "raise":
        raise TimeoutError
    if mode in ("message", "result", "wrapped"):
        result = await agent.invoke_async(prompt)
        answers = {"message": {"message": result.message}, "result": result}
        yield answers.get(mode, {"result": result})
        return
    async for event in agent.stream_async(prompt):
        if mode == "all" or (mode == "events" and "event" in event):
            yield event
        elif mode == "data" and "data" in event:
            yield event["data"]


app.run(port=int(sys.argv[1]), host="127.0.0.1")
