#!/bin/sh
# ministack 1.5.33 (PyPI), EventBridge Scheduler: ScheduleExpressionTimezone of a schedule.
#
# Valid input: at(...) for the moment in 20 seconds, once in UTC and once in Asia/Tokyo, where the
# clock shows nine hours more; and a daily cron(...) in Asia/Tokyo, which is due nine hours before the
# next minute but one in UTC.
#
# One would have guessed: both at(...) fire, and the cron(...) does not, since GetSchedule returns the
# time zone that was given.
# Seen: at(...) in UTC fires alone, and so does the cron(...): the time zone is kept and shown, but all
# expressions are read as UTC. A schedule for 09:00 in Tokyo fires at 18:00 there. No error says so.
# What to do: on the emulator, test schedules in UTC, or by what GetSchedule returns.
#
# It takes up to three minutes.
#
# Output:
#   kept: Asia/Tokyo
#   fired: at-utc, cron-tokyo
set -eu
folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install ministack==1.5.33 \
    boto3==1.43.106 'cryptography>=45'
cd "$folder"
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 MINISTACK_REGION=eu-central-1 \
    "$folder/venv/bin/python" -m ministack >"$folder/log" 2>&1 &
server=$!
PORT=$port "$folder/venv/bin/python" - <<'PYTHON'
import os
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError


def client(service):
    return boto3.client(
        service,
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{os.environ['PORT']}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


scheduler, sqs = client("scheduler"), client("sqs")
for _ in range(60):
    try:
        sqs.list_queues()
        break
    except (ClientError, EndpointConnectionError):
        time.sleep(1)

url = sqs.create_queue(QueueName="queue")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
moment = datetime.now(UTC) + timedelta(seconds=20)
minute = moment + timedelta(minutes=1)
tokyo = ZoneInfo("Asia/Tokyo")
for name, expression in (
    ("at-utc", f"at({moment:%Y-%m-%dT%H:%M:%S})"),
    ("at-tokyo", f"at({moment.astimezone(tokyo):%Y-%m-%dT%H:%M:%S})"),
    ("cron-tokyo", f"cron({minute.minute} {minute.hour} * * ? *)"),
):
    zone = "UTC" if name.endswith("utc") else "Asia/Tokyo"
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=expression,
        ScheduleExpressionTimezone=zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": "arn:aws:iam::000000000000:role/role", "Input": f'"{name}"'},
    )
kept = scheduler.get_schedule(Name="at-tokyo")["ScheduleExpressionTimezone"]
fired = set()
while datetime.now(UTC) < minute + timedelta(seconds=60):
    for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
        fired.add(message["Body"].strip('"'))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
print("kept:", kept)
print("fired:", ", ".join(sorted(fired)))
assert (kept, fired) == ("Asia/Tokyo", {"at-utc", "cron-tokyo"}), "the behaviour has changed"
PYTHON
