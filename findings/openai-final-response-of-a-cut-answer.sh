#!/bin/sh
# openai 3.57.0 (PyPI), client.responses.stream(): the final response of an answer that was cut off.
#
# Valid input: the events of a response that reaches max_output_tokens. The stream ends in
# response.incomplete, which has the whole response with its text, usage and incomplete_details.
#
# One would have guessed: get_final_response() returns that response with the status "incomplete", as
# the call without a stream does.
# Seen: RuntimeError "Didn't receive a `response.completed` event.", the same as after a connection
# that broke. Neither the text nor the usage nor the reason is in it.
# What to do: keep the `response` of response.incomplete and response.failed while you iterate.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install openai==3.57.0 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import json

import httpx
import openai


def response(status, **fields):
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": status,
            **fields}


def stream(end):
    begun = {"type": "response.created", "sequence_number": 0, "response": response("in_progress")}
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in (begun, end))


def final(end):
    def answer(request):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=stream(end))

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = openai.OpenAI(api_key="none", base_url="http://model/v1", http_client=http)
    with client.responses.stream(model="m", input="Write a book.") as events:
        return events.get_final_response().status


whole = {"type": "response.completed", "sequence_number": 1, "response": response("completed")}
reason = {"incomplete_details": {"reason": "max_output_tokens"}}
cut = {"type": "response.incomplete", "sequence_number": 1,
       "response": response("incomplete", **reason)}
print("completed: ", final(whole))
try:
    said = final(cut)
except RuntimeError as error:
    said = f"RuntimeError: {error}"
print("incomplete:", said)
assert said.startswith("RuntimeError: Didn't receive"), "the behaviour has changed"
PYTHON
