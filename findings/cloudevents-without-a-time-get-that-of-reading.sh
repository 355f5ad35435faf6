#!/bin/sh
# cloudevents 2.2.0 (PyPI): the time of an event that has none.
#
# Valid input: one CloudEvent 1.0 in the JSON format without `time`, which is optional. It is read
# twice, as a retry or a replay brings it.
#
# One would have guessed: an event without a time, since the specification lets only the producer put
# another time in place of that of the occurrence.
# Seen: `time` is the moment of reading, and is written out with the event, where nobody can tell it
# from a time of the sender. It differs each time the same message is read, so events that are
# compared or hashed are never equal.
# What to do: look into the message itself before you believe `time`.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install cloudevents==2.2.0
"$folder/venv/bin/python" - <<'PYTHON'
import json
import time

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

form = JSONFormat()
sent = {"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "order.paid",
        "data": {"order": 4711}}
written = []
for _ in range(2):
    event = form.read(CloudEvent, json.dumps(sent).encode())
    written.append(json.loads(form.write(event)))
    time.sleep(0.01)
added = [event.keys() - sent.keys() for event in written]
print("added to what was sent:", added)
print("the two are equal:", written[0] == written[1])
assert added == [{"time"}, {"time"}], "the behaviour has changed"
assert written[0] != written[1], "the behaviour has changed"
PYTHON
