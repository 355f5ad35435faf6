#!/bin/sh
# anthropic 2.14.0 (PyPI), client.messages.stream(): the final message of a stream that broke off.
#
# Valid input: the first events of a message, and then the regular end of the body, as a proxy sends
# it when the model server is gone. There is no message_delta and no message_stop.
#
# One would have guessed: get_final_message() raises, since the protocol's last event is missing, as
# the SDK of OpenAI does for a response without its last event.
# Seen: it returns the half text as the final message. Nothing is raised or logged. stop_reason is
# None, and usage counts the one output token that message_start named.
# What to do: take a message without a stop_reason for broken off.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install anthropic==2.14.0 httpx2==2.16.2
"$folder/venv/bin/python" - <<'PYTHON'
import json

import anthropic
import httpx2

message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m",
           "stop_reason": None, "stop_sequence": None,
           "usage": {"input_tokens": 5, "output_tokens": 1}}
EVENTS = [
    {"type": "message_start", "message": message},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "text_delta", "text": "Transfer 50"}},
]
body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in EVENTS)


def answer(request):
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=body)


http = httpx2.Client(transport=httpx2.MockTransport(answer))
client = anthropic.Anthropic(api_key="none", base_url="http://model", http_client=http)
ask = [{"role": "user", "content": "How much?"}]
with client.messages.stream(model="m", max_tokens=100, messages=ask) as stream:
    final = stream.get_final_message()
told = (final.content[0].text, final.stop_reason, final.usage.output_tokens)
print("final message: text, stop_reason and output_tokens are", told)
assert told == ("Transfer 50", None, 1), "the behaviour has changed"
PYTHON
