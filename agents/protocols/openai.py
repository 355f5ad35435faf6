"""Speaks OpenAI's chat completions and Responses with model servers and gateways.

The source is OpenAI's API reference (platform.openai.com/docs/api-reference). A URL that ends in
`/responses` gets requests of Responses.
"""

from __future__ import annotations

import json
from typing import Any

from agents import errors
from agents.framing import DONE, Batch, ended_early, unreadable
from agents.invocation import Invocation
from agents.protocols.base import Protocol, Reader, Request, failure
from agents.replies import Transcript, Usage, as_text, count, items, mapping, name


class OpenAIReader(Reader):
    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        self._is_stream = media_type == "text/event-stream"
        self._finish_reason: str | None = None
        self._tools: dict[Any, str] = {}
        self._is_refused = False

    def take(self, values: Batch) -> None:
        transcript = self.transcript
        for value in values:
            if value is DONE:
                self._check_tools()
                transcript.complete = True
            elif not isinstance(value, dict):
                self.skip(value)
            elif value.get("error"):
                raise failure(value["error"])
            elif isinstance(choices := value.get("choices"), list):
                self._take_choices(choices)
                self._take_facts(value)
            elif isinstance(kind := value.get("type"), str):
                self._take_event(kind, value)
            elif value.get("object") == "response":
                self._take_response(value)
            else:
                self.skip(value)
            if transcript.complete:
                return

    def _take_facts(self, value: dict[str, Any]) -> None:
        if usage := value.get("usage"):
            self._use(mapping(usage))
        if self.transcript.request_id is None:
            self.transcript.request_id = name(value.get("id"))

    def end(self) -> None:
        self.check_understood()
        if self._finish_reason is None and not self.transcript.complete:
            raise ended_early()
        self._check_tools()

    def _take_choices(self, choices: list[Any]) -> None:
        transcript = self.transcript
        for choice in map(mapping, choices):
            if choice.get("index", 0) != 0:
                continue
            delta = mapping(choice.get("delta") or choice.get("message"))
            if isinstance(text := delta.get("content"), str):
                transcript.say(text)
                if len(delta) == 1 and choice.get("finish_reason") is None:
                    continue
            if isinstance(text := delta.get("refusal"), str) and text:
                self._is_refused = True
                transcript.say(text)
            thought = delta.get("reasoning_content") or delta.get("reasoning")
            if isinstance(thought, str):
                transcript.think(thought)
            for call in map(mapping, items(delta.get("tool_calls"))):
                self._take_call(call)
            if isinstance(reason := choice.get("finish_reason"), str):
                self._finish_reason = reason
                transcript.stop("refusal" if self._is_refused else reason)

    def _take_call(self, call: dict[str, Any]) -> None:
        function = mapping(call.get("function"))
        place = call.get("index", call.get("id"))
        if isinstance(tool_id := call.get("id"), str) and tool_id:
            self._tools[place] = tool_id
            self.transcript.call(tool_id, as_text(function.get("name")))
        self.transcript.call_input(self._tools.get(place), as_text(function.get("arguments")))

    def _check_tools(self) -> None:
        if self._finish_reason in ("tool_calls", "function_call"):
            raise unreadable(errors.TOOL_WITHOUT_CALLER())

    def _take_event(self, kind: str, event: dict[str, Any]) -> None:
        transcript = self.transcript
        delta = event.get("delta")
        if kind == "response.output_text.delta":
            transcript.say(as_text(delta))
        elif kind == "error":
            raise failure(event.get("message") or event.get("code"))
        elif kind == "response.refusal.delta" and isinstance(delta, str):
            self._is_refused = True
            transcript.say(delta)
        elif kind.startswith("response.reasoning") and isinstance(delta, str):
            transcript.think(delta)
        elif kind == "response.output_item.done":
            self._take_item(mapping(event.get("item")), has_text=False)
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._take_response(mapping(event.get("response")), has_text=False)
        elif not kind.startswith("response."):
            self.skip(event)

    def _take_response(self, response: dict[str, Any], *, has_text: bool = True) -> None:
        transcript = self.transcript
        transcript.request_id = name(response.get("id"))
        self._use(mapping(response.get("usage")))
        for item in map(mapping, items(response.get("output"))):
            self._take_item(item, has_text=has_text or not transcript.has_text)
        if response.get("status") == "failed":
            raise failure(response.get("error"))
        if response.get("status") == "cancelled":
            transcript.outcome = "cancelled"
        elif response.get("status") == "incomplete":
            reason = mapping(response.get("incomplete_details")).get("reason")
            transcript.stop(reason if isinstance(reason, str) else "max_output_tokens")
        elif self._is_refused:
            transcript.stop("refusal")
        self._check_tools()
        transcript.flush()
        transcript.complete = True

    def _take_item(self, item: dict[str, Any], *, has_text: bool) -> None:
        kind = as_text(item.get("type"))
        if kind == "message" and has_text:
            for part in map(mapping, items(item.get("content"))):
                self._is_refused |= part.get("type") == "refusal"
                self.transcript.say(as_text(part.get("text") or part.get("refusal")))
        elif kind.endswith("_call"):
            tool_id = as_text(item.get("id") or item.get("call_id"))
            tool = as_text(item.get("name")) or kind.removesuffix("_call")
            self.transcript.call(tool_id, tool, as_text(item.get("arguments")))
            if "output" in item:
                self.transcript.call_result(tool_id, as_text(item["output"]))
            if kind == "function_call":
                self._finish_reason = "function_call"

    def _use(self, usage: dict[str, Any]) -> None:
        given = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
        self.transcript.usage.add(
            Usage(
                count(usage.get("prompt_tokens", usage.get("input_tokens"))),
                count(usage.get("completion_tokens", usage.get("output_tokens"))),
                count(given.get("cached_tokens")),
            )
        )


class OpenAI(Protocol):
    name = "openai"
    accept = "text/event-stream, application/json"
    path = "/v1/chat/completions"
    reader = OpenAIReader

    def request(self, invocation: Invocation, url: str) -> Request:
        if url.partition("?")[0].rstrip("/").endswith("/responses"):
            return Request(json.dumps(_response(invocation)).encode())
        # Neither API has a notion of answers, and these servers keep no session.
        prompt = invocation.answer_text or invocation.prompt
        messages = [{"role": "user", "content": prompt}]
        if invocation.system_prompt:
            messages.insert(0, {"role": "system", "content": invocation.system_prompt})
        body: dict[str, Any] = {
            **_model(invocation),
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return Request(json.dumps(body).encode())


def _model(invocation: Invocation) -> dict[str, str]:
    model = invocation.model_id or invocation.agent_id
    return {"model": model} if model else {}


def _response(invocation: Invocation) -> dict[str, Any]:
    instructions = invocation.system_prompt
    return {
        **_model(invocation),
        "input": invocation.answer_text or invocation.prompt,
        **({"instructions": instructions} if instructions else {}),
        "stream": True,
        "store": False,
    }
