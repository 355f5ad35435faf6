#!/bin/sh
# httpx-sse 0.4.3 (PyPI) over httpx 0.28.1: what a keep-alive comment is after an event with an id.
#
# Valid input: an event stream with an event, two comments (": ping") as servers send them to keep
# the connection, and another event. It comes once without ids, and once with "id: 1" in the first
# event.
#
# One would have guessed: two events each time, since a comment is none. The HTML standard says that
# a block without data dispatches nothing.
# Seen: two events without the id, four with it. An id stays for the following events, and the
# library takes it for a part of each block. Each comment becomes an event "message" whose data is
# empty, and json() of it raises.
# What to do: skip events whose data is empty.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install httpx-sse==0.4.3 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import httpx
from httpx_sse import EventSource


def events(stream):
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return [(event.event, event.data) for event in EventSource(response).iter_sse()]


pings = b": ping\n\n: ping\n\n"
without = events(b"data: one\n\n" + pings + b"data: two\n\n")
with_id = events(b"id: 1\ndata: one\n\n" + pings + b"data: two\n\n")
print("without an id:", without)
print("with an id:   ", with_id)
one, empty, two = ("message", "one"), ("message", ""), ("message", "two")
assert without == [one, two], "the behaviour has changed"
assert with_id == [one, empty, empty, two], "the behaviour has changed"
PYTHON
