"""A model of Strands that says what the prompt asks for, in place of a real one."""

from collections.abc import AsyncGenerator
from typing import Any

from strands import ToolContext, tool
from strands.models.model import Model

USAGE = {
    "inputTokens": 11,
    "outputTokens": 7,
    "totalTokens": 18,
    "cacheReadInputTokens": 3,
    "cacheWriteInputTokens": 2,
}


@tool
def clock(zone: str) -> str:
    """Tell the time."""
    return f"noon in {zone}"


@tool(context=True)
def ask(tool_context: ToolContext) -> str:
    """Ask a person."""
    return tool_context.interrupt("approval", reason="Delete it?")


class StandIn(Model):
    """Answers "Hello world." with usage 11/7; words in the prompt change what it does."""

    def update_config(self, **model_config: Any) -> None:
        pass

    def get_config(self) -> dict[str, Any]:
        return {"model_id": "stand-in"}

    async def structured_output(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        raise NotImplementedError
        yield

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: Any = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        prompt = _first_text(messages)
        if "break in the model" in prompt:
            raise TimeoutError
        yield {"messageStart": {"role": "assistant"}}
        stop = "end_turn"
        if ("use the tool" in prompt or "ask" in prompt) and not _has_result(messages):
            stop = "tool_use"
            name, given = ("ask", "{}") if "ask" in prompt else ("clock", '{"zone": "UTC"}')
            start = {"toolUse": {"toolUseId": "t1", "name": name}}
            yield {"contentBlockStart": {"start": start}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": given}}}}
            yield {"contentBlockStop": {}}
        else:
            if "reason" in prompt:
                thought = {"reasoningContent": {"text": "I think."}}
                yield {"contentBlockDelta": {"delta": thought}}
                yield {"contentBlockStop": {}}
            for piece in ("Hello ", "world."):
                yield {"contentBlockDelta": {"delta": {"text": piece}}}
                if "break midway" in prompt:
                    raise TimeoutError
            yield {"contentBlockStop": {}}
            for word in ("guardrail_intervened", "content_filtered", "max_tokens"):
                stop = word if word in prompt else stop
        yield {"messageStop": {"stopReason": stop}}
        yield {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 1}}}


def _first_text(messages: Any) -> str:
    return "".join(block.get("text", "") for m in messages for block in m["content"])


def _has_result(messages: Any) -> bool:
    return any("toolResult" in block for m in messages for block in m["content"])
