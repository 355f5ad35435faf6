"""An agent of agno behind AgentCore's Python SDK, which yields agno's events. Usage: PORT."""

import sys
from collections.abc import AsyncIterator
from typing import Any

from agno.agent import Agent
from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.tools import tool
from bedrock_agentcore.runtime import BedrockAgentCoreApp


@tool(requires_confirmation=True)
def delete(path: str) -> str:
    """Delete a file."""
    return f"{path} is gone"


CALL = {
    "id": "t1",
    "type": "function",
    "function": {"name": "delete", "arguments": '{"path": "/tmp/x"}'},
}


class StandIn(Model):
    """Answers "Hello world." with usage 11/7; words in the prompt change what it does."""

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError

    ainvoke = invoke_stream = _parse_provider_response = _parse_provider_response_delta = invoke

    async def ainvoke_stream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        if "ask" in str(messages):
            yield ModelResponse(tool_calls=[CALL])
            return
        yield ModelResponse(content="Hello ")
        if "break midway" in str(messages):
            raise TimeoutError("too slow")
        yield ModelResponse(content="world.")
        yield ModelResponse(
            response_usage=MessageMetrics(input_tokens=11, output_tokens=7, total_tokens=18)
        )


app = BedrockAgentCoreApp()


@app.entrypoint
async def invoke(payload: dict[str, Any]) -> AsyncIterator[Any]:
    prompt = payload["prompt"]
    agent = Agent(model=StandIn(id="stand-in"), tools=[delete], telemetry=False)
    async for event in agent.arun(prompt, stream=True, stream_events=True):
        yield event.to_dict()
        if "cancel" in prompt and event.event == "RunContent":
            await agent.acancel_run(event.run_id)


app.run(port=int(sys.argv[1]), host="127.0.0.1")
