"""An agent that returns one value, by AgentCore's Python SDK. Usage: PORT."""

import sys
from typing import Any

from bedrock_agentcore.runtime import BedrockAgentCoreApp
from standin import StandIn
from strands import Agent

app = BedrockAgentCoreApp()


@app.entrypoint
def invoke(payload: dict[str, Any]) -> Any:
    prompt = payload["prompt"]
    if prompt.startswith("raise"):
        raise TimeoutError
    result = Agent(model=StandIn(), callback_handler=None)(prompt)
    answers = {"text": str(result), "message": {"result": result.message}, "result": result}
    return answers.get(prompt.partition(":")[0], {"result": result})


app.run(port=int(sys.argv[1]), host="127.0.0.1")
