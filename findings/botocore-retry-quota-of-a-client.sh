#!/bin/sh
# botocore 1.44.8 (PyPI), retries={"mode": "standard", "total_max_attempts": 5}.
#
# Valid input: a client with these settings, and an endpoint that refuses connections.
#
# One would have guessed: each failing call is tried 5 times.
# Seen: 5 tries for each of the first 8 calls, 4 for the ninth, then 1 for each. All calls of a client
# share a quota of 500, of which a retry takes 14. Only a call that succeeds gives some back: in an
# outage nothing is retried any more, just when it would help.
# What to do: retry by yourself what has to succeed, however long the outage is.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install botocore==1.44.8
"$folder/venv/bin/python" - <<'PYTHON'
import time

import botocore.session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

time.sleep = lambda _: None  # The pauses between tries are of no concern here.
client = botocore.session.get_session().create_client(
    "dynamodb",
    region_name="us-east-1",
    endpoint_url="http://127.0.0.1:9",
    aws_access_key_id="none",
    aws_secret_access_key="none",
    config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
)
tries = []
client.meta.events.register("before-send.dynamodb", lambda **_: tries.__setitem__(-1, tries[-1] + 1))
for _ in range(12):
    tries.append(0)
    try:
        client.list_tables()
    except EndpointConnectionError:
        pass
print("tries of each call:", tries)
assert tries == [5] * 8 + [4, 1, 1, 1], "the behaviour has changed"
PYTHON
