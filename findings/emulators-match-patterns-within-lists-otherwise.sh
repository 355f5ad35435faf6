#!/bin/sh
# moto 5.2.5 and localstack-core 2026.3.0 (PyPI): event patterns of EventBridge that look into the
# objects of a list.
#
# Valid input: {"detail": {"checks": {"name": ["tests"], "state": ["failed"]}}}, and two events whose
# detail has a list of checks. In one event the tests failed. In the other the tests passed, and lint
# failed.
#
# One would have guessed: the first event matches and the second does not, as in EventBridge. Event
# Ruler, its library, wants both values in one object of the list (its README, "JSON Array Matching").
# Seen: for moto neither matches; a rule with such a pattern never fires. For the rule engine of
# localstack both match: it takes the name from one check and the state from another. ministack 1.5.33
# answers as EventBridge does.
# What to do: test such patterns with ministack or in an account.
#
# Output:
#                          moto   localstack
#   tests failed           False  True
#   tests passed           False  True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in moto localstack; do
    python3 -m venv "$folder/$name"
done
"$folder/moto/bin/pip" --quiet --disable-pip-version-check install 'moto[events,sqs]==5.2.5' \
    boto3==1.44.8
"$folder/localstack/bin/pip" --quiet --disable-pip-version-check install \
    localstack-core==2026.3.0 boto3==1.44.8 jsonpatch==1.48 rolo==0.8.9
cat >"$folder/case.py" <<'PYTHON'
PATTERN = {"detail": {"checks": {"name": ["tests"], "state": ["failed"]}}}
DETAILS = (
    {"checks": [{"name": "lint", "state": "passed"}, {"name": "tests", "state": "failed"}]},
    {"checks": [{"name": "lint", "state": "failed"}, {"name": "tests", "state": "passed"}]},
)
PYTHON
cat >"$folder/by_moto.py" <<'PYTHON'
import json

import boto3
from case import DETAILS, PATTERN
from moto import mock_aws

keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
with mock_aws():
    events, sqs = boto3.client("events", **keys), boto3.client("sqs", **keys)
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="rule", EventPattern=json.dumps(PATTERN))
    events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": arn}])
    found = []
    for detail in DETAILS:
        entry = {"Source": "my.app", "DetailType": "Checks", "Detail": json.dumps(detail)}
        events.put_events(Entries=[entry])
        messages = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600).get("Messages", [])
        found.append(bool(messages))
print(*found)
PYTHON
cat >"$folder/by_localstack.py" <<'PYTHON'
import json

from case import DETAILS, PATTERN
from localstack.services.events.event_rule_engine import EventPatternCompiler, EventRuleEngine

pattern = EventPatternCompiler().compile_event_pattern(json.dumps(PATTERN))
print(*(EventRuleEngine().evaluate_pattern_on_event(pattern, {"detail": each}) for each in DETAILS))
PYTHON
moto=$("$folder/moto/bin/python" "$folder/by_moto.py")
localstack=$("$folder/localstack/bin/python" "$folder/by_localstack.py")
printf '%-22s %-6s %s\n' '' moto localstack
printf '%-22s %-6s %s\n' 'tests failed' "${moto% *}" "${localstack% *}"
printf '%-22s %-6s %s\n' 'tests passed' "${moto#* }" "${localstack#* }"
test "$moto" = 'False False' && test "$localstack" = 'True True' || {
    echo 'the behaviour has changed'
    exit 1
}
