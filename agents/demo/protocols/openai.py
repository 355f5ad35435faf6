"""OpenAI's chat completions and Responses, by its API reference.

Neither of them can ask a person: `demo: ask` calls a tool that nobody makes the call of. Neither
tells that a run was cancelled: `demo: cancelled` ends the stream early.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from agents.demo.answers import Answer
from agents.demo.protocols.base import TOKENS_IN, Body, Writer, text_of

_MODEL = "demo"
_ASK = "ask_a_person"


class ChatWriter(Writer):
    """Writes chunks of a chat completion, and `[DONE]`."""

    asks_for = "messages, the last one with a text as its content"
    _FINISH_REASONS = {
        "success": "stop",
        "asks": "tool_calls",
        "refused": "content_filter",
        "limited": "length",
    }

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        messages = body.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
            return text_of(messages[-1].get("content"))
        return None

    def begin(self) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def complete(self) -> Iterator[bytes]:
        ending = self.answer.ending
        if ending == "cancelled":
            return
        if ending == "asks":
            yield self._chunk({"tool_calls": [{"index": 0, **self._call()}]})
        yield self._chunk({}, self._FINISH_REASONS[ending])
        yield self.event({**self._facts("chat.completion.chunk"), "choices": [], **self._usage()})
        yield self.frame("[DONE]")

    def fail(self, message: str) -> Iterator[bytes]:
        yield self.event(_error(message))

    def after_failure(self, message: str) -> Iterator[bytes]:
        yield self.frame("[DONE]")

    def refusal(self, message: str) -> tuple[int, Any]:
        return 500, _error(message)

    def document(self) -> Any:
        message = {"role": "assistant", "content": self.answer.text}
        reason = self._FINISH_REASONS.get(self.answer.ending, "stop")
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {**self._facts("chat.completion"), "choices": [choice], **self._usage()}

    def _call(self) -> Body:
        function = {"name": _ASK, "arguments": "{}"}
        return {"id": f"call_{self.answer.id}", "type": "function", "function": function}

    def _facts(self, kind: str) -> Body:
        created = int(time.time())
        return {
            "id": f"chatcmpl-{self.answer.id}",
            "object": kind,
            "created": created,
            "model": _MODEL,
        }

    def _usage(self) -> Body:
        given, made = TOKENS_IN, len(self.answer.words)
        counts = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
        return {"usage": counts}

    def _chunk(self, delta: Body, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self.event({**self._facts("chat.completion.chunk"), "choices": [choice]})


class ResponsesWriter(Writer):
    """Writes the events of a Response."""

    asks_for = "a text as its input"

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._number = 0

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        return text_of(body.get("input"))

    def begin(self) -> Iterator[bytes]:
        yield self._say("response.created", response=self._response("in_progress"))
        item = {"id": self._item_id, "type": "message", "role": "assistant", "content": []}
        yield self._say("response.output_item.added", output_index=0, item=item)

    def text(self, text: str) -> bytes:
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        return self._say("response.output_text.delta", **place, delta=text)

    def close(self) -> Iterator[bytes]:
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        yield self._say("response.output_text.done", **place, text=self.answer.text)
        item = self._message()
        yield self._say("response.output_item.done", output_index=0, item=item)

    def complete(self) -> Iterator[bytes]:
        ending = self.answer.ending
        if ending == "cancelled":
            return
        if ending == "asks":
            call = {"type": "function_call", "name": _ASK, "arguments": "{}"}
            call |= {"id": f"fc_{self.answer.id}", "call_id": f"call_{self.answer.id}"}
            yield self._say("response.output_item.done", output_index=1, item=call)
        response = self.document()
        yield self._say(f"response.{response['status']}", response=response)

    def fail(self, message: str) -> Iterator[bytes]:
        error = {"code": "server_error", "message": message}
        response = {**self._response("failed"), "error": error}
        yield self._say("response.failed", response=response)

    def crash(self, message: str) -> Iterator[bytes]:
        yield self._say("error", message=message, code="server_error")

    def after_failure(self, message: str) -> Iterator[bytes]:
        yield from self.crash(message)

    def refusal(self, message: str) -> tuple[int, Any]:
        return 500, _error(message)

    def document(self) -> Any:
        reasons = {"refused": "content_filter", "limited": "max_output_tokens"}
        reason = reasons.get(self.answer.ending)
        given, made = TOKENS_IN, len(self.answer.words)
        usage = {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
        response = self._response("incomplete" if reason else "completed")
        if reason:
            response["incomplete_details"] = {"reason": reason}
        return {**response, "output": [self._message()], "usage": usage}

    @property
    def _item_id(self) -> str:
        return f"msg_{self.answer.id}"

    def _message(self) -> Body:
        content = [{"type": "output_text", "text": self.answer.text, "annotations": []}]
        return {
            "id": self._item_id,
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }

    def _response(self, status: str) -> Body:
        return {
            "id": f"resp_{self.answer.id}",
            "object": "response",
            "status": status,
            "model": _MODEL,
            "output": [],
        }

    def _say(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        event = {"type": kind, "sequence_number": self._number, **fields}
        return f"event: {kind}\n".encode() + self.event(event)


def _error(message: str) -> Body:
    return {"error": {"message": message, "type": "server_error", "code": None}}
