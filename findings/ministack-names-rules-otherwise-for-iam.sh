#!/bin/sh
# ministack 1.5.33 with AUTH=true: by which name does IAM know a rule of the default event bus?
#
# First guess: by the rule's own ARN, "rule/NAME", which PutRule returns. The Service Authorization
# Reference has the same form for rules of the default bus. Behaviour: ministack asks for
# "rule/default/NAME". A policy that allows "rule/NAME" is refused, and one that allows
# "rule/default/NAME" is let through, though PutRule then returns an ARN without "default". A
# policy that is tried on the emulator alone is wrong on AWS, and the other way round.
#
# Output:
#   policy for rule/trigger-*          AccessDenied
#   policy for rule/default/trigger-*  made rule/trigger-1
set -eu
folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ministack==1.5.33 boto3==1.43.106 'cryptography>=45'
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 MINISTACK_REGION=eu-central-1 AUTH=true \
    "$folder/venv/bin/python" -m ministack >"$folder/log" 2>&1 &
server=$!
PORT=$port "$folder/venv/bin/python" - <<'PYTHON'
import json
import os
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

REGION = "eu-central-1"
ENDPOINT = f"http://127.0.0.1:{os.environ['PORT']}"


def client(service, key="test", secret="test"):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=ENDPOINT,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


iam = client("iam")
for _ in range(60):
    try:
        iam.list_users()
        break
    except (ClientError, EndpointConnectionError):
        time.sleep(1)

iam.create_user(UserName="ann")
made = iam.create_access_key(UserName="ann")["AccessKey"]
events = client("events", made["AccessKeyId"], made["SecretAccessKey"])
told = []
for resource in ("rule/trigger-*", "rule/default/trigger-*"):
    statement = {
        "Effect": "Allow",
        "Action": "events:PutRule",
        "Resource": f"arn:aws:events:{REGION}:*:{resource}",
    }
    iam.put_user_policy(
        UserName="ann",
        PolicyName="rules",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    try:
        arn = events.put_rule(Name="trigger-1", EventPattern='{"source": ["my.app"]}')["RuleArn"]
        outcome = f"made {arn.rpartition(':')[2]}"
    except ClientError as error:
        outcome = error.response["Error"]["Code"].removesuffix("Exception")
    print(f"policy for {resource:22}  {outcome}")
    told.append(outcome)
raise SystemExit(told != ["AccessDenied", "made rule/trigger-1"])
PYTHON
