"""An agent that streams, as the guide of AgentCore's Python SDK makes it. Usage: PORT."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from bedrock_agentcore.runtime import BedrockAgentCoreApp
from standin import StandIn, ask, clock
from strands import Agent

app = BedrockAgentCoreApp()
# How often each prompt came.
seen: Counter[str] = Counter()


@app.entrypoint
async def invoke(payload: dict[str, Any]) -> AsyncIterator[Any]:
    prompt = payload["prompt"]
    mode, _, rest = prompt.partition(":")
    agent = Agent(model=StandIn(), tools=[clock, ask], callback_handler=None)
    if mode == "count":
        yield str(seen[rest])
        return
    seen[rest] += 1
    if mode == "raise":
        raise TimeoutError
    if mode in ("message", "result", "wrapped"):
        result = await agent.invoke_async(prompt)
        answers = {"message": {"message": result.message}, "result": result}
        yield answers.get(mode, {"result": result})
        return
    limits = {"turns": 1} if "limit_turns" in prompt else None
    async for event in agent.stream_async(prompt, limits=limits):
        if "cancel" in prompt and "data" in event:
            agent.cancel()
        if mode == "all" or (mode == "events" and "event" in event):
            yield event
        elif mode == "data" and "data" in event:
            yield event["data"]


app.run(port=int(sys.argv[1]), host="127.0.0.1")
