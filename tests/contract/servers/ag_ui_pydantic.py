"""AG-UI by pydantic-ai's adapter. Usage: PORT."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from pydantic_ai import Agent
from pydantic_ai.models.function import DeltaToolCall, FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def stream(messages: Any, _info: Any) -> AsyncIterator[Any]:
    prompt = str(messages)
    if "use the tool" in prompt and "noon" not in prompt:
        yield {0: DeltaToolCall(name="clock", json_args='{"zone": "UTC"}', tool_call_id="t1")}
        return
    yield "Hello "
    if "break midway" in prompt:
        raise TimeoutError
    yield "world."


agent = Agent(FunctionModel(stream_function=stream))


@agent.tool_plain
def clock(zone: str) -> str:
    """Tell the time."""
    return f"noon in {zone}"


async def run(request: Request) -> Response:
    return await AGUIAdapter.dispatch_request(request, agent=agent)


app = Starlette(routes=[Route("/invocations", run, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), host="127.0.0.1", log_level="warning")
