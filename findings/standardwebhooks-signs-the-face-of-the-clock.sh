#!/bin/sh
# standardwebhooks 1.1.0 (PyPI): which time Webhook.sign() signs.
#
# Valid input: one instant as three datetimes, 12:00 UTC, and the same instant in Berlin and in New
# York, each with its time zone.
#
# One would have guessed: the same signature for all, since the datetimes are equal and have the same
# timestamp(), which is what goes into the header webhook-timestamp.
# Seen: three signatures. sign() replaces the zone by UTC instead of converting to it: it signs the
# time that the clock shows. A receiver refuses what a sender with a zone signs, except in UTC, which
# is where servers run and where tests pass.
# What to do: give datetimes in UTC only, such as datetime.now(UTC).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install standardwebhooks==1.1.0 tzdata
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from standardwebhooks import Webhook

webhook = Webhook(b"meaningless secret of 32 bytes!!")
noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
zones = ("UTC", "Europe/Berlin", "America/New_York")
times = {name: noon.astimezone(ZoneInfo(name)) for name in zones}
assert {time.timestamp() for time in times.values()} == {noon.timestamp()}
signatures = {name: webhook.sign("msg_1", time, "{}") for name, time in times.items()}
for name, signature in signatures.items():
    print(f"{name:17} {signature}")
assert len(set(signatures.values())) == 3, "the behaviour has changed"
# What it signs for Berlin is 13:00 UTC.
shown = webhook.sign("msg_1", datetime(2026, 11, 1, 13, tzinfo=UTC), "{}")
assert signatures["Europe/Berlin"] == shown, "the behaviour has changed"
PYTHON
